//! Bringing events back from segments into the store.

use es_core::{RecordedEvent, RemovalError, StreamId, StreamRemoval, Stub};

use crate::archive::{Archive, reading};
use crate::error::ArchiveError;

/// What was restored.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Restored {
    /// How many streams.
    pub streams: u64,
    /// How many events.
    pub events: u64,
    /// Streams of which something was removed for good: that, and what is before it, stays away.
    pub gone: Vec<StreamId>,
}

/// How many stubs are asked for at once.
const STUBS: usize = 256;

/// How often a store that can not do it now is asked again.
const ATTEMPTS: u32 = 5;

impl Archive {
    /// Brings everything back that is archived.
    ///
    /// Each part of a stream comes back in one atomic step, the last one first: after a crash run it
    /// again. The segments stay where they are.
    ///
    /// # Errors
    /// When a segment is missing or damaged, or the store fails. What was restored until then stays.
    pub async fn restore_all<S: StreamRemoval>(&self, store: &S) -> Result<Restored, ArchiveError> {
        let mut done = Restored::default();
        let mut after: Option<StreamId> = None;
        loop {
            let stubs = store.stubs(after.as_ref(), STUBS).await?;
            let Some(last) = stubs.last() else { return Ok(done) };
            after = Some(last.stream.clone());
            for stub in stubs {
                self.restore_stub(store, stub, &mut done).await?;
            }
        }
    }

    /// Brings one stream back. One that is not archived is as it was.
    ///
    /// # Errors
    /// As [`restore_all`](Self::restore_all).
    pub async fn restore<S: StreamRemoval>(
        &self,
        store: &S,
        stream: &StreamId,
    ) -> Result<Restored, ArchiveError> {
        let mut done = Restored::default();
        if let Some(stub) = store.stub(stream).await? {
            self.restore_stub(store, stub, &mut done).await?;
        }
        Ok(done)
    }

    async fn restore_stub<S: StreamRemoval>(
        &self,
        store: &S,
        stub: Stub,
        done: &mut Restored,
    ) -> Result<(), ArchiveError> {
        let Stub { stream, parts, .. } = stub;
        for part in parts.into_iter().rev() {
            if part.segment.is_none() {
                done.gone.push(stream);
                return Ok(());
            }
            let (archive, of) = (self.clone(), stream.clone());
            let events = reading(move || archive.read(&of, &part)).await?;
            put_back(store, &stream, &events).await?;
            done.events += events.len() as u64;
        }
        done.streams += 1;
        Ok(())
    }
}

async fn put_back<S: StreamRemoval>(
    store: &S,
    stream: &StreamId,
    events: &[RecordedEvent],
) -> Result<(), RemovalError> {
    let mut attempts = 1;
    loop {
        match store.put_back(stream, events).await {
            Err(RemovalError::Transient(_) | RemovalError::OutcomeUnknown(_))
                if attempts < ATTEMPTS =>
            {
                attempts += 1;
                tokio::task::yield_now().await;
            }
            done => return done,
        }
    }
}
