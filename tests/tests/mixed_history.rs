//! Stores that hold events of many versions: they load as if everything had been migrated, and two
//! versions of a program write into one.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use es_core::prelude::*;
use es_core::{
    Commit, Decoded, EventSet, EventStore, ExpectedVersion, JsonObject, LoadError, NewEvent,
    ProjectionState, Registry, RegistryProblem, SchemaVersion, Split, StreamId, StreamRange,
    UpcastError,
};
use es_memory_store::MemoryStore;
use es_tests::history::{older, read};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The program of today.
mod today {
    use super::*;

    #[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
    #[event(name = "till.sold", version = 4, alias = "till.booked")]
    #[upcast(from = 1, rename("amt" => "amount"))]
    #[upcast(from = 2, split(into(Sold, TipGiven), with = tip_apart))]
    #[upcast(from = 3, add(currency = "CZK"))]
    pub(crate) struct Sold {
        pub(crate) amount: u64,
        pub(crate) currency: String,
    }

    #[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
    #[event(name = "till.tip_given", split_from(Sold))]
    pub(crate) struct TipGiven {
        pub(crate) amount: u64,
    }

    fn tip_apart(mut old: JsonObject) -> Result<Split, UpcastError> {
        let tip = old.remove("tip").as_ref().and_then(Value::as_u64);
        let split = Split::new().version::<Sold>(3, old);
        Ok(match tip {
            Some(amount) => split.event(TipGiven { amount }),
            None => split,
        })
    }

    #[derive(Aggregate, Default, Debug, Clone, PartialEq)]
    #[aggregate(
        name = "till",
        id = u64,
        events(Sold, TipGiven),
        retired("till.audited"),
        derive(Debug, Clone, PartialEq),
        register = false
    )]
    pub(crate) struct Till {
        pub(crate) sold: BTreeMap<String, u64>,
        pub(crate) tips: u64,
        /// Not everything commutes.
        pub(crate) last: u64,
    }

    impl Apply<Sold> for Till {
        fn apply(&mut self, event: &Sold) {
            *self.sold.entry(event.currency.clone()).or_default() += event.amount;
            self.last = event.amount;
        }
    }

    impl Apply<TipGiven> for Till {
        fn apply(&mut self, event: &TipGiven) {
            self.tips += event.amount;
            self.last = self.last * 31 + event.amount;
        }
    }

    /// Knows nothing of sales.
    #[derive(Projection, Default, Debug, Clone, PartialEq)]
    #[projection(name = "tips", events(TipGiven), register = false)]
    pub(crate) struct Tips {
        pub(crate) by_version: Vec<(u64, u64)>,
    }

    impl Project<TipGiven> for Tips {
        fn project(&mut self, event: &TipGiven, recorded: &Recorded) -> Result<(), ProjectError> {
            self.by_version.push((recorded.version.get(), event.amount));
            Ok(())
        }
    }
}

use today::{Sold, Till, TillEvent, TipGiven, Tips};

/// What was recorded, whatever the version: an amount, and a tip or an audit.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Sold { amount: u32, tip: Option<u32>, version: u32, alias: bool },
    TipGiven { amount: u32 },
    Audited,
}

impl Fact {
    /// As the program of its time recorded it.
    fn as_it_was(self) -> NewEvent {
        match self {
            Self::Sold { amount, tip, version, alias } => {
                let mut payload = match version {
                    1 => json!({ "amt": amount }),
                    2 | 3 => json!({ "amount": amount }),
                    _ => json!({ "amount": amount, "currency": "CZK" }),
                };
                if let (Some(tip), 1 | 2) = (tip, version) {
                    payload["tip"] = tip.into();
                }
                let name = if alias { "till.booked" } else { "till.sold" };
                older(name, version, &payload.to_string())
            }
            Self::TipGiven { amount } => {
                older("till.tip_given", 1, &json!({ "amount": amount }).to_string())
            }
            Self::Audited => older("till.audited", 7, "?"),
        }
    }

