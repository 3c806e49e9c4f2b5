use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq)]
struct AccountId(u64);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = AccountId, events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

fn main() {}
