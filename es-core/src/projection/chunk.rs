//! Decoded events, and where they are dropped: by the thread that has decoded them.
//!
//! An event is decoded to dozens of small allocations. If one thread gives them back while another asks
//! for new ones, an allocator with a heap for each thread sends the same memory to and fro between the
//! cores.

use std::any::Any;
use std::sync::{Arc, Mutex};

use crate::error::ignore_poison;

/// A part of a page's events, decoded; the type of the events is forgotten.
pub(crate) struct Chunk {
    /// There are none only while it is dropped.
    events: Option<Events>,
    /// Who drops them, if that matters.
    home: Option<Arc<Home>>,
}

type Events = Box<dyn Any + Send + Sync>;

/// Takes back the chunks of a thread, to be dropped there.
pub(crate) struct Home(Mutex<Option<Vec<Events>>>);

impl Chunk {
    pub(crate) fn new(events: impl Any + Send + Sync) -> Self {
        Self { events: Some(Box::new(events)), home: None }
    }

    /// The events, if they are of this type.
    pub(crate) fn events<T: Any>(&self) -> Option<&T> {
        self.events.as_deref()?.downcast_ref()
    }

    /// The same chunk, which goes home when it is dropped.
    pub(crate) fn with_home(mut self, home: &Arc<Home>) -> Self {
        self.home = Some(Arc::clone(home));
        self
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let (Some(home), Some(events)) = (self.home.take(), self.events.take()) {
            home.take_back(events);
        }
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    fn take_back(&self, events: Events) {
        let mut chunks = ignore_poison(self.0.lock());
        match &mut *chunks {
            Some(chunks) => chunks.push(events),
            None => {
                drop(chunks);
                drop(events);
            }
        }
    }

    /// Drops what has come back.
    pub(crate) fn clear(&self) {
        let mut chunks = ignore_poison(self.0.lock());
        let returned = chunks.as_mut().map(std::mem::take);
        drop(chunks);
        drop(returned);
    }

    /// What comes later is dropped where it is.
    pub(crate) fn close(&self) {
        let returned = ignore_poison(self.0.lock()).take();
        drop(returned);
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};

    use super::*;

    /// Notes in which thread it is dropped.
    struct Noted(Arc<Mutex<Vec<ThreadId>>>);

    impl Drop for Noted {
        fn drop(&mut self) {
            ignore_poison(self.0.lock()).push(thread::current().id());
        }
    }

    #[test]
    fn a_chunk_is_dropped_at_home_as_long_as_there_is_one() {
        let dropped = Arc::new(Mutex::new(Vec::new()));
        let home = Arc::new(Home::new());
        let chunk = |home: &Arc<Home>| Chunk::new(Noted(Arc::clone(&dropped))).with_home(home);
        let (first, second) = (chunk(&home), chunk(&home));
        let elsewhere = |chunk| {
            let thread = thread::spawn(move || drop(chunk));
            let id = thread.thread().id();
            thread.join().map(|()| id)
        };
        assert!(elsewhere(first).is_ok());
        assert!(ignore_poison(dropped.lock()).is_empty());
        home.clear();
        assert_eq!(*ignore_poison(dropped.lock()), [thread::current().id()]);
        home.close();
        let other = elsewhere(second).ok();
        assert_eq!(ignore_poison(dropped.lock()).last().copied(), other);
    }
}