    /// As the program of today would record it.
    fn migrated(self) -> Vec<TillEvent> {
        match self {
            Self::Sold { amount, tip, version, .. } => {
                let sold = Sold { amount: amount.into(), currency: "CZK".to_owned() };
                let tip = tip.filter(|_| version < 3);
                let tip = tip.map(|amount| TipGiven { amount: amount.into() }.into());
                std::iter::once(sold.into()).chain(tip).collect()
            }
            Self::TipGiven { amount } => vec![TipGiven { amount: amount.into() }.into()],
            Self::Audited => Vec::new(),
        }
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        8 => (any::<u32>(), any::<Option<u32>>(), 1..=4_u32, any::<bool>()).prop_map(
            |(amount, tip, version, alias)| Fact::Sold { amount, tip, version, alias }
        ),
        1 => any::<u32>().prop_map(|amount| Fact::TipGiven { amount }),
        1 => Just(Fact::Audited),
    ]
}

async fn store_of(events: Vec<NewEvent>) -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    if !events.is_empty() {
        let stream = StreamId::new("till", 1).unwrap();
        let commit = Commit::new(stream, ExpectedVersion::NoStream, events).unwrap();
        store.append(&commit).await.unwrap();
    }
    Arc::new(store)
}

async fn loaded(store: Arc<MemoryStore>) -> (Till, Vec<u64>, usize) {
    let registry = Registry::builder().aggregate::<Till>().projection::<Tips>().build().unwrap();
    let runtime = Runtime::builder_shared(store).registry(registry).start().await.unwrap();
    let mut events = 0;
    let history = runtime.history::<Till>(&1).unwrap();
    let last = history.for_each(|_, _, _| events += 1).await.unwrap();
    assert_eq!(runtime.load::<Till>(&1).await.unwrap(), last);
    runtime.wait_until_current::<Tips>().await.unwrap();
    let tips = runtime.projection::<Tips>().unwrap();
    let tips = tips.read(|tips| tips.by_version.iter().map(|(_, amount)| *amount).collect());
    (last.state, tips, events)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_mixed_store_loads_as_a_migrated_one(facts in prop::collection::vec(fact(), 0..40)) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mixed = facts.iter().map(|fact| fact.as_it_was()).collect();
        let migrated = facts.iter().flat_map(|fact| fact.migrated()).map(|event| {
            let event = event.encode(&mut Vec::new()).unwrap();
            let payload = std::str::from_utf8(&event.payload).unwrap();
            older(event.name, event.schema_version.get(), payload)
        });
        let migrated = migrated.collect();
        tokio.block_on(async {
            let (mixed, migrated) = (store_of(mixed).await, store_of(migrated).await);
            prop_assert_eq!(loaded(mixed).await, loaded(migrated).await);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn the_version_of_a_stream_counts_what_is_stored_not_what_it_becomes() {
    let sold = Fact::Sold { amount: 5, tip: Some(1), version: 1, alias: false };
    let store = store_of(vec![sold.as_it_was(), Fact::Audited.as_it_was(), sold.as_it_was()]).await;
    let registry = Registry::builder().aggregate::<Till>().projection::<Tips>().build().unwrap();
    let runtime = Runtime::builder_shared(store).registry(registry).start().await.unwrap();
    let loaded = runtime.load::<Till>(&1).await.unwrap();
    assert_eq!((loaded.version, loaded.state.tips), (Version::new(3), 2));
    let first = runtime.history::<Till>(&1).unwrap().at_version(Version::new(1)).await.unwrap();
    assert_eq!((first.version, first.state.tips), (Version::new(1), 1));
    runtime.wait_until_current::<Tips>().await.unwrap();
    let tips = runtime.projection::<Tips>().unwrap();
    assert_eq!(tips.read(|tips| tips.by_version.clone()), [(1, 1), (3, 1)]);
}

#[tokio::test]
async fn a_projection_parks_at_an_event_whose_step_fails_and_says_which() {
    let store = store_of(vec![older("till.sold", 1, r#"{"amt":1,"amount":2}"#)]).await;
    let registry = Registry::builder().projection::<Tips>().build().unwrap();
    let runtime = Runtime::builder_shared(store).registry(registry).start().await.unwrap();
    runtime.wait_until_current::<Tips>().await.unwrap_err();
    let status = runtime.projection::<Tips>().unwrap().status();
    let ProjectionState::Parked { error, .. } = status.state else { panic!("{status:?}") };
    assert!(error.contains("the step from version 1 to 2, `#[upcast(from = 1, "), "{error}");
}

/// The program of last year beside that of today: they run at once.
mod rolling {
    pub(super) mod old {
        use super::super::*;

        #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
        #[event(name = "tab.paid", version = 2)]
        #[upcast(from = 1, rename("amt" => "amount"))]
        pub(crate) struct Paid {
            pub(crate) amount: u64,
            pub(crate) note: String,
            pub(crate) by: By,
        }

        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        pub(crate) struct By {
            pub(crate) name: String,
        }

        #[derive(EventSet, Debug, PartialEq)]
        pub(crate) enum TabEvent {
            Paid(Paid),
        }
    }

    pub(super) mod new {
        use super::super::*;

        #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
        #[event(name = "tab.paid", version = 5, write_version = 2)]
        #[upcast(from = 1, rename("amt" => "amount"))]
        #[upcast(from = 2, rename("by.name" => "by.full_name"), add(currency = "CZK"))]
        #[upcast(from = 3, remove(note = "none"), rename("amount" => "cents"))]
        #[upcast(from = 4, with = into_haler, inverse = out_of_haler)]
        pub(crate) struct Paid {
            #[event(tag)]
            pub(crate) cents: u64,
            pub(crate) currency: String,
            pub(crate) by: By,
        }

        fn into_haler(event: &mut JsonObject) -> Result<(), UpcastError> {
            let amount = event.get("cents").and_then(Value::as_u64).unwrap_or_default();
            event.insert("cents".to_owned(), (amount * 100).into());
            Ok(())
        }

        fn out_of_haler(event: &mut JsonObject) -> Result<(), UpcastError> {
            let amount = event.get("cents").and_then(Value::as_u64).unwrap_or_default();
            if !amount.is_multiple_of(100) {
                return Err(UpcastError::new("older programs know whole crowns only").at("cents"));
            }
            event.insert("cents".to_owned(), (amount / 100).into());
            Ok(())
        }

        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        pub(crate) struct By {
            pub(crate) full_name: String,
        }

        #[derive(EventSet, Debug, PartialEq)]
        pub(crate) enum TabEvent {
            Paid(Paid),
        }
    }
}

#[test]
fn new_code_writes_what_old_code_reads_and_reads_it_back() {
    use rolling::{new, old};

    let paid = || new::Paid {
        cents: 700,
        currency: "CZK".to_owned(),
        by: new::By { full_name: "Ada".to_owned() },
    };
    let event_type = new::TabEvent::EVENTS[0];
    assert_eq!((event_type.version().get(), event_type.written_version().get()), (5, 2));
    let encoded = new::TabEvent::from(paid()).encode(&mut Vec::new()).unwrap();
    assert_eq!(
        (encoded.name, encoded.schema_version),
        ("tab.paid", SchemaVersion::try_from(2).unwrap())
    );
    assert_eq!(encoded.tags.as_slice()[0].as_str(), "cents:700");
    let payload = std::str::from_utf8(&encoded.payload).unwrap();
    let read_by_old = read::<old::TabEvent>("tab.paid", 2, payload).unwrap();
    let by = old::By { name: "Ada".to_owned() };
    assert_eq!(read_by_old, [old::Paid { amount: 7, note: "none".to_owned(), by }.into()]);
    assert_eq!(read::<new::TabEvent>("tab.paid", 2, payload).unwrap(), [paid().into()]);
    let error = new::TabEvent::from(new::Paid { cents: 701, ..paid() });
    let error = error.encode(&mut Vec::new()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "the step `#[upcast(from = 4, with = into_haler, inverse = out_of_haler)]` could not \
             be undone: field `cents`: older programs know whole crowns only"
        ),
        "{error}"
    );
    // What an older version has no place for would be another value when it is read.
    let error = new::TabEvent::from(new::Paid { currency: "EUR".to_owned(), ..paid() });
    let error = error.encode(&mut Vec::new()).unwrap_err().to_string();
    assert!(
        error.contains(
            "field `currency`: it is \"EUR\", but who reads the older version finds \"CZK\""
        ),
        "{error}"
    );
}

/// Its alias is the name of an event of another aggregate.
mod elsewhere {
    use super::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "shop.sold", alias = "till.booked")]
    pub(super) struct SoldInShop {}

    #[derive(Aggregate, Default)]
    #[aggregate(name = "shop", id = u64, events(SoldInShop), register = false)]
    pub(super) struct Shop {}

    impl Apply<SoldInShop> for Shop {
        fn apply(&mut self, _: &SoldInShop) {}
    }
}

#[test]
fn an_alias_that_is_a_name_of_another_aggregates_event_is_refused_by_the_registry() {
    let registry = Registry::builder().aggregate::<Till>().aggregate::<elsewhere::Shop>();
    let error = registry.build().unwrap_err();
    assert!(
        matches!(error.problems(), [RegistryProblem::DuplicateAlias { name: "till.booked", .. }]),
        "{error}"
    );
}

/// An aggregate whose stream holds an event that is gone, and of which a newest version came to be
/// stored all the same.
mod gone {
    use super::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "jar.swapped", version = 2)]
    #[upcast(from = 1, split(into(Filled), with = filled))]
    pub(super) struct Swapped {}

    fn filled(_: JsonObject) -> Result<Split, UpcastError> {
        Ok(Split::new().event(Filled {}))
    }

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "jar.filled", split_from(Swapped))]
    pub(super) struct Filled {}

    #[derive(Aggregate, Default)]
    #[aggregate(name = "jar", id = u64, events(Filled), register = false)]
    pub(super) struct Jar {
        pub(super) filled: u64,
    }

    impl Apply<Filled> for Jar {
        fn apply(&mut self, _: &Filled) {
            self.filled += 1;
        }
    }
}

