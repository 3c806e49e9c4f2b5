//! A store that breaks one rule, as shipped stores do: the conformance suite must reject each.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::conformance::{Fixture, Reopen};
use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, ChainLink, Commit, ConditionFailed, ConditionalAppend,
    Direction, EventId, EventStore, ExpectedRevision, ExpectedVersion, ImmediateAppend,
    ImmediateRead, Metadata, NewEvent, Page, Position, Query, QueryItem, QueryPage, QueryRange,
    ReadError, Recorded, RecordedEvent, Revision, StateError, StateKey, StatePage, StateRecord,
    StateStore, StoreFailure, StreamId, StreamPage, StreamRange, StreamVisit, Tag, Version,
    VersionConflict,
};
use tokio::sync::watch;

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
    /// What is shown begins with the first event of the stream, wherever the range begins.
    ShownFromTheBeginning => "event_store::immediate::what_is_shown_at_once_is_what_is_read",
    /// Who breaks off is told that everything was shown.
    BreakIsTheEnd => "event_store::immediate::who_breaks_off_is_told_where_to_go_on",
    // Chains.
    ChainGoesOn => "event_store::chains::a_chain_ends_with_its_first_refusal",
    ChainRolledBack => "event_store::chains::a_chain_ends_at_an_event_id_that_is_taken",
    ChainWithoutLink => "event_store::chains::a_link_is_not_taken_because_a_stranger_wrote_as_much",
    ChainAnswersAll => "event_store::chains::a_chain_ends_with_its_first_refusal",
    // Reading.
    /// A position is drawn first, and its event appears later.
    LatePosition => "event_store::races::who_follows_the_store_sees_every_event_once_and_none_late",
    /// Events and head are read one after the other.
    ReadNotSnapshot => "event_store::histories::calls_at_once_take_effect_one_after_another",
    StaleHead => "event_store::order::what_was_acknowledged_is_seen_at_once",
    StaleFind => "event_store::order::every_way_of_reading_gives_the_same_event",
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
    TagPrefix => "event_store::queries::names_and_tags_are_compared_whole",
    TagsWithOr => "event_store::queries::tags_combine_with_and",
    NamesWithAnd => "event_store::queries::names_combine_with_or",
    NameAndTagWithOr => "event_store::queries::a_name_and_a_tag_combine_with_and",
    OnlyFirstItem => "event_store::queries::items_combine_with_or_and_an_event_comes_once",
    EventOfTwoItemsTwice => "event_store::queries::items_combine_with_or_and_an_event_comes_once",
    IgnoresCase => "event_store::content::odd_texts_come_back_and_stay_apart",
    LikePattern => "event_store::queries::names_and_tags_are_compared_whole",
    // Content.
    PayloadCut => "event_store::content::the_largest_payload_comes_back",
    PayloadReformatted => "event_store::content::payloads_are_any_bytes",
    IdCut => "event_store::content::texts_of_the_greatest_length_come_back",
    SpacesTrimmed => "event_store::content::odd_texts_come_back_and_stay_apart",
    NulCut => "event_store::content::a_text_with_a_nul_character_comes_back_or_is_refused",
    MetadataLost => "event_store::content::every_part_of_an_event_comes_back",
    OccurredAtToMillisecond => "event_store::content::times_come_back_to_the_microsecond",
    LongTagLost => "event_store::content::texts_of_the_greatest_length_come_back",
    // Waiting.
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
    RecordValueCut => "state_store::records::a_record_comes_back_as_it_was_written",
    RecordStale => "state_store::records::what_was_acknowledged_is_seen_at_once",
    ListUnsorted => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    ListByPrefix => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    ListCut => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    ListAfterIncluded => "state_store::records::a_list_goes_on_after_any_name",
    ListMoreForgotten => "state_store::records::a_list_goes_on_after_any_name",
    ListIgnoresCase => "state_store::records::a_list_is_sorted_complete_and_stays_in_its_space",
    // After the store was opened again.
    LastCommitLost => "durable_event_store::reopened_events::everything_is_there_after_the_store_was_opened_again",
    EventIdsForgotten => "durable_event_store::reopened_events::a_commit_is_repeated_after_the_store_was_opened_again",
    RecordsLost => "durable_state_store::reopened_records::every_record_is_there_after_the_store_was_opened_again",
    RevisionsForgotten => "durable_state_store::reopened_records::no_revision_comes_again_after_the_store_was_opened_again",
}

/// Makes stores with a bug, or without any.
pub struct Broken(pub Option<Bug>);

impl Fixture for Broken {
    type Store = BrokenStore;

    async fn empty(&self) -> BrokenStore {
        let log = Log { bug: self.0, ..Log::default() };
        BrokenStore { bug: self.0, log: Mutex::new(log), ..BrokenStore::default() }
    }
}

