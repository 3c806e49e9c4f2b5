//! The port of the event log.

use std::future::Future;

use crate::commit::{AppendCondition, Appended, Commit};
use crate::identity::EventId;
use crate::query::Query;
use crate::recorded::{Page, RecordedEvent};
use crate::store::error::{AppendError, ReadError, VersionConflict};
use crate::store::immediate::{ImmediateAppend, ImmediateRead};
use crate::store::in_place::InPlaceAppend;
use crate::store::projection_store::DynProjectionStore;
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

/// An append-only log of events, in streams and in one global order.
///
/// # Contract
///
/// Appending
/// 1. A commit is stored whole or not at all, also when the process is killed or the future is
///    dropped.
/// 2. Every expected version is checked in the same atomic step. Of two writers with one expected
///    version exactly one wins; the other gets [`AppendError::Conflict`] with expected and actual.
/// 3. A commit whose event ids are all stored already, with the same streams, names, schema
///    versions and payloads and in the same order, is answered as it was the first time, with
///    `repeated` set; there is one copy. This is checked before the expected version. Tags, times
///    and metadata are not compared; those of the first time stay. An id that is stored with
///    something else, or without the rest of its commit, is [`AppendError::EventIdReused`].
/// 4. A commit that is refused leaves nothing behind: no event, no version, no position.
/// 5. Versions of a stream are 1, 2, 3 and so on. The positions of a commit are contiguous and in
///    order; positions rise in commit order and may have gaps between commits.
/// 6. A durable store answers after the events are on disk.
///
/// Reading
/// 7. A reader that has seen position *p* never later finds a new event at or below *p*.
/// 8. A page is a snapshot. It says with `next` or `more` whether the range has more events than
///    the page, and where to go on; it may hold fewer events than asked for, but none only if the
///    limit is zero or there are none. Version and head are those of the snapshot, whatever the
///    range. A reader that bounds its range by the head or version of its first page reads one
///    snapshot.
/// 9. `recorded_at` is the store's time while the commit is appended, or decided if that is
///    [at once](crate::ImmediateAppend). It is exact to the microsecond, and never earlier than that of
///    the event before it in the global order.
/// 10. A query's items combine with *or*; inside an item names combine with *or* and tags with
///     *and*. Every event comes once, in the order of positions.
/// 11. Whatever can not be read is an error, never a shorter answer.
///
/// All of it
/// 12. Every commit that [`Commit`] lets through is taken, and each part of it comes back as it was
///     given, `occurred_at` to the microsecond. Texts are compared byte by byte. Only a text with a
///     NUL character may be refused, with [`AppendError::Permanent`].
/// 13. Every call takes effect at one instant between its start and its answer. So what was
///     acknowledged is seen by whatever begins later: by reads, [`find`](Self::find),
///     [`head`](Self::head), retries and expected versions.
/// 14. [`wait_beyond`](Self::wait_beyond) answers as soon as there is an event after the position;
///     none is missed, whenever it is appended.
/// 15. A chain ends with its first refusal, and nothing after it is stored; see
///     [`append_chain`](Self::append_chain).
/// 16. What [`immediate`](Self::immediate) and [`in_place`](Self::in_place) give appends exactly as
///     [`append`](Self::append) does: the answer, the refusals, the retries, the news and what is
///     read are the same.
/// 17. What [`immediate_read`](Self::immediate_read) gives shows exactly the events that
///     [`read_stream`](Self::read_stream) reads, in the same order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event store",
    label = "not an event store",
    note = "use a store such as `MemoryStore` of es-memory-store, or implement `EventStore`",
    note = "an `Arc` of a store goes to `Runtime::builder_shared`"
)]
pub trait EventStore: Send + Sync + 'static {
    /// Appends a commit (rules 1 to 6).
    fn append(&self, commit: &Commit)
    -> impl Future<Output = Result<Appended, AppendError>> + Send;

    /// Appends commits that build on each other, in order, up to the first that is refused. The
    /// answers are in the order of the commits and end with that refusal; nothing after it is
    /// stored (rule 15). What is before it stays.
    ///
    /// A commit that expects an exact version of a stream its predecessor wrote to is refused
    /// with [`AppendError::Conflict`] unless the predecessor ended there. So a link is never taken
    /// because somebody else happened to write as many events as a refused or repeated
    /// predecessor would have.
    ///
    /// A store that pays for every append, such as with an fsync, pays once for all of them.
    fn append_chain(
        &self,
        commits: &[Commit],
    ) -> impl Future<Output = Vec<Result<Appended, AppendError>>> + Send {
        async move {
            let mut answers = Vec::with_capacity(commits.len());
            let mut link = ChainLink::default();
            for commit in commits {
                if let Err(conflict) = link.check(commit) {
                    answers.push(Err(conflict.into()));
                    break;
                }
                let answer = self.append(commit).await;
                let refused = answer.is_err();
                if let Ok(appended) = &answer {
                    link.extend(commit, appended);
                }
                answers.push(answer);
                if refused {
                    break;
                }
            }
            answers
        }
    }

    /// Reads a page of one stream (rules 7 to 13). A stream that does not exist has no event and
    /// is at version zero. Versions that it does not have are no error: the range just ends there.
    fn read_stream(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> impl Future<Output = Result<StreamPage, ReadError>> + Send;

    /// The same as [`read_stream`](Self::read_stream), but never from an archive: for those who can do
    /// without what was archived, as loading from a snapshot can. Only a store that reads through to
    /// an archive has anything to do for it.
    fn read_live(
        &self,
        stream: &StreamId,
        range: StreamRange,
    ) -> impl Future<Output = Result<StreamPage, ReadError>> + Send {
        self.read_stream(stream, range)
    }

    /// Reads a page of the events that match a query, in the global order (rules 7 to 13).
    fn read(
        &self,
        query: &Query,
        range: QueryRange,
    ) -> impl Future<Output = Result<QueryPage, ReadError>> + Send;

    /// The event with this id, if it is stored (rules 12 and 13).
    fn find(
        &self,
        event_id: EventId,
    ) -> impl Future<Output = Result<Option<RecordedEvent>, ReadError>> + Send;

    /// The position of the last event; zero while there is none (rule 13).
    fn head(&self) -> impl Future<Output = Result<Position, ReadError>> + Send;

    /// Waits until there is an event after `position`, and answers with the head then (rule 14).
    ///
    /// Dropping the future stops waiting and loses nothing.
    fn wait_beyond(
        &self,
        position: Position,
    ) -> impl Future<Output = Result<Position, ReadError>> + Send;

    /// The store's way to append without waiting, if it has one (rule 16).
    fn immediate(&self) -> Option<&dyn ImmediateAppend> {
        None
    }

    /// The store's way to append on the thread that asks, if that can be sooner than to have another
    /// one do it (rule 16).
    fn in_place(&self) -> Option<&dyn InPlaceAppend> {
        None
    }

    /// The store's way to read without waiting, if it has one (rule 17).
    fn immediate_read(&self) -> Option<&dyn ImmediateRead> {
        None
    }

    /// The store itself, if it is a [`ProjectionStore`](crate::ProjectionStore): so that a runtime
    /// finds the home of the durable projections that are registered.
    fn projection_store(&self) -> Option<&dyn DynProjectionStore> {
        None
    }
}

