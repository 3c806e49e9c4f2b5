//! What is remembered of commands that led to no event: one state record each, as far as the store
//! keeps such records. Those that led to events are known by these.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreFailure;
use crate::identity::CommandId;
use crate::metadata::RecordedCommand;
use crate::runtime::Runtime;
use crate::runtime::commit_log::{self, Failure};
use crate::runtime::decide::Sent;
use crate::runtime::error::CommandIdReused;
use crate::runtime::receipt::Receipt;
use crate::store::{
    AppendError, EventStore, ExpectedRevision, StateCommit, StateError, StateKey, StateRecord,
};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// The space of these records; their names are the ids of the commands.
pub const COMMANDS_WITHOUT_EVENTS: &str = "command-without-event";

/// Records that are looked at together.
const PAGE: usize = 256;

#[derive(Serialize, Deserialize)]
struct Remembered {
    stream: StreamId,
    /// The version of the stream when it was decided.
    version: Version,
    command: RecordedCommand,
    at: Timestamp,
}

fn key(id: CommandId) -> StateKey {
    StateKey::new(COMMANDS_WITHOUT_EVENTS, id.to_string())
}

fn read(key: &StateKey, record: &StateRecord) -> Result<Remembered, StateError> {
    serde_json::from_slice(&record.value).map_err(|error| {
        let what = format!("state record `{key}` is none of a command");
        StateError::Permanent(StoreFailure::caused_by(what, error))
    })
}

/// The receipt of a command that was accepted before and led to no event.
pub(crate) async fn recall(
    store: &impl EventStore,
    stream: &StreamId,
    sent: &Sent,
) -> Result<Option<Receipt>, Failure> {
    let Some(home) = store.projection_store() else { return Ok(None) };
    let key = key(sent.id);
    let Some(record) = home.dyn_get(&key).await.map_err(failure)? else { return Ok(None) };
    let Remembered { stream: first, version, command, .. } =
        read(&key, &record).map_err(failure)?;
    if let Some(difference) = commit_log::difference(&first, stream, Some(&command), sent) {
        return Err(Failure::IdReused(Box::new(CommandIdReused {
            command_id: sent.id,
            name: sent.name,
            stream: first,
            version,
            position: Position::ZERO,
            difference,
        })));
    }
    let receipt = commit_log::receipt_of_nothing(stream, version, 0);
    Ok(Some(Receipt { repeated: true, ..receipt }))
}

/// Remembers a command that was accepted and led to no event, before it is answered.
pub(crate) async fn remember(
    store: &impl EventStore,
    stream: &StreamId,
    version: Version,
    sent: &Sent,
) -> Result<(), Failure> {
    let Some(home) = store.projection_store() else { return Ok(()) };
    let command = RecordedCommand {
        name: sent.name.to_owned(),
        id: Some(sent.id),
        fingerprint: Some(sent.fingerprint),
    };
    let remembered = Remembered { stream: stream.clone(), version, command, at: Timestamp::now() };
    let value = serde_json::to_vec(&remembered).map_err(|error| {
        let what = "what is remembered of a command can not be written";
        failure(StateError::Permanent(StoreFailure::caused_by(what, error)))
    })?;
    let mut commit = StateCommit::default();
    commit.put(key(sent.id), value, ExpectedRevision::Missing);
    match home.dyn_commit(commit, None).await {
        // Another process has decided the very command the same way meanwhile.
        Ok(_) | Err(StateError::Conflict { .. }) => Ok(()),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: StateError) -> Failure {
    Failure::Append(match error {
        StateError::Transient(failure) => AppendError::Transient(failure),
        StateError::OutcomeUnknown(failure) => AppendError::OutcomeUnknown(failure),
        StateError::Permanent(failure) => AppendError::Permanent(failure),
        error => AppendError::Permanent(StoreFailure::new(error.to_string())),
    })
}

impl<S: EventStore> Runtime<S> {
    /// Forgets the commands with an id that led to no event and were decided before this time, and says
    /// how many there were. Whoever sends one of them again has it decided anew.
    ///
    /// The store keeps one small record for each of them, for ever unless you say so: choose a time
    /// after which nobody sends a command again.
    ///
    /// # Errors
    /// When the records can not be read or removed.
    pub async fn forget_commands(&self, before: Timestamp) -> Result<u64, StateError> {
        let Some(home) = self.shared.store.projection_store() else { return Ok(0) };
        let (mut after, mut forgotten) = (None::<String>, 0);
        loop {
            let page = home.dyn_list(COMMANDS_WITHOUT_EVENTS, after.as_deref(), PAGE).await?;
            let mut commit = StateCommit::default();
            for (key, record) in &page.records {
                if read(key, record)?.at < before {
                    commit.remove(key.clone(), ExpectedRevision::Any);
                }
            }
            if !commit.changes.is_empty() {
                forgotten += commit.changes.len() as u64;
                home.dyn_commit(commit, None).await?;
            }
            match page.next() {
                Some(name) => after = Some(name.to_owned()),
                None => return Ok(forgotten),
            }
        }
    }
}
