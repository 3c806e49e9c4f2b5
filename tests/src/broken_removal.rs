//! A store that lets go of old events and breaks one rule of doing so: the conformance suite must
//! reject each.

use es_core::conformance::Fixture;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ConditionalAppend, Direction, EventId,
    EventStore, ExpectedVersion, NewEvent, Position, Query, QueryPage, QueryRange, ReadError,
    RecordedEvent, Removal, RemovalError, SegmentRef, SparsePage, StreamId, StreamPage,
    StreamRange, StreamRemoval, Stub,
};
use es_core::{PartDigest, Version};
use es_memory_store::MemoryStore;

/// Lists the bugs, each with a check that must catch it.
macro_rules! bugs {
    ($($(#[$about:meta])* $bug:ident => $check:ident,)*) => {
        /// What is wrong with a store.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum RemovalBug {
            $($(#[$about])* $bug,)*
        }

        impl RemovalBug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug,)*];

            /// The check that must catch it; others may too.
            pub fn caught_by(self) -> &'static str {
                match self {
                    $(Self::$bug => concat!("stream_removal::removals::", stringify!($check)),)*
                }
            }
        }
    };
}

bugs! {
    /// Nothing is left of what was removed.
    StubForgotten => a_stub_says_what_was_removed,
    /// The stub knows the last part only.
    StubOfLastPart => a_stub_says_what_was_removed,
    /// A page of stubs begins anew each time.
    StubsBeginAnew => a_stub_says_what_was_removed,
    /// Whoever has appended meanwhile is not noticed.
    ExpectedNotChecked => a_removal_that_does_not_fit_is_refused_and_changes_nothing,
    /// Whatever event is at the end is removed.
    LastIdNotChecked => a_removal_that_does_not_fit_is_refused_and_changes_nothing,
    /// The last event of a stream goes too.
    LastEventGoes => a_removal_that_does_not_fit_is_refused_and_changes_nothing,
    /// A gap may stay before what is removed.
    GapAllowed => a_removal_that_does_not_fit_is_refused_and_changes_nothing,
    /// What is removed already is an error.
    RepeatRefused => a_removal_that_is_repeated_is_answered_as_the_first_time,
    /// A stream of which something was removed is taken for a new one.
    StreamIsNew => versions_positions_and_guards_go_on_as_before,
    /// Append conditions look at what is there.
    ConditionsBlind => conditions_see_what_was_removed,
    /// A stream begins with what is left of it.
    StreamIsShorter => a_read_of_a_removed_event_says_where_it_is,
    /// The global order has what is left.
    OrderIsShorter => a_read_of_a_removed_event_says_where_it_is,
    /// A removed event was never there.
    FindsNothing => a_read_of_a_removed_event_says_where_it_is,
    /// It is not said which segment has the event.
    SegmentNotSaid => a_read_of_a_removed_event_says_where_it_is,
    /// A range with a removed event in it is refused as a whole.
    NothingBefore => a_read_gives_what_comes_before_a_removed_event,
    /// A stream of which something was removed can not be read at all.
    RestRefused => a_read_that_wants_no_removed_event_is_as_before,
    /// What is nowhere is named as if it were in a segment.
    GoneIsSomewhere => what_was_removed_for_good_is_passed_by_in_the_global_order,
    /// The ids of removed events are free.
    IdsForgotten => the_id_of_a_removed_event_is_never_stored_again,
    /// A sparse read leaves out what was removed.
    SparseIsShorter => a_sparse_read_names_what_a_read_would_have_given,
    /// A sparse read ends with its first page.
    SparseEndsEarly => a_sparse_read_names_what_a_read_would_have_given,
    /// What is put back has no payload.
    PayloadLost => what_is_put_back_is_read_as_if_it_had_never_been_removed,
    /// What was put back can not be put back again.
    ReturnNotRepeatable => what_is_put_back_is_read_as_if_it_had_never_been_removed,
    /// Whatever is put back is taken, or so it is said.
    AnythingTaken => only_the_last_part_and_all_of_it_can_be_put_back,
    /// The ids of what is put back are not looked at.
    ReturnedIdsNotChecked => only_the_last_part_and_all_of_it_can_be_put_back,
}

