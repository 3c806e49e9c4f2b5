//! The checks by name. Each list is written once, and makes both the tests of a store author and the
//! table that the suite runs by itself.

/// The checks of every event store.
#[doc(hidden)]
#[macro_export]
macro_rules! __event_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store append {
                each_expected_version_admits_what_it_says = 2
                the_version_of_a_conflict_is_the_one_to_go_on_from = 2
                versions_count_up_from_one_in_each_stream = 5
                versions_go_beyond_sixteen_bits = 5
                positions_rise_and_those_of_a_commit_are_contiguous = 5
                the_answer_says_where_the_events_are_read = 5
                a_commit_to_several_streams_is_stored_whole = 1
                one_conflict_refuses_all_streams_of_a_commit = 1
                an_append_that_is_dropped_is_stored_whole_or_not_at_all = 1
                a_refused_commit_leaves_nothing_behind = 4
                events_that_were_refused_can_be_appended_later = 4
            }
            store immediate {
                a_commit_at_once_is_answered_and_read_as_any_other = 16
                a_commit_at_once_is_refused_as_any_other = 16
                a_commit_at_once_is_repeated_as_any_other = 16
                a_commit_at_once_is_news = 16
                what_is_shown_at_once_is_what_is_read = 17
                who_breaks_off_is_told_where_to_go_on = 17
                what_was_acknowledged_is_shown_at_once = 17
            }
            store retry {
                a_commit_that_is_repeated_is_answered_as_the_first_time = 3
                a_commit_of_a_new_stream_is_repeated_whatever_it_expects = 3
                a_commit_to_several_streams_is_repeated_as_one = 3
                an_id_with_another_event_is_refused = 3
                a_commit_of_which_a_part_is_stored_is_refused = 3
                a_commit_in_another_order_is_refused = 3
                tags_and_metadata_of_the_first_time_stay = 3
                a_refused_event_id_keeps_nothing_of_its_commit = 4
            }
            store chains {
                a_chain_is_appended_in_order = 15
                a_chain_of_nothing_has_no_answer = 15
                a_chain_ends_with_its_first_refusal = 15
                a_link_is_not_taken_because_a_stranger_wrote_as_much = 15
                a_chain_that_is_repeated_is_answered_as_the_first_time = 15
                a_chain_ends_at_an_event_id_that_is_taken = 15
                a_chain_goes_across_streams = 15
                a_long_chain_is_one_round = 15
            }
            store reading {
                an_empty_store_has_nothing = 8
                a_stream_that_does_not_exist_is_empty = 8
                every_range_of_a_stream_is_read_in_both_directions = 8
                every_range_of_positions_is_read_in_both_directions = 8
                pages_join_to_the_whole = 11
                the_token_of_a_limited_read_is_its_last_event = 8
                a_page_knows_nothing_of_later_commits = 8
                the_last_events_are_read_backward = 8
            }
            store queries {
                without_names_and_tags_every_event_is_selected = 10
                names_combine_with_or = 10
                tags_combine_with_and = 10
                names_and_tags_are_compared_whole = 10
                a_name_and_a_tag_combine_with_and = 10
                items_combine_with_or_and_an_event_comes_once = 10
                a_query_of_many_items_is_answered = 10
                any_query_selects_what_its_definition_says = 10
            }
            store order {
                the_global_order_is_the_order_of_the_commits = 5
                every_way_of_reading_gives_the_same_event = 12
                recorded_at_never_falls = 9
                nothing_appears_at_or_below_a_position_that_was_seen = 7
                what_was_acknowledged_is_seen_at_once = 13
            }
            store content {
                every_part_of_an_event_comes_back = 12
                payloads_are_any_bytes = 12
                the_largest_payload_comes_back = 12
                texts_of_the_greatest_length_come_back = 12
                odd_texts_come_back_and_stay_apart = 12
                categories_are_odd_texts_too = 12
                streams_whose_ids_begin_alike_stay_apart = 12
                a_text_with_a_nul_character_comes_back_or_is_refused = 12
                times_come_back_to_the_microsecond = 12
                event_ids_are_any_sixteen_bytes = 12
                a_commit_of_ten_thousand_events_comes_back = 12
            }
            store news {
                news_that_is_there_is_told_at_once = 14
                whoever_waits_is_told_of_the_next_event = 14
                everybody_who_waits_is_told = 14
                nobody_is_told_before_there_is_an_event_after_the_position = 14
                waiting_that_was_dropped_loses_nothing = 14
                chains_are_news_too = 14
                two_who_answer_each_other_never_wait_for_ever = 14
            }
            store races {
                of_many_with_one_expected_version_exactly_one_wins = 2
                writers_of_different_streams_never_conflict = 2
                who_expects_nothing_is_never_refused = 2
                one_commit_that_many_repeat_is_stored_once = 3
                commits_that_cross_are_stored_whole = 1
                no_reader_sees_a_part_of_a_commit = 1
                who_follows_the_store_sees_every_event_once_and_none_late = 7
            }
            fixture histories {
                any_sequence_of_calls_is_answered_as_the_contract_says = 13
                calls_at_once_take_effect_one_after_another = 13
            }
        }
    };
}