/// Where the commits of a chain have come to; see [`EventStore::append_chain`].
#[derive(Clone, Default, Debug)]
pub struct ChainLink(Vec<(StreamId, Version)>);

impl ChainLink {
    /// Checks that the next commit builds on the last one.
    ///
    /// # Errors
    /// When it is for the same stream and expects another version than the last one left.
    pub fn check(&self, commit: &Commit) -> Result<(), VersionConflict> {
        for next in commit.streams() {
            let left = self.0.iter().find(|(stream, _)| *stream == next.stream);
            if let (Some((_, version)), ExpectedVersion::Exact(_)) = (left, next.expected)
                && !next.expected.admits(*version)
            {
                return Err(VersionConflict {
                    stream: next.stream.clone(),
                    expected: next.expected,
                    actual: *version,
                });
            }
        }
        Ok(())
    }

    /// Notes how a commit was answered.
    pub fn extend(&mut self, commit: &Commit, appended: &Appended) {
        let versions = std::iter::once(&appended.version).chain(&appended.more_versions);
        self.0.clear();
        self.0.extend(commit.streams().map(|to| to.stream.clone()).zip(versions.copied()));
    }
}

/// A store that can guard a commit by queries (a dynamic consistency boundary).
///
/// For a rule that spans streams: read what it is about, decide, and append only if nothing of it
/// was added meanwhile. Commands of a runtime are guarded by the version of one stream; a commit
/// like this one is made beside them, and is visible to them as any other.
///
/// ```standalone_crate
/// use es_core::prelude::*;
/// use es_core::{
///     AppendCondition, AppendError, Commit, ConditionalAppend, EventId, ExpectedVersion, NewEvent,
///     Query, QueryItem, QueryRange, Tag,
/// };
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "book.lent")]
/// struct Lent {
///     #[event(tag)]
///     member: u64,
/// }
/// # #[derive(Aggregate, Default)]
/// # #[aggregate(name = "book", id = u64, events(Lent))]
/// # struct Book;
/// # impl Apply<Lent> for Book { fn apply(&mut self, _: &Lent) {} }
///
/// /// Lends the book unless the member has borrowed five. `false`: somebody was faster, try again.
/// async fn lend<S: ConditionalAppend>(
///     runtime: &Runtime<S>,
///     book: u64,
///     member: u64,
/// ) -> Result<bool, Box<dyn std::error::Error>> {
///     let query =
///         Query::from(QueryItem::named([Lent::NAME]).and_tagged([Tag::of("member", member)]));
///     let (mut lent, mut range) = (0, QueryRange::all());
///     loop {
///         let page = runtime.store().read(&query, range).await?;
///         // `BookEvent::decode(&recorded)?` reads an event whose content matters.
///         lent += page.events.len();
///         range = QueryRange::after(page.token(&range));
///         if !page.more {
///             break;
///         }
///     }
///     if lent >= 5 {
///         return Err("five books are enough".into());
///     }
///     let event = BookEvent::from(Lent { member }).encode(&mut Vec::new())?;
///     let commit = Commit::new(
///         Book::stream(&book)?,
///         ExpectedVersion::Any,
///         vec![NewEvent::new(EventId::generate(), event)],
///     )?;
///     let condition = AppendCondition { query, after: Some(range.after) };
///     match runtime.store().append_if(&commit, &[condition]).await {
///         Ok(_) => Ok(true),
///         Err(AppendError::Condition(_)) => Ok(false),
///         Err(error) => Err(error.into()),
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let runtime = Runtime::builder(es_memory_store::MemoryStore::new()).start().await?;
/// # for book in 0..5 { assert!(lend(&runtime, book, 7).await?); }
/// # assert!(lend(&runtime, 5, 7).await.is_err());
/// # assert!(lend(&runtime, 5, 8).await?);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Contract
/// 1. The conditions are checked in the same atomic step as the expected versions. A refused commit
///    leaves nothing behind.
/// 2. A condition fails when an event matches its query at a position above `after`; without
///    `after` when any does. The answer is [`AppendError::Condition`] with the first of the
///    conditions that fails, and the first event that matches it.
/// 3. Events of the commit itself never fail its conditions; events of unconditional commits fail
///    those of others.
/// 4. Conditions that no event matches never fail, whoever else writes: there are no false
///    conflicts.
/// 5. A repeated commit is answered as the first time, before its conditions are looked at.
/// 6. The conditions are the only difference: without any, and in everything else, it is
///    [`append`](EventStore::append).
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not guard a commit by a query",
    label = "has no append conditions",
    note = "use a store that implements `ConditionalAppend`, or guard the commit by expected versions"
)]
pub trait ConditionalAppend: EventStore {
    /// Appends a commit if all conditions hold.
    fn append_if(
        &self,
        commit: &Commit,
        conditions: &[AppendCondition],
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

/// In which direction a read goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// From the first to the last.
    #[default]
    Forward,
    /// From the last to the first.
    Backward,
}

/// Which part of a stream to read: from `from` to `to`, both included, at most `limit` events.
///
/// ```
/// use es_core::{Direction, StreamRange, Version};
///
/// let last_ten = StreamRange { direction: Direction::Backward, limit: 10, ..StreamRange::all() };
/// assert_eq!(last_ten.from, Version::new(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamRange {
    /// The lowest version.
    pub from: Version,
    /// The highest version.
    pub to: Version,
    /// Whether to begin with the lowest or with the highest.
    pub direction: Direction,
    /// The most events of a page.
    pub limit: usize,
}

