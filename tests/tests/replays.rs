//! Handlers are told what is a replay, in every home: what was there when the read model was begun, and
//! nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use es_core::prelude::*;
use es_core::{EventStore, ProjectRows, ProjectionState, Registry, RowTables, Runtime};
use es_memory_store::MemoryStore;
use es_sqlite_store::{Durability, Sqlite, SqliteStore, SqliteTransaction};
use es_tests::counter::{Counter, Raise, Raised};
use es_tests::paused::{PausedStore, Trouble};

const PATIENCE: Duration = Duration::from_secs(60);

/// The positions of events, and whether each was a replay.
type Told = Vec<(u64, bool)>;

/// A handler that breaks the contract, so that what is held shows what it was told.
macro_rules! tells {
    ($($projection:ident)*) => {$(
        impl Project<Raised> for $projection {
            fn project(&mut self, event: &Raised, recorded: &Recorded) -> Result<(), ProjectError> {
                if event.by == 13 {
                    return Err(ProjectError::new("thirteen"));
                }
                self.told.push((recorded.position.get(), false));
                Ok(())
            }

            fn replay(&mut self, _: &Raised, recorded: &Recorded) -> Result<(), ProjectError> {
                self.told.push((recorded.position.get(), true));
                Ok(())
            }
        }
    )*};
}

tells!(State Document Parted InlineDocument);

#[derive(Projection, Default)]
#[projection(name = "state", events(Raised), register = false)]
struct State {
    told: Told,
}

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "document", events(Raised), documents, register = false)]
struct Document {
    told: Told,
}

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "parted", events(Raised), documents, partitions = 3, register = false)]
struct Parted {
    told: Told,
}

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "inline-document", events(Raised), documents, inline, register = false)]
struct InlineDocument {
    told: Told,
}

#[derive(Projection)]
#[projection(name = "rows", events(Raised), rows = Sqlite, register = false)]
struct Rows;

#[derive(Projection)]
#[projection(name = "inline-rows", events(Raised), rows = Sqlite, inline, register = false)]
struct InlineRows;

macro_rules! tells_in_rows {
    ($($projection:ident $table:literal)*) => {$(
        impl RowTables<Sqlite> for $projection {
            const TABLES: &'static [&'static str] = &[$table];

            fn create(rows: &mut SqliteTransaction<'_>) -> Result<(), ProjectError> {
                rows.execute_batch(concat!(
                    "CREATE TABLE {",
                    $table,
                    "} (position INTEGER PRIMARY KEY, replay INTEGER NOT NULL)"
                ))?;
                Ok(())
            }
        }

        impl ProjectRows<Sqlite, Raised> for $projection {
            fn project(
                rows: &mut SqliteTransaction<'_>,
                _: &Raised,
                recorded: &Recorded<'_>,
            ) -> Result<(), ProjectError> {
                let insert = concat!("INSERT INTO {", $table, "} VALUES (?1, 0)");
                rows.execute(insert, [recorded.position.get().cast_signed()])?;
                Ok(())
            }

            fn replay(
                rows: &mut SqliteTransaction<'_>,
                _: &Raised,
                recorded: &Recorded<'_>,
            ) -> Result<(), ProjectError> {
                let insert = concat!("INSERT INTO {", $table, "} VALUES (?1, 1)");
                rows.execute(insert, [recorded.position.get().cast_signed()])?;
                Ok(())
            }
        }
    )*};
}

tells_in_rows!(Rows "told" InlineRows "told_inline");

const STATE: &str = "state";
const STORED: [&str; 5] = ["document", "parted", "rows", "inline-document", "inline-rows"];

fn open(file: &Path) -> SqliteStore {
    SqliteStore::builder(file).durability(Durability::Process).open().unwrap()
}

async fn with_all(file: &Path) -> Runtime<SqliteStore> {
    let registry = Registry::builder().aggregate::<Counter>().projection::<State>();
    let registry = registry.projection::<Document>().projection::<Parted>().projection::<Rows>();
    let registry = registry.projection::<InlineDocument>().projection::<InlineRows>();
    Runtime::builder(open(file)).registry(registry.build().unwrap()).start().await.unwrap()
}

async fn append(store: SqliteStore, events: u64) {
    let registry = Registry::builder().aggregate::<Counter>().build().unwrap();
    let runtime = Runtime::builder(store).registry(registry).start().await.unwrap();
    raise(&runtime, events).await;
    runtime.shutdown().await;
}

