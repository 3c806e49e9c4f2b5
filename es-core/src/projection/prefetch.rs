//! Reading ahead in a store that answers at once. Its futures never wait, so that a task would run
//! between the pages and not beside them: a thread does it.

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::projection::feed::{Fetched, Reader};
use crate::store::{EventStore, ReadError};
use crate::version::Position;

/// So many pages wait to be applied.
const PAGES: usize = 2;

/// Pages that a thread reads in order.
pub(crate) struct Prefetch {
    /// Behind which position the next page begins.
    after: Position,
    pages: mpsc::Receiver<Result<Fetched, ReadError>>,
}

impl Prefetch {
    /// Begins to read behind a position. The permit is given back when the thread has let go of the
    /// store.
    pub(crate) fn start<S: EventStore>(
        reader: Reader<S>,
        after: Position,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let (sender, pages) = mpsc::channel(PAGES);
        let tokio = Handle::current();
        tokio::task::spawn_blocking(move || {
            let mut at = after;
            loop {
                // Whoever applies pages has something to do while one waits: so long this thread
                // decodes. What is left then is decoded there, and both are busy all the time.
                let is_wanted = || sender.capacity() == PAGES;
                let fetched = tokio.block_on(reader.read_until_wanted(at, is_wanted));
                let next = fetched.as_ref().ok().and_then(|it| it.more.then_some(it.token));
                // Nobody may want it any more.
                let sent = sender.blocking_send(fetched);
                match next {
                    Some(token) if sent.is_ok() => at = token,
                    _ => break,
                }
            }
            drop((reader, permit));
        });
        Self { after, pages }
    }

    /// The page that follows a position, if that is the next one and there is one.
    pub(crate) async fn next(&mut self, after: Position) -> Option<Result<Fetched, ReadError>> {
        if after != self.after {
            return None;
        }
        // The thread ends with the last page, with an error, or with a panic in the store: whoever
        // reads the page without it sees why.
        let fetched = self.pages.recv().await?;
        if let Ok(fetched) = &fetched {
            self.after = fetched.token;
        }
        Some(fetched)
    }
}