impl Reopen for Broken {
    async fn reopen(&self, store: BrokenStore) -> BrokenStore {
        {
            let mut log = lock(&store.log);
            match self.0 {
                Some(Bug::LastCommitLost) => {
                    if let Some(last) = log.events.pop() {
                        log.by_id.remove(&last.event_id);
                    }
                }
                Some(Bug::EventIdsForgotten) => log.by_id.clear(),
                _ => {}
            }
        }
        {
            let mut records = lock(&store.records);
            match self.0 {
                Some(Bug::RecordsLost) => records.by_key.clear(),
                Some(Bug::RevisionsForgotten) => {
                    let revisions = records.by_key.values().map(|record| record.revision.get());
                    records.last_revision = revisions.max().unwrap_or_default();
                }
                _ => {}
            }
        }
        store
    }
}

#[derive(Default)]
pub struct BrokenStore {
    bug: Option<Bug>,
    log: Mutex<Log>,
    head: watch::Sender<Position>,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Log {
    bug: Option<Bug>,
    events: Vec<RecordedEvent>,
    by_id: HashMap<EventId, usize>,
    /// How many positions were used up without an event.
    burnt: u64,
    /// Those events that were added under conditions.
    conditional: Vec<EventId>,
    /// Those whose append was refused.
    refused: Vec<EventId>,
    stale_head: Position,
    stale_id: Option<EventId>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The event as it is stored.
fn written(bug: Option<Bug>, event: &NewEvent) -> NewEvent {
    let mut event = event.clone();
    match bug {
        Some(Bug::PayloadCut) => event.payload.truncate(1024 * 1024),
        Some(Bug::PayloadReformatted) => {
            if let Ok(text) = std::str::from_utf8(&event.payload) {
                event.payload = Bytes::from(text.trim().to_owned());
            }
        }
        Some(Bug::MetadataLost) => event.metadata = Metadata::EMPTY,
        Some(Bug::OccurredAtToMillisecond) => {
            event.occurred_at = event
                .occurred_at
                .and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok());
        }
        Some(Bug::LongTagLost) => {
            event.tags = event
                .tags
                .as_slice()
                .iter()
                .filter(|tag| tag.as_str().len() < 256)
                .cloned()
                .collect();
        }
        Some(Bug::NulCut) => {
            let cut = |text: &str| text.split('\0').next().unwrap_or_default().to_owned();
            event.name = cut(&event.name).into();
            event.tags =
                event.tags.as_slice().iter().map(|tag| Tag::from(cut(tag.as_str()))).collect();
        }
        Some(Bug::SpacesTrimmed) => event.name = event.name.trim_end().to_owned().into(),
        _ => {}
    }
    event
}

fn stream_as_written(bug: Option<Bug>, stream: &StreamId) -> StreamId {
    let changed = match bug {
        Some(Bug::IdCut) => stream.as_str().chars().take(255).collect(),
        Some(Bug::IgnoresCase) => stream.as_str().to_lowercase(),
        _ => return stream.clone(),
    };
    changed.parse().unwrap_or_else(|_| stream.clone())
}

impl Log {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn head(&self) -> Position {
        self.events.last().map_or(Position::ZERO, |last| last.position)
    }

    fn version(&self, stream: &StreamId) -> Version {
        let stream = stream_as_written(self.bug, stream);
        let last = self.events.iter().rfind(|event| event.stream == stream);
        last.map_or(Version::ZERO, |event| event.version)
    }

    fn find(&self, id: EventId) -> Option<&RecordedEvent> {
        self.by_id.get(&id).map(|index| &self.events[*index])
    }

