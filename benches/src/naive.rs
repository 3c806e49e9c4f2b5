//! What a first attempt looks like: every command reloads the stream, and begins again when
//! somebody else was faster.

use es_core::bytes::Bytes;
use es_core::prelude::*;
use es_core::{
    AppendError, Commit, EventStore, ExpectedVersion, LoadError, Metadata, NewEvent, Runtime,
    SchemaVersion,
};
use es_memory_store::MemoryStore;

use crate::domain::{Account, Deposited};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Commit(#[from] es_core::InvalidCommit),
}

/// Deposits, and says how often it tried.
pub async fn deposit(
    runtime: &Runtime<MemoryStore>,
    account: u64,
    amount: u64,
) -> Result<u64, Error> {
    let mut attempts = 1;
    loop {
        let loaded = runtime.load::<Account>(&account).await?;
        let event = NewEvent {
            id: es_core::EventId::generate(),
            name: Deposited::NAME.into(),
            schema_version: SchemaVersion::FIRST,
            payload: Bytes::from(serde_json::to_vec(&Deposited { amount })?),
            tags: es_core::Tags::new(),
            occurred_at: None,
            metadata: Metadata::EMPTY,
        };
        let stream = Account::stream(&account).map_err(LoadError::from)?;
        let commit = Commit::new(stream, ExpectedVersion::Exact(loaded.version), vec![event])?;
        match runtime.store().append(&commit).await {
            Ok(_) => return Ok(attempts),
            Err(AppendError::Conflict(_)) => attempts += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::task::yield_now().await;
    }
}