/// Makes stores with a bug, or without any.
pub struct BrokenRemoval(pub Option<RemovalBug>);

impl Fixture for BrokenRemoval {
    type Store = BrokenRemovalStore;

    async fn empty(&self) -> BrokenRemovalStore {
        BrokenRemovalStore { bug: self.0, inner: MemoryStore::new() }
    }
}

pub struct BrokenRemovalStore {
    bug: Option<RemovalBug>,
    inner: MemoryStore,
}

impl BrokenRemovalStore {
    fn has(&self, bug: RemovalBug) -> bool {
        self.bug == Some(bug)
    }

    async fn id_at(&self, stream: &StreamId, version: Version) -> Option<EventId> {
        let range = StreamRange { from: version, to: version, ..StreamRange::all() };
        let page = self.inner.read_stream(stream, range).await.ok()?;
        page.events.last().map(|event| event.event_id)
    }

    fn without_segment(&self, error: ReadError) -> ReadError {
        match error {
            ReadError::Archived(mut archived) if self.has(RemovalBug::SegmentNotSaid) => {
                archived.segment = None;
                ReadError::Archived(archived)
            }
            error => error,
        }
    }

    /// The commit with other ids.
    fn renamed(commit: &Commit) -> Option<Commit> {
        let first = commit.first();
        let anew = |event: &NewEvent| NewEvent { id: EventId::generate(), ..event.clone() };
        let events = first.events.iter().map(anew).collect();
        Commit::new(first.stream.clone(), ExpectedVersion::Any, events).ok()
    }
}

impl EventStore for BrokenRemovalStore {
    async fn append(&self, commit: &Commit) -> Result<Appended, AppendError> {
        let stream = &commit.first().stream;
        let renamed = Self::renamed(commit);
        match (self.inner.append(commit).await, renamed) {
            (Err(AppendError::EventIdArchived { .. }), Some(renamed))
                if self.has(RemovalBug::IdsForgotten) =>
            {
                self.inner.append(&renamed).await
            }
            (Err(AppendError::Conflict(conflict)), Some(renamed))
                if self.has(RemovalBug::StreamIsNew)
                    && conflict.expected == ExpectedVersion::NoStream
                    && self.inner.stub(stream).await.is_ok_and(|stub| stub.is_some()) =>
            {
                self.inner.append(&renamed).await
            }
            (answer, _) => answer,
        }
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, ReadError> {
        let stub = self.inner.stub(stream).await?;
        let answer = self.inner.read_stream(stream, range).await;
        let up_to = stub.as_ref().map(Stub::up_to);
        match (answer, up_to, stub) {
            (Err(ReadError::Archived(_)), Some(up_to), _)
                if self.has(RemovalBug::StreamIsShorter) =>
            {
                let from = range.from.max(up_to.next());
                self.inner.read_stream(stream, StreamRange { from, ..range }).await
            }
            (Ok(_), Some(up_to), Some(stub))
                if self.has(RemovalBug::NothingBefore)
                    && range.direction == Direction::Backward
                    && range.from <= up_to =>
            {
                Err(stub.refusal(up_to))
            }
            (Ok(_), Some(up_to), Some(stub))
                if self.has(RemovalBug::RestRefused) && range.from == up_to.next() =>
            {
                Err(stub.refusal(up_to))
            }
            (answer, ..) => answer.map_err(|error| self.without_segment(error)),
        }
    }

    async fn read(&self, query: &Query, range: QueryRange) -> Result<QueryPage, ReadError> {
        match self.inner.read(query, range).await {
            Err(ReadError::Archived(_)) if self.has(RemovalBug::OrderIsShorter) => {
                let page = self.inner.read_sparse(query, range).await?;
                Ok(QueryPage { events: page.events, head: page.head, more: page.more })
            }
            answer => answer,
        }
    }

    async fn find(&self, event_id: EventId) -> Result<Option<RecordedEvent>, ReadError> {
        match self.inner.find(event_id).await {
            Err(ReadError::Archived(_)) if self.has(RemovalBug::FindsNothing) => Ok(None),
            answer => answer,
        }
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.inner.head().await
    }

    async fn wait_beyond(&self, position: Position) -> Result<Position, ReadError> {
        self.inner.wait_beyond(position).await
    }
}

impl ConditionalAppend for BrokenRemovalStore {
    async fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> Result<Appended, AppendError> {
        match self.inner.append_if(commit, conditions).await {
            Err(AppendError::Condition(_)) if self.has(RemovalBug::ConditionsBlind) => {
                self.inner.append(commit).await
            }
            answer => answer,
        }
    }
}

impl StreamRemoval for BrokenRemovalStore {
    async fn remove(&self, removal: &Removal) -> Result<(), RemovalError> {
        let mut removal = removal.clone();
        match self.bug {
            Some(RemovalBug::ExpectedNotChecked) => removal.expected = ExpectedVersion::Any,
            Some(RemovalBug::LastIdNotChecked) => {
                if let Some(id) = self.id_at(&removal.stream, removal.part.to).await {
                    removal.part.last_event_id = id;
                }
            }
            Some(RemovalBug::GoneIsSomewhere) => {
                let digest = PartDigest::new([0; 32]);
                let nowhere = || SegmentRef { name: "nowhere".into(), digest };
                removal.part.segment.get_or_insert_with(nowhere);
            }
            Some(RemovalBug::RepeatRefused) => {
                if let Ok(Some(stub)) = self.inner.stub(&removal.stream).await
                    && stub.parts.contains(&removal.part)
                {
                    let (stream, from, up_to) =
                        (stub.stream.clone(), removal.part.from, stub.up_to());
                    return Err(RemovalError::NotNext { stream, from, up_to });
                }
            }
            _ => {}
        }
        match self.inner.remove(&removal).await {
            Err(RemovalError::LastEvent { .. }) if self.has(RemovalBug::LastEventGoes) => Ok(()),
            Err(RemovalError::NotNext { .. }) if self.has(RemovalBug::GapAllowed) => Ok(()),
            answer => answer,
        }
    }