    fn repeated(&mut self, commit: &Commit) -> Result<Option<Appended>, AppendError> {
        if self.has(Bug::DuplicateOnRetry) {
            return Ok(None);
        }
        let mut stored = Vec::new();
        let mut versions = Vec::new();
        let mut reused = None;
        for to in commit.streams() {
            for event in &to.events {
                let event = written(self.bug, event);
                let Some(found) = self.find(event.id) else { continue };
                let follows =
                    Position::new(found.position.get().saturating_sub(stored.len() as u64));
                let stream = stream_as_written(self.bug, &to.stream);
                let same = (found.stream == stream || self.has(Bug::OtherStreamAccepted))
                    && found.name == event.name
                    && (found.schema_version == event.schema_version
                        || self.has(Bug::OtherSchemaVersionAccepted))
                    && found.payload == event.payload
                    && (stored.first().is_none_or(|first| *first == follows)
                        || self.has(Bug::PositionsWithGaps));
                if !same && !self.has(Bug::OtherPayloadAccepted) {
                    reused = reused.or(Some((found.event_id, found.position)));
                }
                stored.push(found.position);
                versions.push((&to.stream, found.version));
            }
        }
        let Some(first_position) = stored.first().copied() else { return Ok(None) };
        if stored.len() < commit.event_count() {
            if self.has(Bug::RestOfRetryStored) || self.has(Bug::LongCommitCut) {
                return Ok(None);
            }
            let at = self.events.iter().find(|event| event.position == first_position);
            reused = reused.or(at.map(|event| (event.event_id, event.position)));
        }
        if let Some((event_id, position)) = reused {
            return Err(AppendError::EventIdReused { event_id, position });
        }
        let last = |stream| versions.iter().rfind(|(of, _)| *of == stream);
        let mut versions = commit.streams().filter_map(|to| Some(last(&to.stream)?.1));
        let mut appended = Appended {
            first_position,
            last_position: stored.last().copied().unwrap_or(first_position),
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            repeated: true,
        };
        if self.has(Bug::RetryNotSaid) {
            appended.repeated = false;
        }
        if self.has(Bug::RetryAnsweredWithHead) {
            appended.version = self.version(&commit.first().stream);
            appended.last_position = self.head();
        }
        if self.has(Bug::TagsOfRetry) {
            for event in commit.streams().flat_map(|to| &to.events) {
                if let Some(index) = self.by_id.get(&event.id).copied() {
                    self.events[index].tags = event.tags.clone();
                }
            }
        }
        Ok(Some(appended))
    }

    fn check_versions(&self, commit: &Commit) -> Result<(), AppendError> {
        if self.has(Bug::VersionsNotChecked) {
            return Ok(());
        }
        for to in commit.streams() {
            let (expected, mut actual) = (to.expected, self.version(&to.stream));
            if self.has(Bug::ExistsIsAny) && expected == ExpectedVersion::Exists {
                continue;
            }
            if !expected.admits(actual) {
                if self.has(Bug::ConflictAsText) {
                    let text = format!("wrong expected version of {}", to.stream);
                    return Err(AppendError::Permanent(StoreFailure::new(text)));
                }
                if self.has(Bug::ConflictWithWrongVersion) {
                    actual = actual.next();
                }
                return Err(VersionConflict { stream: to.stream.clone(), expected, actual }.into());
            }
        }
        Ok(())
    }

