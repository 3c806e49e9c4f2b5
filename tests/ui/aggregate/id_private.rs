use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
pub struct Opened;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId(u64);

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = AccountId, events(Opened))]
pub struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

fn main() {}
