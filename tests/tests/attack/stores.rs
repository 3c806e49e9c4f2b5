//! Stores that lose events, and clocks that look at them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use es_core::prelude::*;
use es_core::{
    AppendError, ChainLink, Clock, Commit, EventStore, ExpectedVersion, LoadError, StreamId,
};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, Raise};

use crate::worst::Worst;
use crate::{new_event, over, poll_once};

#[tokio::test]
async fn a_chain_ends_where_a_commit_to_several_streams_did_not_end_as_expected() {
    let stream = |id: u64| StreamId::new("counter", id).unwrap();
    let store = MemoryStore::new();
    let any = ExpectedVersion::Any;
    let two = Commit::new(stream(1), any, vec![new_event()]).unwrap();
    let two = two.and(stream(2), any, vec![new_event()]).unwrap();
    store.append(&two).await.unwrap();
    store.append(&Commit::new(stream(2), any, vec![new_event()]).unwrap()).await.unwrap();
    // Repeated, it stands at version 1 of the second stream; the next believes it at version 2.
    let exact = ExpectedVersion::Exact(Version::new(2));
    let next = Commit::new(stream(2), exact, vec![new_event()]).unwrap();
    let answers = store.append_chain(&[two.clone(), next.clone()]).await;
    assert!(matches!(answers[1], Err(AppendError::Conflict(_))));
    // The second of its streams is looked at too.
    let mut link = ChainLink::default();
    link.extend(&two, answers[0].as_ref().unwrap());
    let next = Commit::new(stream(3), any, vec![new_event()]).unwrap();
    let next = next.and(stream(2), exact, vec![new_event()]).unwrap();
    assert!(link.check(&next).is_err());
}

#[tokio::test]
async fn a_store_that_loses_the_end_of_a_stream_is_found_out() {
    let store = Worst::over(&Arc::default());
    let runtime = over(Arc::clone(&store)).await;
    for _ in 0..3 {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
    store.loses_the_tail.store(true, Ordering::SeqCst);
    let failed = runtime.load::<Counter>(&1).await.unwrap_err();
    assert!(matches!(failed, LoadError::Gap { .. }));
    let history = runtime.history::<Counter>(&1).unwrap();
    // What is known for certain is still told.
    assert_eq!(history.at_version(Version::new(1)).await.unwrap().state.value, 1);
}

#[tokio::test]
async fn a_clock_may_look_at_the_store_that_it_serves() {
    struct Looking(std::sync::OnceLock<std::sync::Weak<MemoryStore>>);
    impl Clock for Looking {
        fn now(&self) -> es_core::jiff::Timestamp {
            if let Some(store) = self.0.get().and_then(std::sync::Weak::upgrade) {
                let mut head = std::pin::pin!(store.head());
                assert!(poll_once(head.as_mut()).is_ready());
            }
            es_core::jiff::Timestamp::UNIX_EPOCH
        }
    }
    let clock = Arc::new(Looking(std::sync::OnceLock::new()));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock)));
    clock.0.set(Arc::downgrade(&store)).unwrap();
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let stream = StreamId::new("counter", 1).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::Any, vec![new_event()]).unwrap();
        let mut append = std::pin::pin!(store.append(&commit));
        assert!(poll_once(append.as_mut()).is_ready());
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(5)).expect("the store waits for itself");
}