    fn check_conditions(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<(), AppendError> {
        for (index, condition) in conditions.iter().enumerate() {
            if index > 0 && self.has(Bug::ConditionOnlyFirst) {
                break;
            }
            let mut after = condition.after;
            match self.bug {
                Some(Bug::ConditionAfterOffByOne) => {
                    after = after.map(|after| Position::new(after.get().saturating_sub(1)));
                }
                Some(Bug::ConditionAfterTooHigh) => after = after.map(Position::next),
                Some(Bug::ConditionWithoutAfterPasses) if after.is_none() => continue,
                _ => {}
            }
            let query = self.as_asked(&condition.query);
            let sees = |event: &RecordedEvent| match self.bug {
                Some(Bug::ConditionBlindToOthers) => self.conditional.contains(&event.event_id),
                Some(Bug::ConditionOnlyOwnStreams) => {
                    commit.streams().any(|to| to.stream == event.stream)
                }
                _ => true,
            };
            let wanted = |event: &RecordedEvent| {
                self.has(Bug::ConditionConflictsWithAll) || self.matches(&query, event)
            };
            let matches = |event: &&RecordedEvent| {
                Some(event.position) > after && wanted(event) && sees(event)
            };
            let found = if self.has(Bug::ConditionSaysLastMatch) {
                self.events.iter().rfind(matches)
            } else {
                self.events.iter().find(matches)
            };
            if let Some(event) = found {
                let index = if self.has(Bug::ConditionSaysFirstIndex) { 0 } else { index };
                let (condition, position) = (condition.clone(), event.position);
                return Err(ConditionFailed { index, condition, position }.into());
            }
        }
        Ok(())
    }

    /// The query of a condition as a store takes it that does not look at all of it.
    fn as_asked(&self, query: &Query) -> Query {
        let item = |item: &QueryItem| match self.bug {
            Some(Bug::ConditionIgnoresTags) if !item.names().is_empty() => {
                QueryItem::named(item.names().to_vec())
            }
            Some(Bug::ConditionIgnoresNames) if !item.tags().is_empty() => {
                QueryItem::tagged(item.tags().to_vec())
            }
            _ => item.clone(),
        };
        let mut items = query.items().iter().map(item);
        let first = Query::from(items.next().unwrap_or_default());
        items.fold(first, Query::or)
    }

    fn matches(&self, query: &Query, event: &RecordedEvent) -> bool {
        query.items().iter().take(if self.has(Bug::OnlyFirstItem) { 1 } else { usize::MAX }).any(
            |item| {
                let has_name = |name: &str| match self.bug {
                    Some(Bug::IgnoresCase) => event.name.eq_ignore_ascii_case(name),
                    Some(Bug::LikePattern) => like(name, &event.name),
                    _ => event.name == name,
                };
                let tags = event.tags.as_slice();
                let has_tag = |wanted: &Tag| match self.bug {
                    Some(Bug::TagPrefix) => {
                        tags.iter().any(|tag| tag.as_str().starts_with(wanted.as_str()))
                    }
                    Some(Bug::LikePattern) => {
                        tags.iter().any(|tag| like(wanted.as_str(), tag.as_str()))
                    }
                    _ => tags.contains(wanted),
                };
                let (names, wanted) = (item.names(), item.tags());
                let by_name = match self.bug {
                    Some(Bug::NamesWithAnd) => names.iter().all(|name| has_name(name)),
                    _ => names.is_empty() || names.iter().any(|name| has_name(name)),
                };
                let by_tag = match self.bug {
                    Some(Bug::TagsWithOr) => wanted.is_empty() || wanted.iter().any(has_tag),
                    _ => wanted.iter().all(has_tag),
                };
                match self.bug {
                    Some(Bug::NameAndTagWithOr) if !names.is_empty() && !wanted.is_empty() => {
                        by_name || by_tag
                    }
                    _ => by_name && by_tag,
                }
            },
        )
    }

    fn recorded(&self, stream: &StreamId, version: Version, event: &NewEvent) -> RecordedEvent {
        let event = written(self.bug, event);
        let last = self.events.last().map_or(Timestamp::MIN, |last| last.recorded_at);
        let now = Timestamp::now();
        let recorded_at = match self.bug {
            Some(Bug::RecordedAtFalls) => {
                let second = Duration::from_secs(self.events.len() as u64 % 7);
                microseconds(now.checked_sub(second).unwrap_or(now))
            }
            Some(Bug::RecordedAtToNanosecond) => now.max(last),
            _ => microseconds(now).max(last),
        };
        let gap = if self.has(Bug::PositionsWithGaps) { 1 } else { 0 };
        RecordedEvent {
            position: Position::new(self.head().get() + 1 + gap + self.burnt),
            stream: stream_as_written(self.bug, stream),
            version,
            event_id: event.id,
            name: event.name.to_string(),
            schema_version: event.schema_version,
            payload: event.payload,
            tags: event.tags,
            recorded_at,
            occurred_at: event.occurred_at,
            metadata: event.metadata,
        }
    }

    fn add_to_stream(&mut self, to: &es_core::StreamAppend) -> Version {
        let mut version = self.version(&to.stream);
        let mut events = to.events.clone();
        match self.bug {
            Some(Bug::EventsReordered) => events.reverse(),
            Some(Bug::LongCommitCut) => events.truncate(1000),
            _ => {}
        }
        for event in &events {
            if self.has(Bug::RestOfRetryStored) && self.by_id.contains_key(&event.id) {
                continue;
            }
            version = version.next();
            if self.has(Bug::ShortVersions) && version.get() > u64::from(u16::MAX) {
                version = Version::new(1);
            }
            let recorded = self.recorded(&to.stream, version, event);
            self.burnt = 0;
            self.by_id.insert(event.id, self.events.len());
            self.events.push(recorded);
        }
        version
    }

    fn add(&mut self, commit: &Commit) -> Appended {
        (self.stale_head, self.stale_id) =
            (self.head(), commit.first().events.first().map(|event| event.id));
        let before = self.events.len();
        let mut versions: Vec<_> = commit.streams().map(|to| self.add_to_stream(to)).collect();
        let first_position = self.events.get(before).map_or(self.head(), |first| first.position);
        Appended {
            first_position,
            last_position: self.head(),
            version: versions.remove(0),
            more_versions: versions,
            repeated: false,
        }
    }
}

/// Whether a text matches a pattern of SQL.
fn like(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    match (pattern.next(), text.clone().next()) {
        (None, None) => true,
        (Some('%'), _) => {
            let rest = pattern.as_str();
            text.as_str().char_indices().any(|(at, _)| like(rest, &text.as_str()[at..]))
                || like(rest, "")
        }
        (Some('_'), Some(_)) => {
            text.next();
            like(pattern.as_str(), text.as_str())
        }
        (Some(wanted), Some(found)) if wanted == found => {
            text.next();
            like(pattern.as_str(), text.as_str())
        }
        _ => false,
    }
}

impl BrokenStore {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn tell(&self, head: Position) {
        match self.bug {
            Some(Bug::NewsMissed) => {}
            _ => _ = self.head.send_replace(head),
        }
    }

