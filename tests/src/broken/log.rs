//! The log of a broken store: a list of events.

use std::collections::HashMap;
use std::time::Duration;

use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionFailed, EventId, ExpectedVersion,
    Fence, InlineSet, Metadata, NewEvent, Position, Query, QueryItem, RecordedEvent, StoreFailure,
    StreamId, Tag, Version, VersionConflict,
};

use crate::broken::bug::Bug;
use crate::broken::records::Records;

#[derive(Default)]
pub(super) struct Log {
    pub(super) bug: Option<Bug>,
    pub(super) events: Vec<RecordedEvent>,
    pub(super) by_id: HashMap<EventId, usize>,
    /// How many positions were used up without an event.
    pub(super) burnt: u64,
    /// Those events that were added under conditions.
    pub(super) conditional: Vec<EventId>,
    /// Those whose append was refused.
    pub(super) refused: Vec<EventId>,
    pub(super) stale_head: Position,
    pub(super) stale_id: Option<EventId>,
    /// The time of the events that are added, if it is not the time now.
    pub(super) copied_at: Option<Timestamp>,
    /// The time of the last event is not known.
    pub(super) last_time_forgotten: bool,
    /// The time that the steps of inline projections were told.
    pub(super) stamp: Option<Timestamp>,
    /// What takes part in appends.
    pub(super) inline: InlineSet,
    /// The records before the last step that is stored.
    pub(super) before_last_step: Option<Records>,
    /// What keeps new events out, and what did so last.
    pub(super) fence: Option<Fence>,
    pub(super) lifted: Option<Fence>,
    /// Nothing can be appended.
    pub(super) is_unusable: bool,
    /// Something has passed the fence.
    pub(super) passed: bool,
}

pub(super) fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The event as it is stored.
pub(super) fn written(bug: Option<Bug>, event: &NewEvent) -> NewEvent {
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

pub(super) fn stream_as_written(bug: Option<Bug>, stream: &StreamId) -> StreamId {
    let changed = match bug {
        Some(Bug::IdCut) => stream.as_str().chars().take(255).collect(),
        Some(Bug::IgnoresCase) => stream.as_str().to_lowercase(),
        _ => return stream.clone(),
    };
    changed.parse().unwrap_or_else(|_| stream.clone())
}

impl Log {
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn head(&self) -> Position {
        self.events.last().map_or(Position::ZERO, |last| last.position)
    }

    pub(super) fn version(&self, stream: &StreamId) -> Version {
        let stream = stream_as_written(self.bug, stream);
        let last = self.events.iter().rfind(|event| match self.bug {
            Some(Bug::VersionsOfTheStore) => true,
            Some(Bug::StreamByPrefix) => event.stream.as_str().starts_with(stream.as_str()),
            _ => event.stream == stream,
        });
        last.map_or(Version::ZERO, |event| event.version)
    }

    pub(super) fn find(&self, id: EventId) -> Option<&RecordedEvent> {
        self.by_id.get(&id).map(|index| &self.events[*index])
    }

    pub(super) fn repeated(&mut self, commit: &Commit) -> Result<Option<Appended>, AppendError> {
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

    pub(super) fn check_versions(&self, commit: &Commit) -> Result<(), AppendError> {
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

    pub(super) fn check_conditions(
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

    pub(super) fn matches(&self, query: &Query, event: &RecordedEvent) -> bool {
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
                    Some(Bug::EmptyItemSelectsNothing) => {
                        by_name && by_tag && !(names.is_empty() && wanted.is_empty())
                    }
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
        let last = match self.events.last() {
            Some(last) if !self.last_time_forgotten => last.recorded_at,
            _ => Timestamp::MIN,
        };
        let now = self.copied_at.or(self.stamp).unwrap_or_else(Timestamp::now);
        let recorded_at = match self.bug {
            // The caller has looked at it.
            Some(Bug::CopyTimeFalls | Bug::CopyTimeNotAtomic) if self.copied_at.is_some() => {
                microseconds(now)
            }
            Some(Bug::CopyToNanosecond) if self.copied_at.is_some() => now.max(last),
            Some(Bug::CopyToMillisecond) if self.copied_at.is_some() => {
                Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now).max(last)
            }
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

    pub(super) fn add_to_stream(&mut self, to: &es_core::StreamAppend) -> Version {
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
            self.last_time_forgotten = false;
        }
        version
    }

    pub(super) fn add(&mut self, commit: &Commit) -> Appended {
        (self.stale_head, self.stale_id) =
            (self.head(), commit.first().events.first().map(|event| event.id));
        let before = self.events.len();
        let mut versions: Vec<_> = commit.streams().map(|to| self.add_to_stream(to)).collect();
        let first_position = self.events.get(before).map_or(self.head(), |first| first.position);
        let of_first = self.has(Bug::AnswerOfFirstEvent);
        Appended {
            first_position,
            last_position: if of_first { first_position } else { self.head() },
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
