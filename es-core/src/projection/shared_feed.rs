//! Pages that the partitions of a generation share in a process: each is read and decoded once,
//! however many apply it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::projection::feed::{Feed, Fetched};
use crate::store::{EventStore, ReadError};
use crate::version::Position;

/// How many pages are kept for those who come later.
const KEPT_PAGES: usize = 4;

/// The feed of all partitions. Whoever has fallen back behind what is kept reads for itself.
pub(crate) struct SharedFeed<S> {
    shelf: Mutex<Shelf<S>>,
}

struct Shelf<S> {
    feed: Feed<S>,
    /// The last pages, each with the position that it follows.
    pages: VecDeque<(Position, Arc<Fetched>)>,
    /// Up to where pages were read.
    front: Position,
}

impl<S: EventStore> SharedFeed<S> {
    pub(crate) fn new(feed: Feed<S>) -> Self {
        let shelf = Shelf { feed, pages: VecDeque::new(), front: Position::ZERO };
        Self { shelf: Mutex::new(shelf) }
    }

    /// The page that follows a position; or nothing, for someone who is far behind the others.
    pub(crate) async fn next(&self, after: Position) -> Result<Option<Arc<Fetched>>, ReadError> {
        let mut shelf = self.shelf.lock().await;
        let mut kept = shelf.pages.iter();
        if let Some((_, page)) = kept.find(|(follows, _)| *follows == after) {
            return Ok(Some(Arc::clone(page)));
        }
        if after < shelf.front {
            return Ok(None);
        }
        let page = Arc::new(shelf.feed.next(after).await?);
        shelf.front = page.token;
        // One that leads nowhere would keep those who come later from seeing what is new.
        if page.token > after {
            if shelf.pages.len() == KEPT_PAGES {
                shelf.pages.pop_front();
            }
            shelf.pages.push_back((after, Arc::clone(&page)));
        }
        Ok(Some(page))
    }
}
