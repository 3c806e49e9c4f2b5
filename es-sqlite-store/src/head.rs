//! Where the log ends, for those who read.

use es_core::Position;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::error::Failure;
use crate::pages::{self, Reader};
use crate::readers::Readers;

/// The head of the log, and its news.
///
/// Who has the file alone knows the head from the writer: a commit is in the file a moment before it
/// is published, and if one read saw it already and the next one did not yet, time would run
/// backwards. Who shares the file must see what others have acknowledged, and asks the file.
#[derive(Clone)]
pub(crate) struct Head {
    published: watch::Receiver<Position>,
    shared: bool,
}

/// The head that is about to be stored together with what inline projections have changed.
///
/// Their records and rows are in the file a moment before the events are published. Whoever reads them in
/// that moment is answered after it, or would find a read model that is ahead of the log.
#[derive(Clone)]
pub(crate) struct Settling(watch::Receiver<Option<Position>>);

impl Settling {
    pub(crate) fn new(storing: watch::Receiver<Option<Position>>) -> Self {
        Self(storing)
    }

    /// Reads something that is no event.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        readers: &Readers,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut storing = self.0.clone();
        let now = storing.clone();
        let (answer, seen) = readers
            .read(move |reader| {
                let answer = read(reader)?;
                let is_storing = now.borrow().is_some();
                let seen = is_storing.then(|| pages::head(reader.connection)).transpose()?;
                Ok((answer, seen))
            })
            .await?;
        if let Some(seen) = seen {
            // An error would mean that the writer is gone, and nobody publishes any more.
            let _ = storing.wait_for(|head| head.is_none_or(|head| head > seen)).await;
        }
        Ok(answer)
    }
}

impl Head {
    pub(crate) fn new(published: watch::Receiver<Position>, shared: bool) -> Self {
        Self { published, shared }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The head as a read with this connection finds it now.
    pub(crate) fn of(&self, connection: &Connection) -> Result<Position, Failure> {
        if self.shared { pages::head(connection) } else { Ok(*self.published.borrow()) }
    }

    /// The head now.
    pub(crate) async fn now(&self, readers: &Readers) -> Result<Position, Failure> {
        if !self.shared {
            return Ok(*self.published.borrow());
        }
        readers.read(|reader| pages::head(reader.connection)).await
    }

    /// Waits until the head is beyond a position, and answers with the head then.
    pub(crate) async fn beyond(
        &self,
        position: Position,
        readers: &Readers,
    ) -> Result<Position, Failure> {
        let mut published = self.published.clone();
        if self.shared {
            // What is published comes a moment after what is in the file.
            let now = self.now(readers).await?;
            if now > position {
                return Ok(now);
            }
        }
        let told = match published.wait_for(|head| *head > position).await {
            Ok(head) => *head,
            Err(_) => return Err(Failure::Stopped),
        };
        if self.shared { Ok(self.now(readers).await?.max(told)) } else { Ok(told) }
    }
}