/// The checks of a store with append conditions.
#[doc(hidden)]
#[macro_export]
macro_rules! __conditional_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store conditions {
                a_condition_without_after_fails_on_any_match = 2
                a_condition_ignores_what_is_at_or_below_after = 2
                the_refusal_names_the_first_condition_that_fails = 2
                a_condition_matches_what_a_read_finds = 2
                a_read_that_found_nothing_still_guards = 2
                the_token_of_a_limited_read_guards_what_it_did_not_see = 2
                a_condition_need_not_be_about_what_is_appended = 2
                a_condition_on_all_events_guards_the_whole_store = 2
                a_refused_commit_leaves_nothing_behind = 1
                versions_and_conditions_are_both_checked = 1
                a_commit_never_fails_its_own_conditions = 3
                unconditional_commits_fail_the_conditions_of_others = 3
                what_no_condition_matches_is_never_refused = 4
                a_repeated_commit_is_answered_before_its_conditions = 5
                an_id_with_another_event_is_refused_under_conditions_too = 6
                without_conditions_it_appends_as_append_does = 6
            }
            store condition_races {
                of_many_decisions_on_one_boundary_exactly_one_wins = 1
                two_rules_that_read_what_the_other_writes_do_not_both_win = 1
                unconditional_writers_are_seen_by_every_decision = 3
                decisions_on_different_boundaries_never_conflict = 4
                numbers_are_given_out_without_a_hole_or_a_double = 1
            }
            fixture condition_histories {
                any_sequence_of_calls_is_answered_as_the_contract_says = 2
                calls_at_once_take_effect_one_after_another = 1
            }
        }
    };
}

/// The checks of a store that can let go of old events.
#[doc(hidden)]
#[macro_export]
macro_rules! __stream_removal_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store removals {
                a_stub_says_what_was_removed = 1
                a_removal_that_does_not_fit_is_refused_and_changes_nothing = 2
                a_removal_that_is_repeated_is_answered_as_the_first_time = 2
                versions_positions_and_guards_go_on_as_before = 3
                conditions_see_what_was_removed = 3
                a_read_of_a_removed_event_says_where_it_is = 4
                a_read_gives_what_comes_before_a_removed_event = 4
                a_read_that_wants_no_removed_event_is_as_before = 4
                what_was_removed_for_good_is_passed_by_in_the_global_order = 4
                the_id_of_a_removed_event_is_never_stored_again = 5
                a_sparse_read_names_what_a_read_would_have_given = 6
                what_is_put_back_is_read_as_if_it_had_never_been_removed = 7
                only_the_last_part_and_all_of_it_can_be_put_back = 7
            }
        }
    };
}

/// The checks of a state store.
#[doc(hidden)]
#[macro_export]
macro_rules! __state_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store records {
                each_expected_revision_admits_what_it_says = 1
                a_record_is_removed_at_the_expected_revision_only = 1
                a_revision_never_comes_twice_and_always_rises = 2
                a_lease_that_was_taken_over_can_not_write = 2
                a_list_is_sorted_complete_and_stays_in_its_space = 3
                a_list_goes_on_after_any_name = 3
                a_record_comes_back_as_it_was_written = 4
                keys_are_any_texts_and_differ_when_their_bytes_do = 4
                a_text_with_a_nul_character_comes_back_or_is_refused = 4
                what_was_acknowledged_is_seen_at_once = 5
            }
            store record_races {
                of_many_with_one_expected_revision_exactly_one_wins = 1
                no_increment_of_a_counter_is_lost = 1
                writers_of_different_records_never_conflict = 1
                a_list_is_complete_while_others_write = 3
            }
        }
    };
}

