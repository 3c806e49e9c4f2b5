use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

#[derive(Command)]
#[command(aggregat = "Account", creates(true), name = 7)]
struct Close<'a> {
    #[command(idd)]
    account: u64,
    #[command(id, name)]
    reason: &'a str,
}

fn main() {}
