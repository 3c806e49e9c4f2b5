//! Jobs: what is asked of the writer, and its answers.

use es_core::bytes::Bytes;
use es_core::{
    AppendCondition, AppendError, Appended, Commit, ExpectedRevision, Fence, FenceError, Inline,
    Position, RecordedCommit, RecordedEvent, Removal, RemovalError, Revision, RowWork, StateCommit,
    StateError, StateKey, StoreFailure, StreamId,
};
use tokio::sync::oneshot;

use crate::error::{Failure, MaintenanceError};
use crate::rows::Sqlite;

/// A transaction takes no more commits when it has so many events or so many bytes.
pub(crate) const MOST_EVENTS: usize = 8_192;
pub(crate) const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What is asked of the writer.
pub(crate) enum Job {
    Append {
        commits: Vec<Commit>,
        conditions: Vec<AppendCondition>,
        answer: oneshot::Sender<Vec<Result<Appended, AppendError>>>,
    },
    AppendRecorded {
        commits: Vec<RecordedCommit>,
        answer: oneshot::Sender<Vec<Result<Appended, AppendError>>>,
    },
    Put {
        key: StateKey,
        value: Bytes,
        expected: ExpectedRevision,
        answer: oneshot::Sender<Result<Revision, StateError>>,
    },
    Remove {
        key: StateKey,
        expected: ExpectedRevision,
        answer: oneshot::Sender<Result<(), StateError>>,
    },
    Commit {
        commit: StateCommit,
        rows: Option<RowWork<Sqlite>>,
        answer: oneshot::Sender<Result<Revision, StateError>>,
    },
    Enlist {
        inline: Inline,
        stay: bool,
        answer: oneshot::Sender<Result<(), StateError>>,
    },
    Fence {
        successor: String,
        answer: oneshot::Sender<Result<(Fence, Position), FenceError>>,
    },
    LiftFence {
        answer: oneshot::Sender<Result<Option<Fence>, FenceError>>,
    },
    /// Events go.
    RemoveEvents {
        removal: Removal,
        answer: oneshot::Sender<Result<(), RemovalError>>,
    },
    /// Events come back.
    PutBack {
        stream: StreamId,
        events: Vec<RecordedEvent>,
        answer: oneshot::Sender<Result<(), RemovalError>>,
    },
    Checkpoint {
        answer: oneshot::Sender<Result<Checkpointed, MaintenanceError>>,
    },
}

/// What a job came to, if the transaction is committed.
pub(crate) enum Outcome {
    Append(Vec<Result<Appended, AppendError>>),
    Put(Result<Revision, StateError>),
    Remove(Result<(), StateError>),
    Commit(Result<Revision, StateError>),
    Enlist(Result<(), StateError>),
    Fence(Result<(Fence, Position), FenceError>),
    LiftFence(Option<Fence>),
    Removal(Result<(), RemovalError>),
    /// Is done between transactions.
    Checkpoint,
}

/// How far a checkpoint came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Checkpointed {
    /// Whether everything was copied into the database file and the log was emptied. It is not when
    /// somebody still reads an older state.
    pub complete: bool,
    /// How many pages the log holds.
    pub log_pages: u64,
    /// How many of them are copied.
    pub copied_pages: u64,
}

impl Job {
    pub(crate) fn size(&self) -> (usize, usize) {
        match self {
            Self::Append { commits, .. } => total(commits.iter().map(size)),
            Self::AppendRecorded { commits, .. } => {
                total(commits.iter().map(|recorded| size(&recorded.commit)))
            }
            Self::Put { value, .. } => (1, value.len()),
            Self::Commit { commit, .. } => {
                let values = commit.changes.iter().filter_map(|change| change.value.as_ref());
                (commit.changes.len().max(1), values.map(Bytes::len).sum())
            }
            Self::RemoveEvents { removal: Removal { part, .. }, .. } => {
                let events = part.to.get().saturating_sub(part.from.get());
                (usize::try_from(events).unwrap_or(MOST_EVENTS), 0)
            }
            Self::PutBack { events, .. } => {
                (events.len(), events.iter().map(|event| event.payload.len()).sum())
            }
            Self::Remove { .. }
            | Self::Enlist { .. }
            | Self::Fence { .. }
            | Self::LiftFence { .. }
            | Self::Checkpoint { .. } => (1, 0),
        }
    }

    // Whoever waited may be gone.
    pub(crate) fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (
                Self::Append { answer, .. } | Self::AppendRecorded { answer, .. },
                Outcome::Append(answers),
            ) => {
                let _ = answer.send(answers);
            }
            (Self::Put { answer, .. }, Outcome::Put(result)) => {
                let _ = answer.send(result);
            }
            (Self::Remove { answer, .. }, Outcome::Remove(result))
            | (Self::Enlist { answer, .. }, Outcome::Enlist(result)) => {
                let _ = answer.send(result);
            }
            (Self::Commit { answer, .. }, Outcome::Commit(result)) => {
                let _ = answer.send(result);
            }
            (Self::Fence { answer, .. }, Outcome::Fence(result)) => {
                let _ = answer.send(result);
            }
            (Self::LiftFence { answer }, Outcome::LiftFence(fence)) => {
                let _ = answer.send(Ok(fence));
            }
            (
                Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. },
                Outcome::Removal(result),
            ) => {
                let _ = answer.send(result);
            }
            // An outcome is made from its own job. Whoever waits is told that nothing was answered.
            _ => {}
        }
    }

    /// Answers that nothing was stored.
    pub(crate) fn fail(self, failure: Failure) {
        match self {
            Self::Append { answer, .. } | Self::AppendRecorded { answer, .. } => {
                let _ = answer.send(vec![Err(failure.into())]);
            }
            Self::Put { answer, .. } | Self::Commit { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::Remove { answer, .. } | Self::Enlist { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::Fence { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::LiftFence { answer } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. } => {
                let _ = answer.send(Err(failure.into()));
            }
            Self::Checkpoint { answer } => {
                let _ = answer.send(Err(failure.into()));
            }
        }
    }

    /// Answers that it is not known what was stored.
    pub(crate) fn leave_open(self, failure: StoreFailure) {
        match self {
            Self::Append { answer, .. } | Self::AppendRecorded { answer, .. } => {
                let _ = answer.send(vec![Err(AppendError::OutcomeUnknown(failure))]);
            }
            Self::Put { answer, .. } | Self::Commit { answer, .. } => {
                let _ = answer.send(Err(StateError::OutcomeUnknown(failure)));
            }
            Self::Remove { answer, .. } | Self::Enlist { answer, .. } => {
                let _ = answer.send(Err(StateError::OutcomeUnknown(failure)));
            }
            Self::Fence { answer, .. } => {
                let _ = answer.send(Err(FenceError::OutcomeUnknown(failure)));
            }
            Self::LiftFence { answer } => {
                let _ = answer.send(Err(FenceError::OutcomeUnknown(failure)));
            }
            Self::RemoveEvents { answer, .. } | Self::PutBack { answer, .. } => {
                let _ = answer.send(Err(RemovalError::OutcomeUnknown(failure)));
            }
            Self::Checkpoint { .. } => {}
        }
    }
}

fn total(sizes: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    sizes.fold((0, 0), |(events, bytes), size| (events + size.0, bytes + size.1))
}

/// How many events and how many bytes of payloads a commit has.
pub(crate) fn size(commit: &Commit) -> (usize, usize) {
    let events = commit.streams().flat_map(|append| &append.events);
    events.fold((0, 0), |(events, bytes), event| (events + 1, bytes + event.payload.len()))
}
