//! What is wrong with a store, and which check must notice it.

/// Lists the bugs, each with a check that must catch it.
macro_rules! bugs {
    ($($(#[$about:meta])* $bug:ident => $check:literal,)*) => {
        /// What is wrong with a store.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Bug {
            $($(#[$about])* $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug,)*];

            /// The check that must catch it; others may too.
            pub fn caught_by(self) -> &'static str {
                match self {
                    $(Self::$bug => $check,)*
                }
            }
        }
    };
}

bugs! {
    // Appending.
    /// The version is checked, and the events are added later.
    LostRace => "event_store::races::of_many_with_one_expected_version_exactly_one_wins",
    /// Expected versions are not looked at.
    VersionsNotChecked => "event_store::append::each_expected_version_admits_what_it_says",
    /// `Exists` is taken for `Any`.
    ExistsIsAny => "event_store::append::each_expected_version_admits_what_it_says",
    /// A conflict says another version than the stream has.
    ConflictWithWrongVersion => "event_store::append::the_version_of_a_conflict_is_the_one_to_go_on_from",
    /// A conflict is a permanent error with a text.
    ConflictAsText => "event_store::append::each_expected_version_admits_what_it_says",
    /// The streams of a commit are checked and added one after another.
    TornCommit => "event_store::append::one_conflict_refuses_all_streams_of_a_commit",
    /// Readers can come between the streams of a commit.
    TornForReaders => "event_store::races::no_reader_sees_a_part_of_a_commit",
    /// An append that is dropped halfway leaves a half.
    TornByDropping => "event_store::append::an_append_that_is_dropped_is_stored_whole_or_not_at_all",
    /// A refused commit uses up positions.
    BurntPosition => "event_store::append::a_refused_commit_leaves_nothing_behind",
    /// A refused commit takes its event ids with it.
    BurntEventIds => "event_store::append::events_that_were_refused_can_be_appended_later",
    /// Positions inside a commit have gaps.
    PositionsWithGaps => "event_store::append::positions_rise_and_those_of_a_commit_are_contiguous",
    /// The events of a commit are stored from the last to the first.
    EventsReordered => "event_store::append::a_commit_to_several_streams_is_stored_whole",
    /// A stream begins with the version that the store is at.
    VersionsOfTheStore => "event_store::append::versions_count_up_from_one_in_each_stream",
    /// The answer ends with the first event.
    AnswerOfFirstEvent => "event_store::append::the_answer_says_where_the_events_are_read",
    /// Whatever was appended meanwhile, to whatever stream, is a conflict.
    OneWriterAtATime => "event_store::races::writers_of_different_streams_never_conflict",
    /// So it is for one who expects nothing.
    OneWriterOfAnyAtATime => "event_store::races::who_expects_nothing_is_never_refused",
    /// Streams are locked in the order in which a commit names them.
    LockedAsNamed => "event_store::races::commits_that_cross_are_stored_whole",
    /// Versions are kept in sixteen bits.
    ShortVersions => "event_store::append::versions_go_beyond_sixteen_bits",
    /// Of a large commit the first thousand events are stored.
    LongCommitCut => "event_store::content::a_commit_of_ten_thousand_events_comes_back",
    // Retries.
    /// Event ids are not looked at.
    DuplicateOnRetry => "event_store::retry::a_commit_that_is_repeated_is_answered_as_the_first_time",
    /// An id is enough to be the same event.
    OtherPayloadAccepted => "event_store::retry::an_id_with_another_event_is_refused",
    /// So is an id with name and payload, in whatever stream.
    OtherStreamAccepted => "event_store::retry::an_id_with_another_event_is_refused",
    /// The schema version is not compared.
    OtherSchemaVersionAccepted => "event_store::retry::an_id_with_another_event_is_refused",
    /// The expected version is checked first.
    VersionBeforeRetry => "event_store::retry::a_commit_of_a_new_stream_is_repeated_whatever_it_expects",
    /// What is stored is skipped, and the rest added.
    RestOfRetryStored => "event_store::retry::a_commit_of_which_a_part_is_stored_is_refused",
    /// A retry is answered as if it were stored now.
    RetryAnsweredWithHead => "event_store::retry::a_commit_that_is_repeated_is_answered_as_the_first_time",
    /// A retry does not say that it is one.
    RetryNotSaid => "event_store::retry::a_commit_to_several_streams_is_repeated_as_one",
    /// The tags of a retry replace those of the first time.
    TagsOfRetry => "event_store::retry::tags_and_metadata_of_the_first_time_stay",
    // Appending at once.
    /// The way at once does not look at expected versions.
    ImmediateVersionsNotChecked => "event_store::immediate::a_commit_at_once_is_refused_as_any_other",
    /// Nor, in another store, at event ids.
    ImmediateDuplicateOnRetry => "event_store::immediate::a_commit_at_once_is_repeated_as_any_other",
    /// Who waits is told by the other way alone.
    ImmediateNewsMissed => "event_store::immediate::a_commit_at_once_is_news",
    /// The answer at once knows the first stream of a commit only.
    ImmediateAnswersTooFew => "event_store::immediate::a_commit_at_once_is_answered_and_read_as_any_other",
    // Reading at once.
    /// What is shown begins with the first event of the stream, wherever the range begins.
    ShownFromTheBeginning => "event_store::immediate::what_is_shown_at_once_is_what_is_read",
    /// Who breaks off is told that everything was shown.
    BreakIsTheEnd => "event_store::immediate::who_breaks_off_is_told_where_to_go_on",
    /// The newest event is not shown yet.
    ShownLater => "event_store::immediate::what_was_acknowledged_is_shown_at_once",
    // Chains.
    ChainGoesOn => "event_store::chains::a_chain_ends_with_its_first_refusal",
    ChainRolledBack => "event_store::chains::a_chain_ends_at_an_event_id_that_is_taken",
    ChainWithoutLink => "event_store::chains::a_link_is_not_taken_because_a_stranger_wrote_as_much",
    ChainAnsweredWithLast => "event_store::chains::a_chain_is_appended_in_order",
    ChainOfNothingAnswered => "event_store::chains::a_chain_of_nothing_has_no_answer",
    ChainAnswersTooFew => "event_store::chains::a_chain_goes_across_streams",
    /// Of a long chain the beginning is appended.
    LongChainCut => "event_store::chains::a_long_chain_is_one_round",
    ChainAnswersAll => "event_store::chains::a_chain_ends_with_its_first_refusal",
    // Reading.
    /// A position is drawn first, and its event appears later.
    LatePosition => "event_store::races::who_follows_the_store_sees_every_event_once_and_none_late",
    /// Events and head are read one after the other.
    ReadNotSnapshot => "event_store::histories::calls_at_once_take_effect_one_after_another",
    StaleHead => "event_store::order::what_was_acknowledged_is_seen_at_once",
    StaleFind => "event_store::order::every_way_of_reading_gives_the_same_event",
    EmptyStoreHasAHead => "event_store::reading::an_empty_store_has_nothing",
    MissingStreamIsAnError => "event_store::reading::a_stream_that_does_not_exist_is_empty",
    /// A limited read says that there is no more, so that its token is the head.
    TokenIsHead => "event_store::reading::the_token_of_a_limited_read_is_its_last_event",
    MoreThoughThereIsNone => "event_store::reading::every_range_of_positions_is_read_in_both_directions",
    NextMissing => "event_store::reading::pages_join_to_the_whole",
    EmptyPageWithMore => "event_store::reading::every_range_of_positions_is_read_in_both_directions",
    LimitIgnored => "event_store::reading::every_range_of_a_stream_is_read_in_both_directions",
    LimitZeroIsAll => "event_store::reading::every_range_of_a_stream_is_read_in_both_directions",
    FromExcluded => "event_store::reading::every_range_of_a_stream_is_read_in_both_directions",
    ToExcluded => "event_store::reading::every_range_of_a_stream_is_read_in_both_directions",
    UpToExcluded => "event_store::reading::a_page_knows_nothing_of_later_commits",
    AfterIncluded => "event_store::reading::every_range_of_positions_is_read_in_both_directions",
    BackwardCutFirst => "event_store::reading::the_last_events_are_read_backward",
    VersionOfRange => "event_store::reading::every_range_of_a_stream_is_read_in_both_directions",
    HeadOfRange => "event_store::reading::every_range_of_positions_is_read_in_both_directions",
    RecordedAtFalls => "event_store::order::recorded_at_never_falls",
    RecordedAtToNanosecond => "event_store::order::recorded_at_never_falls",
    // Queries.
    EmptyItemSelectsNothing => "event_store::queries::without_names_and_tags_every_event_is_selected",
    TagPrefix => "event_store::queries::names_and_tags_are_compared_whole",
    TagsWithOr => "event_store::queries::tags_combine_with_and",
    NamesWithAnd => "event_store::queries::names_combine_with_or",
    NameAndTagWithOr => "event_store::queries::a_name_and_a_tag_combine_with_and",
    OnlyFirstItem => "event_store::queries::items_combine_with_or_and_an_event_comes_once",
    EventOfTwoItemsTwice => "event_store::queries::items_combine_with_or_and_an_event_comes_once",
    IgnoresCase => "event_store::content::odd_texts_come_back_and_stay_apart",
    LikePattern => "event_store::queries::names_and_tags_are_compared_whole",
    // Content.
    StreamByPrefix => "event_store::content::streams_whose_ids_begin_alike_stay_apart",
    /// The id of zeros is taken for none.
    IdOfZerosIsNone => "event_store::content::event_ids_are_any_sixteen_bytes",
    PayloadCut => "event_store::content::the_largest_payload_comes_back",
    PayloadReformatted => "event_store::content::payloads_are_any_bytes",
    IdCut => "event_store::content::texts_of_the_greatest_length_come_back",
    SpacesTrimmed => "event_store::content::odd_texts_come_back_and_stay_apart",
    NulCut => "event_store::content::a_text_with_a_nul_character_comes_back_or_is_refused",
    MetadataLost => "event_store::content::every_part_of_an_event_comes_back",
    OccurredAtToMillisecond => "event_store::content::times_come_back_to_the_microsecond",
    LongTagLost => "event_store::content::texts_of_the_greatest_length_come_back",
    // Waiting.
    NewsIsTheNextPosition => "event_store::news::news_that_is_there_is_told_at_once",
    NewsMissed => "event_store::news::whoever_waits_is_told_of_the_next_event",
    NewsOfChainsMissed => "event_store::news::chains_are_news_too",
    NewsTooEarly => "event_store::news::nobody_is_told_before_there_is_an_event_after_the_position",
    NewsForOneOnly => "event_store::news::everybody_who_waits_is_told",
    NewsOnlyForNext => "event_store::news::nobody_is_told_before_there_is_an_event_after_the_position",
    // Conditions.
    ConditionNotAtomic => "conditional_append::condition_races::of_many_decisions_on_one_boundary_exactly_one_wins",
    ConditionIgnoresTags => "conditional_append::conditions::what_no_condition_matches_is_never_refused",
    ConditionIgnoresNames => "conditional_append::conditions::what_no_condition_matches_is_never_refused",
    ConditionAfterOffByOne => "conditional_append::conditions::a_condition_ignores_what_is_at_or_below_after",
    ConditionAfterTooHigh => "conditional_append::conditions::a_condition_ignores_what_is_at_or_below_after",
    ConditionWithoutAfterPasses => "conditional_append::conditions::a_condition_without_after_fails_on_any_match",
    ConditionOnlyFirst => "conditional_append::conditions::the_refusal_names_the_first_condition_that_fails",
    ConditionSaysLastMatch => "conditional_append::conditions::the_refusal_names_the_first_condition_that_fails",
    ConditionSaysFirstIndex => "conditional_append::conditions::the_refusal_names_the_first_condition_that_fails",
    ConditionFailedByOwnEvents => "conditional_append::conditions::a_commit_never_fails_its_own_conditions",
    ConditionBlindToOthers => "conditional_append::conditions::unconditional_commits_fail_the_conditions_of_others",
    ConditionOnlyOwnStreams => "conditional_append::conditions::a_condition_need_not_be_about_what_is_appended",
    ConditionConflictsWithAll => "conditional_append::conditions::what_no_condition_matches_is_never_refused",
    ConditionBeforeRetry => "conditional_append::conditions::a_repeated_commit_is_answered_before_its_conditions",
    ConditionWithoutVersions => "conditional_append::conditions::versions_and_conditions_are_both_checked",
    ConditionBurnsPosition => "conditional_append::conditions::a_refused_commit_leaves_nothing_behind",
    // State records.
    SwapNotAtomic => "state_store::record_races::of_many_with_one_expected_revision_exactly_one_wins",
    MissingIsAny => "state_store::records::a_lease_that_was_taken_over_can_not_write",
    ExactOnlyWhenThere => "state_store::records::each_expected_revision_admits_what_it_says",
    RevisionOfRecord => "state_store::records::a_lease_that_was_taken_over_can_not_write",
    RevisionUnchanged => "state_store::records::a_revision_never_comes_twice_and_always_rises",
    RemoveNotChecked => "state_store::records::a_record_is_removed_at_the_expected_revision_only",
    RecordConflictWithoutActual => "state_store::records::each_expected_revision_admits_what_it_says",
    RecordKeysJoined => "state_store::records::keys_are_any_texts_and_differ_when_their_bytes_do",
    RecordKeysCutAtNul => "state_store::records::a_text_with_a_nul_character_comes_back_or_is_refused",
    /// Whatever was written meanwhile, to whatever record, is a conflict.
    OneRecordAtATime => "state_store::record_races::writers_of_different_records_never_conflict",
    RecordValueCut => "state_store::records::a_record_comes_back_as_it_was_written",
    RecordStale => "state_store::records::what_was_acknowledged_is_seen_at_once",
    ListUnsorted => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    ListByPrefix => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    ListCut => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    ListAfterIncluded => "state_store::records::a_list_goes_on_after_any_name",
    ListMoreForgotten => "state_store::records::a_list_goes_on_after_any_name",
    ListIgnoresCase => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    // Copies.
    CopyOfNothingAnswered => "recorded_append::copies::commits_of_nothing_have_no_answer",
    /// Events are stamped as if they had been made here.
    CopyStampedNow => "recorded_append::copies::events_are_recorded_at_the_time_beside_their_commit",
    /// All commits of a call are stamped with the time of the first.
    CopyStampedWithFirst => "recorded_append::copies::events_are_recorded_at_the_time_beside_their_commit",
    CopyToMillisecond => "recorded_append::copies::recorded_times_are_exact_to_the_microsecond",
    CopyToNanosecond => "recorded_append::copies::recorded_times_are_exact_to_the_microsecond",
    /// A time is taken as it is given, also when it is before that of the last event.
    CopyTimeFalls => "recorded_append::copies::a_time_before_that_of_the_last_event_is_that_of_the_last_event",
    CopyWithoutTags => "recorded_append::copies::everything_else_of_an_event_comes_back",
    CopyAnswersTooFew => "recorded_append::copies::the_answers_say_where_the_events_are_read",
    CopyVersionsNotChecked => "recorded_append::copies::expected_versions_are_checked_as_in_append",
    CopyGoesOn => "recorded_append::copies::the_first_refusal_is_the_last_answer",
    CopyRolledBack => "recorded_append::copies::the_first_refusal_is_the_last_answer",
    CopyWithoutLink => "recorded_append::copies::a_commit_does_not_build_on_what_a_stranger_wrote",
    CopyDuplicateOnRetry => "recorded_append::copies::a_copy_that_is_repeated_is_answered_as_the_first_time",
    /// A repeated commit gets the time that stands beside it now.
    CopyTimeOfRetry => "recorded_append::copies::a_copy_that_is_repeated_is_answered_as_the_first_time",
    CopyTornByDropping => "recorded_append::copies::a_copy_that_is_dropped_leaves_whole_commits_from_the_beginning",
    CopyNewsMissed => "recorded_append::copies::copies_are_news",
    /// Whether events are stored is looked at before the lock is held.
    CopyRetryNotAtomic => "recorded_append::copy_races::one_history_that_many_take_over_is_stored_once",
    /// So are expected versions.
    CopyVersionsNotAtomic => "recorded_append::copy_races::of_two_histories_of_one_stream_exactly_one_is_taken_over",
    /// So is the time of the last event.
    CopyTimeNotAtomic => "recorded_append::copy_races::times_do_not_fall_while_others_append",
    // Commits of several records.
    CommitVersionsNotChecked => "projection_store::state_commits::each_expected_revision_of_a_commit_admits_what_it_says",
    /// What is expected of records that a commit does not change is not looked at.
    CommitChecksIgnored => "projection_store::state_commits::each_expected_revision_of_a_commit_admits_what_it_says",
    CommitRemovalsNotChecked => "projection_store::state_commits::each_expected_revision_of_a_commit_admits_what_it_says",
    /// Records are checked and written one after another.
    CommitTorn => "projection_store::state_commits::one_conflict_refuses_all_of_a_commit",
    CommitRevisionOfEach => "projection_store::state_commits::all_records_of_a_commit_get_one_revision_above_every_other",
    /// The revision is one more than that of the records that are changed.
    CommitRevisionOfRecords => "projection_store::state_commits::all_records_of_a_commit_get_one_revision_above_every_other",
    /// Commits keep their records where single writes do not look.
    CommitsApart => "projection_store::state_commits::commits_and_single_writes_see_each_other",
    ManyWithoutMissing => "projection_store::state_commits::get_many_answers_at_the_places_of_its_keys",
    ManySorted => "projection_store::state_commits::get_many_answers_at_the_places_of_its_keys",
    /// Of a large commit the first thousand changes are stored.
    LargeCommitCut => "projection_store::state_commits::the_records_of_a_commit_come_back_as_they_were_written",
    CommitTornByDropping => "projection_store::state_commits::a_commit_that_is_dropped_is_stored_whole_or_not_at_all",
    ProjectionStoreHidden => "projection_store::state_commits::the_runtime_finds_the_store",
    IdentityOfAll => "projection_store::identities::the_identity_stays_and_no_other_store_has_it",
    /// The identity is drawn again when the store has events.
    IdentityChanges => "projection_store::identities::the_identity_stays_and_no_other_store_has_it",
    OpeningOfAll => "projection_store::identities::an_opening_stays_and_no_other_store_has_it",
    CommitNotAtomic => "projection_store::state_commit_races::of_many_commits_on_one_revision_exactly_one_is_stored",
    CommitChecksNotAtomic => "projection_store::state_commit_races::two_commits_that_check_what_the_other_changes_are_not_both_stored",
    CommitTornForReaders => "projection_store::state_commit_races::no_reader_sees_a_part_of_a_commit",
    ManyNotSnapshot => "projection_store::state_commit_races::no_reader_sees_a_part_of_a_commit",
    /// Commits exclude each other, and not single writes.
    CommitsExcludeOnlyCommits => "projection_store::state_commit_races::no_increment_is_lost_between_commits_and_single_writes",
    // Rows of a user's own.
    RowsForgotten => "projection_rows::row_commits::rows_are_written_with_the_records_of_their_commit",
    /// Rows are written before the revisions are checked.
    RowsBeforeChecks => "projection_rows::row_commits::a_commit_that_conflicts_leaves_no_rows",
    RowsNotRolledBack => "projection_rows::row_commits::work_that_gives_up_leaves_neither_rows_nor_records",
    RecordsThoughGivenUp => "projection_rows::row_commits::work_that_gives_up_leaves_neither_rows_nor_records",
    GivenUpIsPermanent => "projection_rows::row_commits::work_that_gives_up_leaves_neither_rows_nor_records",
    /// The rows of others are rolled back too.
    RowsRolledBackTooFar => "projection_rows::row_commits::work_that_gives_up_does_not_touch_the_commits_of_others",
    RowsOfOneGeneration => "projection_rows::row_families::a_generation_has_rows_of_its_own",
    /// What is published stays so when the work gives up.
    PublishedAtOnce => "projection_rows::row_families::what_is_published_is_what_readers_find",
    PublishedOneTable => "projection_rows::row_families::what_is_published_is_what_readers_find",
    /// Generation 1 takes 12 with it, as a pattern of names does.
    DiscardedByPrefix => "projection_rows::row_families::what_is_discarded_is_one_generation",
    DiscardedOneTable => "projection_rows::row_families::what_is_discarded_is_one_generation",
    DifferencesOneWay => "projection_rows::row_families::differences_are_counted_in_both_directions",
    // Inline projections.
    InlineRunOnRetry => "inline_store::inline_appends::an_append_runs_the_steps",
    /// Steps are run for a commit that is then refused.
    InlineRunBeforeChecks => "inline_store::inline_appends::an_append_runs_the_steps",
    /// An event is stored although a step has refused it.
    InlineRefusalStored => "inline_store::inline_appends::an_append_runs_the_steps",
    InlineRefusalLeavesRecords => "inline_store::inline_appends::an_append_runs_the_steps",
    /// What a step has failed with is made a text.
    InlineRefusalAsText => "inline_store::inline_appends::an_append_runs_the_steps",
    InlineNotInChains => "inline_store::inline_appends::a_chain_runs_the_steps",
    InlineNotAtOnce => "inline_store::inline_appends::an_append_at_once_runs_the_steps",
    InlineNotInPlace => "inline_store::inline_appends::an_append_in_place_runs_the_steps",
    InlineNotUnderConditions => "inline_conditional_append::inline_appends::an_append_under_conditions_runs_the_steps",
    InlineNotForCopies => "inline_recorded_append::inline_appends::a_copy_runs_the_steps",
    /// Of what a refused step has changed the last is undone.
    InlineUndoesLastChangeOnly => "inline_store::inline_appends::what_one_step_refuses_the_others_have_not_done",
    /// So are the records of the commit before it.
    InlineRolledBackTooFar => "inline_store::inline_appends::a_refused_step_does_not_touch_the_commits_beside_it",
    /// The records are written a moment after the events.
    InlineRecordsLater => "inline_store::inline_steps::nobody_finds_events_without_their_records",
    /// It is said with the next append that a step is stored.
    InlineToldLater => "inline_store::inline_steps::a_step_is_known_to_be_stored_when_its_append_is_answered",
    InlineToldAfterNews => "inline_store::inline_steps::a_step_is_known_to_be_stored_before_anybody_hears_of_its_events",
    /// A step reads records as they were before it.
    InlineReadsOldRecords => "inline_store::inline_places::a_step_reads_what_all_before_it_have_stored",
    /// The events are added first.
    InlineSeesOwnEvents => "inline_store::inline_places::a_step_reads_what_all_before_it_have_stored",
    /// A step that asks for a name does not find the last event before it.
    InlineNamesBehind => "inline_store::inline_places::a_step_reads_what_all_before_it_have_stored",
    InlinePlaceWithoutVersions => "inline_store::inline_places::a_step_is_told_where_its_events_are_read_later",
    InlineTimeOfItsOwn => "inline_store::inline_places::a_step_is_told_where_its_events_are_read_later",
    /// Between the head that is read and the projection that takes part others append.
    InlineEnlistedLater => "inline_store::inline_enlisting::enlisting_leaves_no_event_out_while_others_append",
    InlineStaysAnyway => "inline_store::inline_enlisting::who_does_not_stay_is_brought_up_and_takes_part_in_no_append",
    InlineFailedEnlistingLeavesRecords => "inline_store::inline_enlisting::enlisting_that_fails_leaves_nothing_behind",
    InlineStoreHidden => "inline_store::inline_enlisting::the_runtime_finds_the_inline_store",
    InlineRowsForgotten => "inline_rows::inline_rows::rows_are_written_in_the_step_of_an_append",
    InlineRowsNotRolledBack => "inline_rows::inline_rows::a_refused_step_leaves_no_rows",
    // The fence.
    FenceLetsOneThrough => "fenced_store::fences::no_append_passes_a_fence",
    /// What the fence refuses uses up positions.
    FenceBurnsPosition => "fenced_store::fences::no_append_passes_a_fence",
    FenceNotForChains => "fenced_store::fences::no_chain_passes_a_fence",
    FenceNotAtOnce => "fenced_store::fences::no_append_at_once_passes_a_fence",
    FenceNotInPlace => "fenced_store::fences::no_append_in_place_passes_a_fence",
    FenceNotUnderConditions => "fenced_conditional_append::fences::no_append_under_conditions_passes_a_fence",
    FenceNotForCopies => "fenced_recorded_append::fences::no_copy_passes_a_fence",
    /// The head that is answered is that of a moment before.
    FenceAtAnOldHead => "fenced_store::fences::a_fence_and_appends_come_in_one_order",
    /// What is stored already is refused too.
    FenceBeforeRetry => "fenced_store::fences::a_commit_that_is_stored_is_answered_behind_a_fence",
    FenceReplaced => "fenced_store::fences::a_fence_is_put_up_once",
    FenceStampedAnew => "fenced_store::fences::a_fence_is_put_up_once",
    FenceStopsRecords => "fenced_store::fences::reads_and_records_are_not_fenced",
    FenceStays => "fenced_store::fences::a_fence_that_is_lifted_is_gone",
    // After the store was opened again.
    InlineRecordsLost => "durable_inline_store::reopened_inline::what_was_changed_with_events_is_there_after_the_store_was_opened_again",
    FenceForgotten => "durable_fenced_store::reopened_fences::a_fence_holds_after_the_store_was_opened_again",
    /// A fence that was lifted is there again.
    FenceComesBack => "durable_fenced_store::reopened_fences::a_fence_that_was_lifted_does_not_come_back",
    LastCommitLost => "durable_event_store::reopened_events::everything_is_there_after_the_store_was_opened_again",
    EmptyStoreNotOpened => "durable_event_store::reopened_events::an_empty_store_can_be_opened_again",
    EventIdsForgotten => "durable_event_store::reopened_events::a_commit_is_repeated_after_the_store_was_opened_again",
    RecordsLost => "durable_state_store::reopened_records::every_record_is_there_after_the_store_was_opened_again",
    /// Of the last commit one record is not there.
    LastStateCommitTorn => "durable_projection_store::reopened_commits::commits_are_there_after_the_store_was_opened_again",
    CommitRevisionsForgotten => "durable_projection_store::reopened_commits::no_revision_of_a_commit_comes_again_after_the_store_was_opened_again",
    IdentityDrawnAtOpening => "durable_projection_store::reopened_commits::the_identity_is_the_same_after_the_store_was_opened_again",
    OpeningKept => "durable_projection_store::reopened_commits::every_opening_is_another_one",
    RowsLost => "durable_projection_rows::reopened_rows::rows_are_there_after_the_store_was_opened_again",
    /// Events are stamped with the time of the opening.
    RecordedTimesLost => "durable_recorded_append::reopened_copies::recorded_times_are_there_after_the_store_was_opened_again",
    /// The time of the last event is not looked up.
    LastTimeForgotten => "durable_recorded_append::reopened_copies::times_do_not_fall_after_the_store_was_opened_again",
    CopiedIdsForgotten => "durable_recorded_append::reopened_copies::a_copy_goes_on_after_the_store_was_opened_again",
    RevisionsForgotten => "durable_state_store::reopened_records::no_revision_comes_again_after_the_store_was_opened_again",
}

impl Bug {
    /// Bugs that a further check must catch, which none is made for.
    pub const FURTHER: &[(Self, &str)] = &[
        (Self::OtherPayloadAccepted, "event_store::retry::a_commit_in_another_order_is_refused"),
        (
            Self::RestOfRetryStored,
            "event_store::retry::a_refused_event_id_keeps_nothing_of_its_commit",
        ),
        (
            Self::DuplicateOnRetry,
            "event_store::chains::a_chain_that_is_repeated_is_answered_as_the_first_time",
        ),
        (Self::OnlyFirstItem, "event_store::queries::a_query_of_many_items_is_answered"),
        (Self::TagsWithOr, "event_store::queries::any_query_selects_what_its_definition_says"),
        (Self::EventsReordered, "event_store::order::the_global_order_is_the_order_of_the_commits"),
        (
            Self::AfterIncluded,
            "event_store::order::nothing_appears_at_or_below_a_position_that_was_seen",
        ),
        (Self::IgnoresCase, "event_store::content::categories_are_odd_texts_too"),
        (Self::NewsMissed, "event_store::news::waiting_that_was_dropped_loses_nothing"),
        (Self::NewsMissed, "event_store::news::two_who_answer_each_other_never_wait_for_ever"),
        (Self::DuplicateOnRetry, "event_store::races::one_commit_that_many_repeat_is_stored_once"),
        (
            Self::ExistsIsAny,
            "event_store::histories::any_sequence_of_calls_is_answered_as_the_contract_says",
        ),
        (
            Self::ConditionIgnoresTags,
            "conditional_append::conditions::a_condition_matches_what_a_read_finds",
        ),
        (
            Self::ConditionBlindToOthers,
            "conditional_append::conditions::a_read_that_found_nothing_still_guards",
        ),
        (
            Self::TokenIsHead,
            "conditional_append::conditions::the_token_of_a_limited_read_guards_what_it_did_not_see",
        ),
        (
            Self::ConditionOnlyOwnStreams,
            "conditional_append::conditions::a_condition_on_all_events_guards_the_whole_store",
        ),
        (
            Self::OtherPayloadAccepted,
            "conditional_append::conditions::an_id_with_another_event_is_refused_under_conditions_too",
        ),
        (
            Self::ConditionConflictsWithAll,
            "conditional_append::conditions::without_conditions_it_appends_as_append_does",
        ),
        (
            Self::ConditionNotAtomic,
            "conditional_append::condition_races::unconditional_writers_are_seen_by_every_decision",
        ),
        (
            Self::ConditionConflictsWithAll,
            "conditional_append::condition_races::decisions_on_different_boundaries_never_conflict",
        ),
        (
            Self::ConditionNotAtomic,
            "conditional_append::condition_races::numbers_are_given_out_without_a_hole_or_a_double",
        ),
        (
            Self::ConditionAfterOffByOne,
            "conditional_append::condition_histories::any_sequence_of_calls_is_answered_as_the_contract_says",
        ),
        (
            Self::ConditionNotAtomic,
            "conditional_append::condition_histories::calls_at_once_take_effect_one_after_another",
        ),
        (
            Self::ConditionNotAtomic,
            "conditional_append::condition_races::two_rules_that_read_what_the_other_writes_do_not_both_win",
        ),
        (
            Self::InlineRecordsLater,
            "inline_store::inline_steps::an_append_that_is_dropped_leaves_both_or_neither",
        ),
        (Self::SwapNotAtomic, "state_store::record_races::no_increment_of_a_counter_is_lost"),
        (Self::ListCut, "state_store::record_races::a_list_is_complete_while_others_write"),
        (
            Self::LastCommitLost,
            "durable_event_store::reopened_events::versions_positions_and_times_go_on",
        ),
        (
            Self::LastCommitLost,
            "durable_event_store::reopened_events::old_news_is_answered_and_new_news_is_waited_for",
        ),
        (
            Self::RecordsLost,
            "durable_state_store::reopened_records::the_expected_revision_is_checked_after_the_store_was_opened_again",
        ),
    ];
}