#[tokio::test]
async fn an_aggregate_never_passes_over_an_event_of_its_stream() {
    let store = MemoryStore::new();
    let stream = StreamId::new("jar", 1).unwrap();
    let events = vec![older("jar.swapped", 1, "{}"), older("jar.swapped", 2, "{}")];
    store
        .append(&Commit::new(stream.clone(), ExpectedVersion::Any, events).unwrap())
        .await
        .unwrap();
    let page = store.read_stream(&stream, StreamRange::all()).await.unwrap();
    let decoded: Vec<_> =
        page.events.iter().map(|it| gone::JarEvent::decode(&it).unwrap()).collect();
    assert!(
        matches!(&decoded[..], [Decoded::Several(parts), Decoded::Unlisted] if parts.len() == 1)
    );
    let registry = Registry::builder().aggregate::<gone::Jar>().build().unwrap();
    let runtime = Runtime::builder(store).registry(registry).start().await.unwrap();
    let first =
        runtime.history::<gone::Jar>(&1).unwrap().at_version(Version::new(1)).await.unwrap();
    assert_eq!(first.state.filled, 1);
    let error = runtime.load::<gone::Jar>(&1).await.map(|loaded| loaded.version).unwrap_err();
    assert!(
        matches!(&error, LoadError::Decode(error) if error.version() == Version::new(2)),
        "{error}"
    );
}
