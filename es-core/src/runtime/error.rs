//! Why a command was not carried out, or a wait not fulfilled.

use crate::commit::InvalidCommit;
use crate::error::{ErrorCategory, StoreFailure};
use crate::event_set::EncodeError;
use crate::identity::CommandId;
use crate::projection::ProjectionState;
use crate::registry::RegistryError;
use crate::runtime::replay::LoadError;
use crate::store::{AppendError, ReadError, StateError, VersionConflict};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// Why a command was not carried out. `E` is the domain's own error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError<E> {
    /// The domain refused the command.
    #[error(transparent)]
    Rejected(E),
    /// The command creates an instance, but that exists.
    #[error("stream `{stream}` exists already, at version {version}; this command makes a new one")]
    AlreadyExists {
        /// The stream.
        stream: StreamId,
        /// The version of its last event.
        version: Version,
    },
    /// Others were faster every time. Nothing was stored.
    #[error("{conflict}, after {attempts} attempts")]
    Conflict {
        /// The last conflict.
        conflict: Box<VersionConflict>,
        /// How often the command was decided.
        attempts: u32,
    },
    /// The state could not be had.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An event of the decision can not be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The decision makes a commit that no store would take.
    #[error(transparent)]
    InvalidCommit(#[from] InvalidCommit),
    /// The store did not take the commit.
    #[error(transparent)]
    Append(AppendError),
    /// Another command was carried out under this command's id. Nothing was stored.
    #[error(transparent)]
    CommandIdReused(Box<CommandIdReused>),
    /// The runtime stopped while the command waited for its turn, or a handler of another command
    /// on this aggregate panicked: it was carried out or not. Send it again with the same
    /// [`command_id`](crate::Execute::command_id) to be sure.
    #[error("it is not known whether the command was carried out: {0}")]
    OutcomeUnknown(StoreFailure),
}

impl<E> ExecuteError<E> {
    /// What the sender can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Rejected(_) | Self::AlreadyExists { .. } => ErrorCategory::Rejected,
            Self::Conflict { .. } => ErrorCategory::Conflict,
            Self::Load(error) => error.category(),
            Self::Encode(_) | Self::InvalidCommit(_) | Self::CommandIdReused(_) => {
                ErrorCategory::Permanent
            }
            Self::Append(error) => error.category(),
            Self::OutcomeUnknown(_) => ErrorCategory::OutcomeUnknown,
        }
    }
}

/// An id that was given to two commands. The first was carried out; the second was not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "command `{name}` has id {command_id}, under which another command was carried out: {difference} (version {version} of stream `{stream}`, position {position}); give every command an id of its own"
)]
pub struct CommandIdReused {
    /// The id.
    pub command_id: CommandId,
    /// The name of the command that was sent now.
    pub name: &'static str,
    /// The stream of the command that was carried out.
    pub stream: StreamId,
    /// The version of the first event that it led to, or that of the stream if it led to none.
    pub version: Version,
    /// The position of that event, or zero.
    pub position: Position,
    /// What tells the two apart.
    pub difference: CommandDifference,
}

/// What tells two commands with one id apart.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandDifference {
    /// They are for two aggregates.
    #[error("that one was not for stream `{sent}`")]
    Stream {
        /// The stream of the command that was sent now.
        sent: StreamId,
    },
    /// They have two names.
    #[error("that one is a `{recorded}`")]
    Name {
        /// The name of the command that was carried out.
        recorded: String,
    },
    /// Their fields have other values.
    #[error(
        "that one has other values in its fields; mark what differs each time a command is sent again with `#[command(varies)]`"
    )]
    Fields,
}