/// The checks of an event store that can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_event_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_events {
                everything_is_there_after_the_store_was_opened_again = 6
                an_empty_store_can_be_opened_again = 6
                versions_positions_and_times_go_on = 5
                a_commit_is_repeated_after_the_store_was_opened_again = 3
                old_news_is_answered_and_new_news_is_waited_for = 14
            }
        }
    };
}

/// The checks of a state store that can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_state_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_records {
                every_record_is_there_after_the_store_was_opened_again = 6
                no_revision_comes_again_after_the_store_was_opened_again = 2
                the_expected_revision_is_checked_after_the_store_was_opened_again = 1
            }
        }
    };
}

/// The checks of a store that takes events over.
#[doc(hidden)]
#[macro_export]
macro_rules! __recorded_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store copies {
                commits_of_nothing_have_no_answer = 1
                events_are_recorded_at_the_time_beside_their_commit = 2
                recorded_times_are_exact_to_the_microsecond = 2
                a_time_before_that_of_the_last_event_is_that_of_the_last_event = 2
                everything_else_of_an_event_comes_back = 4
                the_answers_say_where_the_events_are_read = 4
                expected_versions_are_checked_as_in_append = 4
                the_first_refusal_is_the_last_answer = 1
                a_commit_does_not_build_on_what_a_stranger_wrote = 1
                a_copy_that_is_repeated_is_answered_as_the_first_time = 3
                a_copy_that_is_dropped_leaves_whole_commits_from_the_beginning = 1
                copies_are_news = 4
            }
            store copy_races {
                one_history_that_many_take_over_is_stored_once = 3
                of_two_histories_of_one_stream_exactly_one_is_taken_over = 4
                times_do_not_fall_while_others_append = 2
            }
        }
    };
}

/// The checks of a store that takes events over and can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_recorded_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_copies {
                recorded_times_are_there_after_the_store_was_opened_again = 2
                times_do_not_fall_after_the_store_was_opened_again = 2
                a_copy_goes_on_after_the_store_was_opened_again = 3
            }
        }
    };
}

/// The checks of a home of projections.
#[doc(hidden)]
#[macro_export]
macro_rules! __projection_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store state_commits {
                each_expected_revision_of_a_commit_admits_what_it_says = 2
                one_conflict_refuses_all_of_a_commit = 2
                all_records_of_a_commit_get_one_revision_above_every_other = 3
                commits_and_single_writes_see_each_other = 4
                get_many_answers_at_the_places_of_its_keys = 4
                the_records_of_a_commit_come_back_as_they_were_written = 4
                a_commit_that_is_dropped_is_stored_whole_or_not_at_all = 1
                the_runtime_finds_the_store = 7
            }
            fixture identities {
                the_identity_stays_and_no_other_store_has_it = 5
                an_opening_stays_and_no_other_store_has_it = 8
            }
            store state_commit_races {
                of_many_commits_on_one_revision_exactly_one_is_stored = 2
                two_commits_that_check_what_the_other_changes_are_not_both_stored = 2
                no_reader_sees_a_part_of_a_commit = 1
                no_increment_is_lost_between_commits_and_single_writes = 2
            }
        }
    };
}

/// The checks of a home of projections that can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_projection_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_commits {
                commits_are_there_after_the_store_was_opened_again = 4
                no_revision_of_a_commit_comes_again_after_the_store_was_opened_again = 3
                the_identity_is_the_same_after_the_store_was_opened_again = 5
                every_opening_is_another_one = 8
            }
        }
    };
}

/// The checks of a home of projections that has rows of a user's own: those of its commits.
#[doc(hidden)]
#[macro_export]
macro_rules! __row_commit_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture row_commits {
                rows_are_written_with_the_records_of_their_commit = 1
                a_commit_that_conflicts_leaves_no_rows = 2
                work_that_gives_up_leaves_neither_rows_nor_records = 6
                work_that_gives_up_does_not_touch_the_commits_of_others = 6
            }
        }
    };
}