    async fn append_guarded(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        match self.bug {
            Some(Bug::TornCommit | Bug::TornForReaders | Bug::TornByDropping) => {
                return self.append_torn(commit).await;
            }
            Some(Bug::LatePosition) => return self.append_late(commit).await,
            Some(Bug::LostRace) => {
                {
                    let mut log = lock(&self.log);
                    if let Some(first_answer) = log.repeated(commit)? {
                        return Ok(first_answer);
                    }
                    log.check_versions(commit)?;
                }
                // Somebody else comes here.
                tokio::task::yield_now().await;
                let appended = lock(&self.log).add(commit);
                self.tell(appended.last_position);
                return Ok(appended);
            }
            Some(Bug::ConditionNotAtomic) => {
                lock(&self.log).check_conditions(commit, conditions)?;
                tokio::task::yield_now().await;
                let mut log = lock(&self.log);
                if let Some(first_answer) = log.repeated(commit)? {
                    return Ok(first_answer);
                }
                log.check_versions(commit)?;
                let appended = log.add(commit);
                self.tell(appended.last_position);
                return Ok(appended);
            }
            _ => {}
        }
        let mut log = lock(&self.log);
        if self.has(Bug::VersionBeforeRetry) {
            log.check_versions(commit)?;
        }
        if self.has(Bug::ConditionBeforeRetry) {
            log.check_conditions(commit, conditions)?;
        }
        if let Some(first_answer) = log.repeated(commit)? {
            return Ok(first_answer);
        }
        if self.has(Bug::BurntEventIds)
            && let Some(event) = commit
                .streams()
                .flat_map(|to| &to.events)
                .find(|event| log.refused.contains(&event.id))
        {
            let (event_id, position) = (event.id, log.head());
            return Err(AppendError::EventIdReused { event_id, position });
        }
        let skips_versions = self.has(Bug::ConditionWithoutVersions) && !conditions.is_empty();
        let versions = if skips_versions { Ok(()) } else { log.check_versions(commit) };
        let checked = versions.and_then(|()| log.check_conditions(commit, conditions));
        if let Err(refused) = checked {
            let burns = matches!(refused, AppendError::Condition(_));
            if self.has(Bug::BurntPosition) && !burns
                || self.has(Bug::ConditionBurnsPosition) && burns
            {
                log.burnt += commit.event_count() as u64;
            }
            log.refused.extend(commit.streams().flat_map(|to| &to.events).map(|event| event.id));
            return Err(refused);
        }
        let appended = log.add(commit);
        if self.has(Bug::ConditionFailedByOwnEvents)
            && let Err(refused) = log.check_conditions(commit, conditions)
        {
            for event in commit.streams().flat_map(|to| &to.events) {
                log.by_id.remove(&event.id);
                log.events.pop();
            }
            return Err(refused);
        }
        if !conditions.is_empty() {
            log.conditional
                .extend(commit.streams().flat_map(|to| &to.events).map(|event| event.id));
        }
        self.tell(appended.last_position);
        Ok(appended)
    }

    /// One stream after another.
    async fn append_torn(&self, commit: &Commit) -> Result<Appended, AppendError> {
        {
            let mut log = lock(&self.log);
            if let Some(first_answer) = log.repeated(commit)? {
                return Ok(first_answer);
            }
            if !self.has(Bug::TornCommit) {
                log.check_versions(commit)?;
            }
        }
        let mut versions = Vec::new();
        let mut first_position = None;
        for to in commit.streams() {
            if self.has(Bug::TornByDropping) {
                tokio::task::yield_now().await;
            }
            {
                let mut log = lock(&self.log);
                if let Ok(one) = Commit::new(to.stream.clone(), to.expected, to.events.clone()) {
                    log.check_versions(&one)?;
                }
                let before = log.events.len();
                versions.push(log.add_to_stream(to));
                first_position = first_position.or(log.events.get(before).map(|e| e.position));
                self.tell(log.head());
            }
            if self.has(Bug::TornForReaders) {
                tokio::task::yield_now().await;
            }
        }
        let first_position = first_position.unwrap_or_default();
        Ok(Appended {
            first_position,
            last_position: first_position.plus(commit.event_count() as u64 - 1),
            version: versions.remove(0),
            more_versions: versions,
            repeated: false,
        })
    }