/// Why a runtime did not start.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The registry is not sound.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An aggregate asks for snapshots, and nobody has said where they go.
    #[error(
        "aggregate `{aggregate}` asks for snapshots: call `.snapshots()` on the builder of the runtime, which needs a store that is a `StateStore`, or `.without_snapshots()`"
    )]
    NoPlaceForSnapshots {
        /// The stored name of the aggregate.
        aggregate: &'static str,
    },
    /// There is no tokio runtime to run projections on.
    #[error(
        "a runtime starts inside a tokio runtime: write `#[tokio::main]` above `async fn main`"
    )]
    NoTokio,
    /// The tokio runtime has no timer, which pauses between attempts need.
    #[error(
        "a runtime needs tokio's timer: call `.enable_time()` or `.enable_all()` on the builder of the tokio runtime"
    )]
    NoTimer,
    /// A projection is to be changed in the step that appends, which the store can not do.
    #[error(
        "projection `{name}` is `inline`, but this store can not change it in the step that appends: use a store that implements `InlineStore`, or remove `inline`"
    )]
    NotInline {
        /// The stored name of the projection.
        name: &'static str,
    },
    /// A projection can not live in the store.
    #[error("projection `{name}` keeps {keeps}, which this store can not: {help}")]
    NoHome {
        /// The stored name of the projection.
        name: &'static str,
        /// What it keeps.
        keeps: String,
        /// What to do.
        help: &'static str,
    },
}

/// The runtime does not run a projection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "projection `{name}` is not registered in this runtime: derive `Projection` without `register = false`, or add it with `Registry::builder().projection_with(...)`"
)]
pub struct NotRegistered {
    /// The stored name of the projection.
    pub name: &'static str,
}

/// No projection of the runtime has this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no projection `{name}`, only {}", known.join(", "))]
pub struct UnknownProjection {
    /// The name that was asked for.
    pub name: String,
    /// The names that there are.
    pub known: Vec<&'static str>,
}

/// Why a projection has not applied what was waited for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The runtime has no such projection.
    #[error(transparent)]
    NotRegistered(#[from] NotRegistered),
    /// The projection stands before an event that it can not apply.
    #[error(
        "projection `{name}` is parked at position {position}{} and has not applied {wanted}: {error}; `Runtime::projection_handle` can `resume` it after a fix, or `skip` the event",
        key.as_ref().map(|key| format!(" for key `{key}`")).unwrap_or_default()
    )]
    Parked {
        /// The stored name of the projection.
        name: &'static str,
        /// The position that was waited for.
        wanted: Position,
        /// The position of the event that failed.
        position: Position,
        /// The only key that is parked, if it is not all of the projection.
        key: Option<String>,
        /// What went wrong with it.
        error: String,
    },
    /// The deadline has passed, and the projection goes on.
    #[error(
        "projection `{name}` is at position {position} and {lag} behind {wanted}, which was not reached in time ({state:?})"
    )]
    Late {
        /// The stored name of the projection.
        name: &'static str,
        /// The position that was waited for.
        wanted: Position,
        /// How far it has come.
        position: Position,
        /// How many positions lie between.
        lag: u64,
        /// How it is.
        state: ProjectionState,
    },
    /// The deadline has passed, and the first generation of this version is not complete yet.
    #[error(
        "projection `{name}` is being built and has come to position {position}; it is not served before it is complete"
    )]
    Rebuilding {
        /// The stored name of the projection.
        name: &'static str,
        /// The position that was waited for.
        wanted: Position,
        /// How far the rebuild has come.
        position: Position,
    },
    /// Somebody has decided that an event of the commit is not applied.
    #[error(
        "projection `{name}` has not applied the event at position {position}: somebody has decided to skip it"
    )]
    Skipped {
        /// The stored name of the projection.
        name: &'static str,
        /// The position of the event.
        position: Position,
    },
    /// The projection has ended.
    #[error(
        "projection `{name}` ended at position {position} and has not applied {wanted}: {reason}"
    )]
    Stopped {
        /// The stored name of the projection.
        name: &'static str,
        /// The position that was waited for.
        wanted: Position,
        /// How far it had come.
        position: Position,
        /// Why it ended.
        reason: String,
    },
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What the store knows of the projection could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}