async fn raise<S: EventStore>(runtime: &Runtime<S>, events: u64) {
    for _ in 0..events {
        runtime.execute(Raise { counter: 1, by: 1 }).await.unwrap();
    }
}

async fn document<P, S: EventStore>(runtime: &Runtime<S>, told: impl Fn(P) -> Told) -> Told
where
    P: es_core::DocumentProjection,
    P::Home: es_core::DocumentsIn<S>,
{
    runtime.wait_until_current::<P>().within(PATIENCE).await.unwrap();
    runtime.documents::<P>().unwrap().get(1).await.unwrap().map(told).unwrap_or_default()
}

async fn rows(runtime: &Runtime<SqliteStore>, table: &'static str) -> Told {
    let read = runtime.store().read_rows(move |connection| {
        let sql = format!("SELECT position, replay FROM {table} ORDER BY position");
        let mut select = connection.prepare(&sql)?;
        let rows =
            select.query_map([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
        rows.collect()
    });
    read.await.unwrap()
}

/// What the handlers of what is served were told, by projection.
async fn told(runtime: &Runtime<SqliteStore>) -> BTreeMap<&'static str, Told> {
    runtime.wait_until_current::<State>().within(PATIENCE).await.unwrap();
    runtime.wait_until_current::<Rows>().within(PATIENCE).await.unwrap();
    runtime.wait_until_current::<InlineRows>().within(PATIENCE).await.unwrap();
    BTreeMap::from([
        (STATE, runtime.projection::<State>().unwrap().read(|state| state.told.clone())),
        ("document", document::<Document, _>(runtime, |it| it.told).await),
        ("parted", document::<Parted, _>(runtime, |it| it.told).await),
        ("inline-document", document::<InlineDocument, _>(runtime, |it| it.told).await),
        ("rows", rows(runtime, "told").await),
        ("inline-rows", rows(runtime, "told_inline").await),
    ])
}

/// Positions up to the first number are replays, the others up to the second one are not.
fn replayed(until: u64, last: u64) -> Told {
    (1..=last).map(|position| (position, position <= until)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_what_was_there_when_the_read_model_was_begun_in_every_home() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("told.db");
    append(open(&file), 3).await;

    // The first start over a history, and what is appended then.
    let runtime = with_all(&file).await;
    for (projection, told) in told(&runtime).await {
        assert_eq!(told, replayed(3, 3), "{projection}");
    }
    raise(&runtime, 2).await;
    for (projection, told) in told(&runtime).await {
        assert_eq!(told, replayed(3, 5), "{projection}");
    }
    runtime.shutdown().await;
    drop(runtime);

    // What is appended while no process runs is new to what is stored; the state in memory begins anew.
    append(open(&file), 2).await;
    let runtime = with_all(&file).await;
    raise(&runtime, 1).await;
    let all = told(&runtime).await;
    assert_eq!(all[STATE], replayed(7, 8));
    for projection in STORED {
        assert_eq!(all[projection], replayed(3, 8), "{projection}");
    }

    // A rebuild.
    for projection in STORED.iter().chain(&[STATE]) {
        let handle = runtime.projection_handle(projection).unwrap();
        handle.rebuild().await.unwrap().finished().await.unwrap();
    }
    raise(&runtime, 2).await;
    for (projection, told) in told(&runtime).await {
        assert_eq!(told, replayed(8, 10), "{projection}");
    }

    // The read model of a moment in the past is made of the past alone.
    let then = runtime.projection_as_of::<State>(es_core::Position::new(9)).await.unwrap();
    assert_eq!(then.told, replayed(9, 9));
    runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_served_generation_has_applied_is_a_replay_to_the_one_that_is_built_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = with_all(&directory.path().join("told.db")).await;
    raise(&runtime, 2).await;
    for (round, projection) in STORED.into_iter().enumerate() {
        let round = round as u64;
        let handle = runtime.projection_handle(projection).unwrap();
        handle.rebuild_and_hold().await.unwrap().finished().await.unwrap();
        // It is new to the served one alone, or to both; that depends on who is first.
        raise(&runtime, 1).await;
        let before = told(&runtime).await;
        assert_eq!(before[projection], replayed(0, 3 + 3 * round), "{projection}");
        handle.swap().await.unwrap().finished().await.unwrap();
        let after = told(&runtime).await;
        let begun_at = (2 + 3 * round) as usize;
        assert_eq!(after[projection][..begun_at], replayed(2 + 3 * round, 2 + 3 * round));
        // The one before it has not applied these, but they are not new to the read model.
        raise(&runtime, 1).await;
        told(&runtime).await;
        handle.roll_back().await.unwrap().finished().await.unwrap();
        raise(&runtime, 1).await;
        let again = told(&runtime).await;
        let expected =
            [replayed(0, 3 + 3 * round), vec![(4 + 3 * round, true), (5 + 3 * round, false)]];
        assert_eq!(again[projection], expected.concat(), "{projection}");
    }
    runtime.shutdown().await;
}

async fn on_memory(store: &Arc<PausedStore>) -> Runtime<PausedStore> {
    let registry = Registry::builder().aggregate::<Counter>().projection::<State>();
    let registry = registry.projection::<Document>().projection::<Parted>().build().unwrap();
    let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry);
    // One that has failed does not give its lease back.
    builder.projection_lease(Duration::from_millis(200)).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_was_interrupted_goes_on_as_a_replay() {
    let store = Arc::new(PausedStore::new(Arc::new(MemoryStore::new())));
    let runtime = on_memory(&store).await;
    raise(&runtime, 3).await;
    document::<Document, _>(&runtime, |it| it.told).await;
    // The second generation is begun and can not be filled.
    store.set_trouble(Some(Trouble::Commits("checkpoint/document/2")));
    let handle = runtime.projection_handle("document").unwrap();
    handle.rebuild().await.unwrap().finished().await.unwrap_err();
    runtime.shutdown().await;
    store.set_trouble(None);
    let runtime = on_memory(&store).await;
    let handle = runtime.projection_handle("document").unwrap();
    handle.rebuild().await.unwrap().finished().await.unwrap();
    assert_eq!(handle.status().generation, Some(2));
    raise(&runtime, 1).await;
    assert_eq!(document::<Document, _>(&runtime, |it| it.told).await, replayed(3, 4));
    runtime.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_could_not_be_applied_is_as_new_as_it_was() {
    let store = Arc::new(PausedStore::new(Arc::new(MemoryStore::new())));
    let runtime = on_memory(&store).await;
    raise(&runtime, 2).await;
    runtime.execute(Raise { counter: 1, by: 13 }).await.unwrap();
    raise(&runtime, 1).await;
    for projection in [STATE, "document", "parted"] {
        let handle = runtime.projection_handle(projection).unwrap();
        handle.until(PATIENCE, |status| !status.dead_letters.is_empty()).await.unwrap();
        handle.skip(es_core::Position::new(3), "unlucky", "ada").await.unwrap();
        let status = handle.until(PATIENCE, |status| status.dead_letters.is_empty()).await;
        assert!(!matches!(status.unwrap().state, ProjectionState::Failed { .. }));
    }
    runtime.wait_until_current::<State>().within(PATIENCE).await.unwrap();
    // Before it parked, the state was built anew without what the handler left behind.
    let state = runtime.projection::<State>().unwrap().read(|state| state.told.clone());
    assert_eq!(state, [(1, true), (2, true), (4, false)]);
    let expected = [(1, false), (2, false), (4, false)];
    assert_eq!(document::<Document, _>(&runtime, |it| it.told).await, expected);
    assert_eq!(document::<Parted, _>(&runtime, |it| it.told).await, expected);
    runtime.shutdown().await;
}

/// A projection with a method of this name, and with one of another trait.
#[derive(Projection, Default)]
#[projection(name = "video", events(Raised), register = false)]
struct Video {
    frames: u64,
}

trait Player {
    fn replay(&self) -> &'static str;
}

impl Player for Video {
    fn replay(&self) -> &'static str {
        "played by a player"
    }
}

impl Video {
    fn replay(&self) -> &'static str {
        "played"
    }
}

impl Project<Raised> for Video {
    fn project(&mut self, event: &Raised, _: &Recorded) -> Result<(), ProjectError> {
        self.frames += event.by;
        Ok(())
    }
}

#[tokio::test]
async fn whoever_does_not_ask_is_not_told_and_keeps_the_name() {
    let store = MemoryStore::new();
    let registry = Registry::builder().aggregate::<Counter>().projection::<Video>();
    let runtime =
        Runtime::builder(store).registry(registry.build().unwrap()).start().await.unwrap();
    raise(&runtime, 3).await;
    runtime.projection_handle("video").unwrap().rebuild().await.unwrap().finished().await.unwrap();
    raise(&runtime, 1).await;
    runtime.wait_until_current::<Video>().within(PATIENCE).await.unwrap();
    let video = runtime.projection::<Video>().unwrap();
    video.read(|video| {
        assert_eq!(
            (video.frames, video.replay(), Player::replay(video)),
            (4, "played", "played by a player")
        );
    });
}