    /// As a sequence of a database does it: numbers are drawn, and rows appear when they are
    /// committed.
    async fn append_late(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let (rows, appended) = {
            let mut log = lock(&self.log);
            if let Some(first_answer) = log.repeated(commit)? {
                return Ok(first_answer);
            }
            log.check_versions(commit)?;
            let (events, head) = (log.events.len(), log.burnt.max(log.head().get()));
            let mut appended = log.add(commit);
            let mut rows = log.events.split_off(events);
            for (index, row) in (1..).zip(&mut rows) {
                row.position = Position::new(head + index);
                log.by_id.remove(&row.event_id);
            }
            log.burnt = head + rows.len() as u64;
            appended.first_position = Position::new(head + 1);
            appended.last_position = Position::new(log.burnt);
            (rows, appended)
        };
        if appended.first_position.get() % 3 == 0 {
            tokio::task::yield_now().await;
        }
        let mut log = lock(&self.log);
        for row in rows {
            let at = log.events.partition_point(|event| event.position < row.position);
            log.events.insert(at, row);
        }
        let by_id = log.events.iter().enumerate().map(|(index, event)| (event.event_id, index));
        log.by_id = by_id.collect();
        self.tell(log.head());
        Ok(appended)
    }

    fn page<'a>(
        &self,
        wanted: Vec<&'a RecordedEvent>,
        direction: Direction,
        limit: usize,
    ) -> (Page, Option<&'a RecordedEvent>) {
        let limit = match self.bug {
            Some(Bug::LimitIgnored) if limit > 0 => limit.saturating_add(1),
            Some(Bug::LimitZeroIsAll) if limit == 0 => usize::MAX,
            Some(Bug::EmptyPageWithMore) if limit == 1 => 0,
            _ => limit,
        };
        let mut wanted = wanted;
        if self.has(Bug::BackwardCutFirst) {
            wanted.truncate(limit);
        }
        if direction == Direction::Backward {
            wanted.reverse();
        }
        let page = wanted.iter().take(limit).map(|event| event.as_recorded()).collect();
        (page, wanted.get(limit).copied())
    }
}

impl EventStore for BrokenStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        self.append_guarded(commit, &[]).await
    }

    async fn append_chain(&self, commits: &[Commit]) -> Vec<Result<Appended, AppendError>> {
        let head_before = *self.head.borrow();
        let before = lock(&self.log).events.len();
        let mut answers = Vec::with_capacity(commits.len());
        let mut link = ChainLink::default();
        for commit in commits {
            let linked = if self.has(Bug::ChainWithoutLink) { Ok(()) } else { link.check(commit) };
            let answer = match linked {
                Ok(()) => self.append(commit).await,
                Err(conflict) => Err(conflict.into()),
            };
            if let Ok(appended) = &answer {
                link.extend(commit, appended);
            }
            let refused = answer.is_err();
            answers.push(answer);
            if refused {
                match self.bug {
                    Some(Bug::ChainGoesOn) => {}
                    Some(Bug::ChainAnswersAll) => {
                        while answers.len() < commits.len() {
                            let failure = StoreFailure::new("not tried");
                            answers.push(Err(AppendError::Transient(failure)));
                        }
                        break;
                    }
                    Some(Bug::ChainRolledBack) => {
                        let mut log = lock(&self.log);
                        for event in log.events.split_off(before) {
                            log.by_id.remove(&event.event_id);
                        }
                        break;
                    }
                    _ => break,
                }
            }
        }
        if self.has(Bug::NewsOfChainsMissed) {
            self.head.send_replace(head_before);
        }
        answers
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let log = lock(&self.log);
        let asked = stream_as_written(self.bug, stream);
        let from = if self.has(Bug::FromExcluded) { range.from.next() } else { range.from };
        let wanted: Vec<_> = log
            .events
            .iter()
            .filter(|event| event.stream == asked && event.version >= from)
            .filter(|event| {
                event.version < range.to || event.version == range.to && !self.has(Bug::ToExcluded)
            })
            .collect();
        let version = if self.has(Bug::VersionOfRange) {
            wanted.last().map_or(Version::ZERO, |last| last.version)
        } else {
            log.version(stream)
        };
        let (events, next) = self.page(wanted, range.direction, range.limit);
        let next = next.map(|event| event.version);
        let next = if self.has(Bug::NextMissing) { None } else { next };
        Ok(StreamPage { events, version, next })
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        let mut page = {
            let log = lock(&self.log);
            let mut wanted: Vec<_> = log
                .events
                .iter()
                .filter(|event| {
                    event.position > range.after
                        || event.position == range.after && self.has(Bug::AfterIncluded)
                })
                .filter(|event| {
                    event.position < range.up_to
                        || event.position == range.up_to && !self.has(Bug::UpToExcluded)
                })
                .filter(|event| log.matches(query, event))
                .collect();
            if self.has(Bug::EventOfTwoItemsTwice) {
                let times = |event: &RecordedEvent| {
                    query
                        .items()
                        .iter()
                        .filter(|item| item.matches(&event.name, event.tags.as_slice()))
                        .count()
                };
                wanted = wanted
                    .into_iter()
                    .flat_map(|event| std::iter::repeat_n(event, times(event)))
                    .collect();
            }
            let head = if self.has(Bug::HeadOfRange) {
                wanted.last().map_or(Position::ZERO, |last| last.position)
            } else {
                log.head()
            };
            let (events, next) = self.page(wanted, range.direction, range.limit);
            QueryPage { events, head, more: next.is_some() }
        };
        match self.bug {
            Some(Bug::ReadNotSnapshot) => {
                tokio::task::yield_now().await;
                page.head = lock(&self.log).head();
            }
            Some(Bug::TokenIsHead) => page.more = false,
            Some(Bug::MoreThoughThereIsNone) => page.more |= page.events.len() == range.limit,
            _ => {}
        }
        Ok(page)
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        let log = lock(&self.log);
        if self.has(Bug::StaleFind) && log.stale_id == Some(event_id) {
            return Ok(None);
        }
        Ok(log.find(event_id).cloned())
    }

    async fn head(&self) -> Result<Position, ReadError> {
        let log = lock(&self.log);
        Ok(if self.has(Bug::StaleHead) { log.stale_head } else { log.head() })
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        match self.bug {
            Some(Bug::NewsTooEarly) => return Ok(lock(&self.log).head()),
            Some(Bug::NewsMissed) => {
                // Looks once, and hears of nothing later.
                let head = lock(&self.log).head();
                return if head > position { Ok(head) } else { std::future::pending().await };
            }
            Some(Bug::NewsOnlyForNext) => {
                // Whatever is new is taken for what was waited for.
                let mut news = self.head.subscribe();
                let head = lock(&self.log).head();
                if head > position {
                    return Ok(head);
                }
                _ = news.changed().await;
                return Ok(lock(&self.log).head());
            }
            Some(Bug::NewsForOneOnly) if self.head.receiver_count() > 0 => {
                let head = lock(&self.log).head();
                return if head > position { Ok(head) } else { std::future::pending().await };
            }
            _ => {}
        }
        let mut head = self.head.subscribe();
        let news = head.wait_for(|head| *head > position).await;
        Ok(news.map_or(position, |head| *head))
    }

    fn immediate_read(&self) -> Option<&dyn ImmediateRead> {
        match self.bug {
            None | Some(Bug::ShownFromTheBeginning | Bug::BreakIsTheEnd) => Some(self),
            // It would go round the bug.
            Some(_) => None,
        }
    }

    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        match self.bug {
            None
            | Some(
                Bug::ImmediateVersionsNotChecked
                | Bug::ImmediateDuplicateOnRetry
                | Bug::ImmediateNewsMissed
                | Bug::ImmediateAnswersTooFew,
            ) => Some(self),
            // It would go round the bug.
            Some(_) => None,
        }
    }
}