    async fn put_back(
        &self,
        stream: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<(), RemovalError> {
        let mut events = events.to_vec();
        match self.bug {
            Some(RemovalBug::PayloadLost) => {
                events.iter_mut().for_each(|event| event.payload.clear());
            }
            Some(RemovalBug::ReturnNotRepeatable)
                if self.inner.stub(stream).await.is_ok_and(|stub| stub.is_none()) =>
            {
                return Err(RemovalError::NotRemoved { stream: stream.clone(), part: None });
            }
            Some(RemovalBug::ReturnedIdsNotChecked) => {
                let back = self.inner.put_back(stream, &events).await;
                return match back {
                    Err(RemovalError::OtherEvent { .. }) => Ok(()),
                    back => back,
                };
            }
            _ => {}
        }
        match self.inner.put_back(stream, &events).await {
            Err(RemovalError::NotRemoved { .. }) if self.has(RemovalBug::AnythingTaken) => Ok(()),
            answer => answer,
        }
    }

    async fn stub(&self, stream: &StreamId) -> Result<Option<Stub>, ReadError> {
        let stub = self.inner.stub(stream).await?;
        Ok(match self.bug {
            Some(RemovalBug::StubForgotten) => None,
            Some(RemovalBug::StubOfLastPart) => stub.map(|mut stub| {
                stub.parts.drain(..stub.parts.len() - 1);
                stub
            }),
            _ => stub,
        })
    }

    async fn stubs(&self, after: Option<&StreamId>, limit: usize) -> Result<Vec<Stub>, ReadError> {
        let after = after.filter(|_| !self.has(RemovalBug::StubsBeginAnew));
        self.inner.stubs(after, limit).await
    }

    async fn read_sparse(&self, query: &Query, range: QueryRange) -> Result<SparsePage, ReadError> {
        let mut page = self.inner.read_sparse(query, range).await?;
        match self.bug {
            Some(RemovalBug::SparseIsShorter) => page.removed.clear(),
            Some(RemovalBug::SparseEndsEarly) => page.more = false,
            _ => {}
        }
        Ok(page)
    }
}
