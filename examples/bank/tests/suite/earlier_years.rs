//! The books as the bank's earlier programs left them: half of the rows in older schemas.

use std::sync::Arc;

use bank::account::Purpose;
use bank::program;
use es_core::{
    Commit, EventStore, ExpectedVersion, NewEvent, Position, Query, QueryRange, Recorded, Runtime,
    SchemaVersion,
};
use es_memory_store::MemoryStore;
use serde_json::{Value, json};

use crate::books::bank_of_the_sample;

/// The words of the bank's own files.
fn czech(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Household => "SIPO",
        Purpose::Insurance => "POJISTNE",
        Purpose::Interest => "UROK",
        Purpose::LoanPayment => "UVER",
        Purpose::Pension => "DUCHOD",
        Purpose::SanctionInterest => "SANKC. UROK",
        Purpose::StatementFee => "SLUZBY",
    }
}

/// The event as a program of an earlier year would have recorded it, if `year` is one: in the first
/// one direction was a field, in the second it was a name.
fn as_recorded_in(year: usize, event: &Recorded<'_>) -> NewEvent {
    let mut new = NewEvent {
        id: event.event_id,
        name: event.name.to_owned().into(),
        schema_version: event.schema_version,
        payload: event.payload.as_bytes().to_vec().into(),
        tags: event.tags.iter().cloned().collect(),
        occurred_at: event.occurred_at,
        metadata: event.metadata.clone(),
    };
    let direction = match event.name {
        "account.deposited" => "PRIJEM",
        "account.withdrawn" => {
            ["VYDAJ", "VYBER"][usize::from(event.version.get().is_multiple_of(3))]
        }
        "account.opened" if year < 2 => {
            new.name = "account.created".into();
            return new;
        }
        _ => return new,
    };
    if year >= 2 {
        return new;
    }
    let payload: Value = serde_json::from_slice(event.payload.as_bytes()).unwrap();
    let amount = payload["amount"].as_u64().unwrap();
    let mut old = json!({ "castka": format!("{}.{:02}", amount / 100, amount % 100) });
    if let Some(purpose) = payload.get("purpose") {
        old["k_symbol"] = czech(purpose.as_str().unwrap().parse().unwrap()).into();
    }
    if year == 0 {
        old["typ"] = direction.into();
        new.name = "account.moved".into();
    }
    new.schema_version = SchemaVersion::FIRST;
    new.payload = old.to_string().into_bytes().into();
    new
}

/// A store with the sample's history: of four movements one is recorded as in the first year, one as
/// in the second, and two as today. Positions, versions and times are those of the import.
async fn store_of_earlier_years() -> (MemoryStore, [usize; 3]) {
    let (today, _) = bank_of_the_sample().await;
    let store = MemoryStore::new();
    let mut rows = [0; 3];
    let mut after = Position::ZERO;
    let mut index = 0;
    loop {
        let page = today.store().read(&Query::all(), QueryRange::after(after)).await.unwrap();
        for event in page.events.iter() {
            let moves = matches!(event.name, "account.deposited" | "account.withdrawn");
            let year = (index % 4).min(2);
            index += 1;
            rows[year] += usize::from(moves);
            let new = as_recorded_in(year, &event);
            let stream = event.stream.to_stream_id();
            let expected = ExpectedVersion::Exact(es_core::Version::new(event.version.get() - 1));
            store.append(&Commit::new(stream, expected, vec![new]).unwrap()).await.unwrap();
            after = event.position;
        }
        if !page.more {
            return (store, rows);
        }
    }
}

/// A bank whose books were begun by earlier programs.
pub(crate) async fn bank_of_earlier_years() -> Runtime<MemoryStore> {
    let (store, rows) = store_of_earlier_years().await;
    assert_eq!(rows.iter().sum::<usize>(), 2771);
    assert!(rows.iter().all(|rows| *rows > 600), "{rows:?}");
    program::start(store).await.unwrap()
}

#[tokio::test]
async fn what_is_stored_stays_as_it_is() {
    let bank = bank_of_earlier_years().await;
    let stored = |store: Arc<MemoryStore>| async move {
        let mut events = Vec::new();
        let mut range = QueryRange::after(Position::ZERO);
        loop {
            let page = store.read(&Query::all(), range).await.unwrap();
            events.extend(page.events.iter().map(|event| event.to_event()));
            if !page.more {
                return events;
            }
            range = QueryRange::after(page.token(&range));
        }
    };
    let before = stored(Arc::clone(bank.store())).await;
    for name in ["account.moved", "account.created"] {
        assert!(before.iter().any(|event| event.name == name), "no `{name}`");
    }
    bank.wait_until_current::<bank::projections::Balances>().await.unwrap();
    let first = bank::account::AccountId(37);
    bank.load::<bank::account::Account>(&first).await.unwrap();
    assert_eq!(stored(Arc::clone(bank.store())).await, before);
}

#[tokio::test]
async fn an_import_over_the_books_of_earlier_years_changes_nothing() {
    use bank::movements::Movements;

    let bank = bank_of_earlier_years().await;
    let head = bank.store().head().await.unwrap();
    let again = crate::books::import_all(&bank, &Movements::sample().unwrap(), 2).await;
    assert_eq!((again.movements, again.rejected.len()), (2771, 0));
    assert_eq!(bank.store().head().await.unwrap(), head);
}