impl ImmediateRead for BrokenStore {
    fn visit_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
        visit: &mut dyn FnMut(&Recorded<'_>) -> ControlFlow<()>,
    ) -> Result<StreamVisit, ReadError> {
        let log = lock(&self.log);
        let from_the_beginning = self.has(Bug::ShownFromTheBeginning);
        let wanted = log.events.iter().filter(|event| event.stream == *stream).filter(|event| {
            (from_the_beginning || event.version >= range.from) && event.version <= range.to
        });
        let mut wanted: Vec<_> = wanted.collect();
        if range.direction == Direction::Backward {
            wanted.reverse();
        }
        let mut shown = 0;
        for event in wanted.iter().take(range.limit) {
            shown += 1;
            if visit(&event.as_recorded()).is_break() {
                if self.has(Bug::BreakIsTheEnd) {
                    shown = wanted.len();
                }
                break;
            }
        }
        let next = wanted.get(shown).map(|event| event.version);
        Ok(StreamVisit { version: log.version(stream), next })
    }
}

impl ImmediateAppend for BrokenStore {
    fn append_now(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let mut log = lock(&self.log);
        if !self.has(Bug::ImmediateDuplicateOnRetry)
            && let Some(first_answer) = log.repeated(commit)?
        {
            return Ok(first_answer);
        }
        if !self.has(Bug::ImmediateVersionsNotChecked) {
            log.check_versions(commit)?;
        }
        let mut appended = log.add(commit);
        drop(log);
        if !self.has(Bug::ImmediateNewsMissed) {
            self.tell(appended.last_position);
        }
        if self.has(Bug::ImmediateAnswersTooFew) {
            appended.more_versions.clear();
        }
        Ok(appended)
    }
}

