//! Reading the next page while the caller works on this one.
//!
//! Who reads a long page of something longer will ask for what follows. A thread that is idle reads
//! it meanwhile, so that decoding and reading run side by side.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use es_core::{
    Direction, Position, Query, QueryPage, QueryRange, StreamId, StreamPage, StreamRange,
};
use tokio::sync::oneshot;

use crate::error::Failure;
use crate::head::Head;
use crate::readers::Readers;

/// Shorter pages are not worth it.
const WORTHWHILE: usize = 256;

/// The most pages that wait to be asked for. The oldest is given up.
const MOST_PAGES: usize = 8;

/// So many pages of a stream are read side by side: it is known where each begins.
const PAGES_AHEAD: usize = 2;

/// Pages that were read before they are asked for.
pub(crate) struct ReadAhead {
    streams: Pages<(StreamId, StreamRange), StreamPage>,
    queries: Pages<(Query, QueryRange), QueryPage>,
}

/// Pages that are being read, by what would ask for them.
struct Pages<K, P>(Mutex<VecDeque<(K, oneshot::Receiver<Seen<P>>)>>);

/// A page, and the head of the store that it was read for.
type Seen<P> = Result<(P, Position), Failure>;

impl ReadAhead {
    pub(crate) fn new() -> Self {
        Self { streams: Pages::new(), queries: Pages::new() }
    }

    /// Forgets what was read ahead: what is stored has changed otherwise than by appending.
    pub(crate) fn clear(&self) {
        self.streams.lock().clear();
        self.queries.lock().clear();
    }

    /// Reads a page of a stream as it is at the head.
    pub(crate) async fn read_stream(
        &self,
        readers: &Readers,
        head: &Head,
        stream: &StreamId,
        range: StreamRange,
    ) -> Result<StreamPage, Failure> {
        let page = match self.streams.take(&(stream.clone(), range)).await {
            // Nothing was appended since: the page is what a read would find now.
            Some((page, seen)) if seen == head.now(readers).await? => page,
            _ => {
                let (stream, head) = (stream.clone(), head.clone());
                let read = readers.read(move |reader| {
                    let head = head.of(reader.connection)?;
                    reader.read_stream(&stream, range, head)
                });
                read.await?
            }
        };
        if let Some(next) = page.next
            && range.direction == Direction::Forward
            && page.events.len() >= WORTHWHILE
        {
            // One who wants a snapshot goes on to the version that the first page saw.
            let mut ahead = StreamRange { to: range.to.min(page.version), ..range.continued(next) };
            for _ in 0..PAGES_AHEAD {
                self.read_stream_ahead(readers, head, stream, ahead);
                // If that page ends before it is full, nobody will ask for this one.
                let behind = ahead.from.plus(ahead.limit as u64);
                if behind > ahead.to {
                    break;
                }
                ahead = ahead.continued(behind);
            }
        }
        Ok(page)
    }

    fn read_stream_ahead(
        &self,
        readers: &Readers,
        head: &Head,
        stream: &StreamId,
        range: StreamRange,
    ) {
        let key = (stream.clone(), range);
        if self.streams.holds(&key) {
            return;
        }
        let (answer, answered) = oneshot::channel();
        let (stream, head) = (stream.clone(), head.clone());
        let begun = readers.read_if_idle(answer, move |reader| {
            let head = head.of(reader.connection)?;
            Ok((reader.read_stream(&stream, range, head)?, head))
        });
        if begun {
            self.streams.put(key, answered);
        }
    }

    /// Reads a page of the events that match a query, as they are at the head.
    pub(crate) async fn read(
        &self,
        readers: &Readers,
        head: &Head,
        query: &Query,
        range: QueryRange,
    ) -> Result<QueryPage, Failure> {
        let ahead = match self.queries.take(&(query.clone(), range)).await {
            Some((page, seen)) => match head.now(readers).await? {
                now if now == seen => Some(page),
                // What was appended since comes behind the page; only its head is another one.
                now if page.more => Some(QueryPage { head: now, ..page }),
                _ => None,
            },
            None => None,
        };
        let page = match ahead {
            Some(page) => page,
            None => {
                let (query, head) = (query.clone(), head.clone());
                let read = readers.read(move |reader| {
                    let head = head.of(reader.connection)?;
                    reader.read(&query, range, head)
                });
                read.await?
            }
        };
        if page.more && range.direction == Direction::Forward && page.events.len() >= WORTHWHILE {
            let range = QueryRange { after: page.token(&range), ..range };
            let (answer, answered) = oneshot::channel();
            let (query, head) = (query.clone(), head.clone());
            self.queries.put((query.clone(), range), answered);
            readers.read_if_idle(answer, move |reader| {
                let head = head.of(reader.connection)?;
                Ok((reader.read(&query, range, head)?, head))
            });
        }
        Ok(page)
    }
}

impl<K: PartialEq, P> Pages<K, P> {
    fn new() -> Self {
        Self(Mutex::default())
    }

    // Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(K, oneshot::Receiver<Seen<P>>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page that was read for this, if there is one. An error is forgotten: a read will say it
    /// again.
    async fn take(&self, key: &K) -> Option<(P, Position)> {
        let (_, reading) = {
            let mut pages = self.lock();
            let index = pages.iter().position(|(known, _)| known == key)?;
            pages.remove(index)?
        };
        reading.await.ok()?.ok()
    }

    fn holds(&self, key: &K) -> bool {
        self.lock().iter().any(|(known, _)| known == key)
    }

    fn put(&self, key: K, reading: oneshot::Receiver<Seen<P>>) {
        let mut pages = self.lock();
        pages.retain(|(known, _)| *known != key);
        if pages.len() >= MOST_PAGES {
            pages.pop_front();
        }
        pages.push_back((key, reading));
    }
}