impl StreamRange {
    /// The most events of a page, when nobody says otherwise.
    pub const PAGE: usize = 1024;

    /// The whole stream, page by page.
    pub const fn all() -> Self {
        Self::after(Version::ZERO)
    }

    /// What follows `version`, page by page.
    pub const fn after(version: Version) -> Self {
        Self {
            from: version.next(),
            to: Version::MAX,
            direction: Direction::Forward,
            limit: Self::PAGE,
        }
    }

    /// The rest of the range when `next` is the version to go on with.
    #[must_use]
    pub const fn continued(self, next: Version) -> Self {
        match self.direction {
            Direction::Forward => Self { from: next, ..self },
            Direction::Backward => Self { to: next, ..self },
        }
    }
}

/// Which part of the global order to read: above `after` up to and including `up_to`, at most
/// `limit` events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueryRange {
    /// Events at or below it are left out.
    pub after: Position,
    /// Events above it are left out.
    pub up_to: Position,
    /// Whether to begin with the lowest or with the highest.
    pub direction: Direction,
    /// The most events of a page.
    pub limit: usize,
}

impl QueryRange {
    /// Everything, page by page.
    pub const fn all() -> Self {
        Self::after(Position::ZERO)
    }

    /// What follows `position`, page by page.
    pub const fn after(position: Position) -> Self {
        Self {
            after: position,
            up_to: Position::MAX,
            direction: Direction::Forward,
            limit: StreamRange::PAGE,
        }
    }
}

/// A page of one stream.
#[derive(Clone, Debug)]
pub struct StreamPage {
    /// The events.
    pub events: Page,
    /// The version of the stream when it was read.
    pub version: Version,
    /// The version to go on with, or `None` when the range has no more events.
    pub next: Option<Version>,
}

/// A page of the events that match a query.
#[derive(Clone, Debug)]
pub struct QueryPage {
    /// The events.
    pub events: Page,
    /// The head of the store when it was read.
    pub head: Position,
    /// Whether the range holds more matching events than the page.
    pub more: bool,
}

impl QueryPage {
    /// Up to where a forward read has seen everything it asked for: the last event of the page if
    /// there are more, else the head.
    ///
    /// This is the position to go on after, and the `after` of an append condition.
    pub fn token(&self, range: &QueryRange) -> Position {
        if self.more {
            self.events.last().map_or(range.after, |last| last.position)
        } else {
            self.head.min(range.up_to).max(range.after)
        }
    }
}