impl ConditionalAppend for BrokenStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        self.append_guarded(commit, conditions).await
    }
}

#[derive(Default)]
struct Records {
    by_key: BTreeMap<StateKey, StateRecord>,
    /// The keys in the order in which they were made.
    keys: Vec<StateKey>,
    last_revision: u64,
    stale: Option<(StateKey, Option<StateRecord>)>,
}

impl BrokenStore {
    fn check_record(
        &self,
        records: &Records,
        key: &StateKey,
        expected: ExpectedRevision,
    ) -> Result<(), StateError> {
        let actual = records.by_key.get(key).map(|record| record.revision);
        let admits = match (self.bug, expected) {
            (Some(Bug::MissingIsAny), ExpectedRevision::Missing) => true,
            (Some(Bug::ExactOnlyWhenThere), ExpectedRevision::Exact(_)) if actual.is_none() => true,
            _ => expected.admits(actual),
        };
        if admits {
            Ok(())
        } else {
            let actual = if self.has(Bug::RecordConflictWithoutActual) { None } else { actual };
            Err(StateError::Conflict { key: key.clone(), expected, actual })
        }
    }

    fn key(&self, key: &StateKey) -> StateKey {
        if self.has(Bug::RecordKeysJoined) {
            StateKey::new("", format!("{}/{}", key.space(), key.name()))
        } else {
            key.clone()
        }
    }
}

impl StateStore for BrokenStore {
    async fn get(&self, key: &StateKey) -> Result<Option<StateRecord>, StateError> {
        let records = lock(&self.records);
        let key = self.key(key);
        match &records.stale {
            Some((of, record)) if self.has(Bug::RecordStale) && *of == key => Ok(record.clone()),
            _ => Ok(records.by_key.get(&key).cloned()),
        }
    }

    async fn put(
        &self,
        key: &StateKey,
        value: Bytes,
        expected: ExpectedRevision,
    ) -> Result<Revision, StateError> {
        let key = &self.key(key);
        let mut value = value;
        if self.has(Bug::RecordValueCut) {
            value.truncate(64 * 1024);
        }
        if self.has(Bug::SwapNotAtomic) {
            self.check_record(&lock(&self.records), key, expected)?;
            tokio::task::yield_now().await;
        }
        let mut records = lock(&self.records);
        if !self.has(Bug::SwapNotAtomic) {
            self.check_record(&records, key, expected)?;
        }
        let before = records.by_key.get(key).cloned();
        let revision = match (self.bug, &before) {
            (Some(Bug::RevisionOfRecord), before) => {
                before.as_ref().map_or(1, |record| record.revision.get() + 1)
            }
            (Some(Bug::RevisionUnchanged), Some(record)) if record.value == value => {
                record.revision.get()
            }
            _ => {
                records.last_revision += 1;
                records.last_revision
            }
        };
        let revision = Revision::new(revision);
        if before.is_none() {
            records.keys.push(key.clone());
        }
        records.stale = Some((key.clone(), before));
        records.by_key.insert(key.clone(), StateRecord { revision, value });
        Ok(revision)
    }

    async fn remove(&self, key: &StateKey, expected: ExpectedRevision) -> Result<(), StateError> {
        let key = &self.key(key);
        let mut records = lock(&self.records);
        if !self.has(Bug::RemoveNotChecked) {
            self.check_record(&records, key, expected)?;
        }
        records.stale = None;
        records.by_key.remove(key);
        records.keys.retain(|other| other != key);
        Ok(())
    }

    async fn list(
        &self,
        space: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, StateError> {
        let records = lock(&self.records);
        let mut keys: Vec<_> = if self.has(Bug::ListUnsorted) {
            records.keys.iter().collect()
        } else {
            records.by_key.keys().collect()
        };
        if self.has(Bug::ListIgnoresCase) {
            keys.sort_by_key(|key| key.name().to_lowercase());
        }
        let wanted: Vec<_> = keys
            .into_iter()
            .filter(|key| {
                key.space() == space
                    || self.has(Bug::ListByPrefix) && key.space().starts_with(space)
            })
            .filter(|key| {
                after.is_none_or(|after| {
                    key.name() > after || self.has(Bug::ListAfterIncluded) && key.name() == after
                })
            })
            .map(|key| (key.clone(), records.by_key[key].clone()))
            .collect();
        let limit = if self.has(Bug::ListCut) { limit.min(10) } else { limit };
        let more = wanted.len() > limit;
        let more = match self.bug {
            Some(Bug::ListCut) => more && limit < 10,
            Some(Bug::ListMoreForgotten) => false,
            _ => more,
        };
        Ok(StatePage { records: wanted.into_iter().take(limit).collect(), more })
    }
}