/// The checks of a home of projections that has rows of a user's own: those of its generations.
#[doc(hidden)]
#[macro_export]
macro_rules! __row_family_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture row_families {
                a_generation_has_rows_of_its_own = 1
                what_is_published_is_what_readers_find = 2
                what_is_discarded_is_one_generation = 3
                differences_are_counted_in_both_directions = 4
            }
        }
    };
}

/// The checks of rows in a store that can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_projection_rows_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_rows {
                rows_are_there_after_the_store_was_opened_again = 4
            }
        }
    };
}

/// The checks of a store that changes projections in the step that appends.
#[doc(hidden)]
#[macro_export]
macro_rules! __inline_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store inline_appends {
                an_append_runs_the_steps = 1
                a_chain_runs_the_steps = 1
                an_append_at_once_runs_the_steps = 1
                an_append_in_place_runs_the_steps = 1
                what_one_step_refuses_the_others_have_not_done = 2
                a_refused_step_does_not_touch_the_commits_beside_it = 2
            }
            store inline_steps {
                nobody_finds_events_without_their_records = 3
                an_append_that_is_dropped_leaves_both_or_neither = 3
                a_step_is_known_to_be_stored_when_its_append_is_answered = 5
                a_step_is_known_to_be_stored_before_anybody_hears_of_its_events = 5
            }
            store inline_places {
                a_step_reads_what_all_before_it_have_stored = 4
                a_step_is_told_where_its_events_are_read_later = 6
            }
            store inline_enlisting {
                enlisting_leaves_no_event_out_while_others_append = 7
                who_does_not_stay_is_brought_up_and_takes_part_in_no_append = 7
                enlisting_that_fails_leaves_nothing_behind = 7
                the_runtime_finds_the_inline_store = 8
            }
        }
    };
}

/// The check of a store that has both inline projections and append conditions.
#[doc(hidden)]
#[macro_export]
macro_rules! __inline_conditional_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store inline_appends {
                an_append_under_conditions_runs_the_steps = 1
            }
        }
    };
}

/// The check of a store that has inline projections and takes over events.
#[doc(hidden)]
#[macro_export]
macro_rules! __inline_recorded_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store inline_appends {
                a_copy_runs_the_steps = 1
            }
        }
    };
}

/// The checks of rows in a store that changes projections in the step that appends.
#[doc(hidden)]
#[macro_export]
macro_rules! __inline_rows_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture inline_rows {
                rows_are_written_in_the_step_of_an_append = 3
                a_refused_step_leaves_no_rows = 2
            }
        }
    };
}

/// The checks of a store of inline projections that can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_inline_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_inline {
                what_was_changed_with_events_is_there_after_the_store_was_opened_again = 3
            }
        }
    };
}

/// The checks of a store that can be closed to new events.
#[doc(hidden)]
#[macro_export]
macro_rules! __fenced_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store fences {
                no_append_passes_a_fence = 1
                no_chain_passes_a_fence = 1
                no_append_at_once_passes_a_fence = 1
                no_append_in_place_passes_a_fence = 1
                a_fence_and_appends_come_in_one_order = 1
                a_commit_that_is_stored_is_answered_behind_a_fence = 2
                a_fence_is_put_up_once = 4
                reads_and_records_are_not_fenced = 5
                a_fence_that_is_lifted_is_gone = 6
            }
        }
    };
}

/// The check of a store that has both a fence and append conditions.
#[doc(hidden)]
#[macro_export]
macro_rules! __fenced_conditional_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store fences {
                no_append_under_conditions_passes_a_fence = 1
            }
        }
    };
}

/// The check of a store that has a fence and takes over events.
#[doc(hidden)]
#[macro_export]
macro_rules! __fenced_recorded_append_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            store fences {
                no_copy_passes_a_fence = 1
            }
        }
    };
}

/// The checks of a store with a fence that can be opened again.
#[doc(hidden)]
#[macro_export]
macro_rules! __durable_fenced_store_checks {
    ($($callback:ident)::+ ! $($arguments:tt)*) => {
        $($callback)::+! { $($arguments)*
            fixture reopened_fences {
                a_fence_holds_after_the_store_was_opened_again = 3
                a_fence_that_was_lifted_does_not_come_back = 3
            }
        }
    };
}
