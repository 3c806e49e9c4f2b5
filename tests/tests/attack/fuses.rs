//! Events that can not be applied.

use std::sync::Arc;

use es_core::Runtime;
use es_core::prelude::*;
use es_memory_store::MemoryStore;
use es_tests::counter::CounterError;
use es_tests::faulty::FaultyStore;

use crate::{faulty, over, soon, spawn, until};

/// An aggregate that can not be applied any more when it has counted to three.
#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "fuse.burned")]
struct Burned {
    by: u8,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "fuse", id = u64, events(Burned), register = false)]
struct Fuse {
    left: Option<u8>,
}

impl Apply<Burned> for Fuse {
    fn apply(&mut self, event: &Burned) {
        match self.left.unwrap_or(100).checked_sub(event.by) {
            Some(left) => self.left = Some(left),
            None => panic!("the fuse has burned down"),
        }
    }
}

#[derive(Command, Clone)]
#[command(aggregate = Fuse)]
struct Burn {
    #[command(id)]
    fuse: u64,
    by: u8,
}

impl Handle<Burn> for Fuse {
    type Error = CounterError;
    fn handle(&self, burn: &Burn, _: &Context) -> Result<impl IntoEvents<Self>, CounterError> {
        Ok(Burned { by: burn.by })
    }
}

#[tokio::test]
async fn an_event_that_can_not_be_applied_hurts_its_own_sender_only() {
    let (store, runtime) = faulty().await;
    store.close();
    let first = spawn(&runtime, Burn { fuse: 1, by: 1 });
    until(|| store.held_up() == 1).await;
    let before: Vec<_> = (0..3).map(|_| spawn(&runtime, Burn { fuse: 1, by: 1 })).collect();
    let bad = spawn(&runtime, Burn { fuse: 1, by: 200 });
    let after: Vec<_> = (0..3).map(|_| spawn(&runtime, Burn { fuse: 1, by: 1 })).collect();
    tokio::task::yield_now().await;
    store.open();
    first.await.unwrap().unwrap();
    assert!(soon("the bad one", bad).await.unwrap_err().is_panic());
    for sent in before.into_iter().chain(after) {
        sent.await.unwrap().unwrap();
    }
    let loaded = runtime.load::<Fuse>(&1).await.unwrap();
    assert_eq!((loaded.state.left, loaded.version.get()), (Some(93), 7));
}

#[tokio::test]
async fn an_event_that_can_not_be_applied_is_not_stored() {
    let at_once = FaultyStore::immediate(Arc::new(MemoryStore::new()));
    for runtime in [faulty().await.1, over(Arc::new(at_once)).await] {
        runtime.execute(Burn { fuse: 1, by: 1 }).await.unwrap();
        assert!(spawn(&runtime, Burn { fuse: 1, by: 200 }).await.unwrap_err().is_panic());
        let loaded = spawn_load(&runtime).await.expect("the aggregate can never be loaded again");
        assert_eq!(loaded, Version::new(1));
        let receipt = runtime.execute(Burn { fuse: 1, by: 1 }).await.unwrap();
        assert_eq!(receipt.version, Version::new(2));
    }
}

fn spawn_load(runtime: &Runtime<FaultyStore>) -> tokio::task::JoinHandle<Version> {
    let runtime = runtime.clone();
    tokio::spawn(async move { runtime.load::<Fuse>(&1).await.unwrap().version })
}
