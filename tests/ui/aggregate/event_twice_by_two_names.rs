use es_core::prelude::*;

mod account {
    use es_core::prelude::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "account.opened")]
    pub struct Opened;
}

use account::Opened as Started;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(account::Opened, Started))]
struct Account;

impl Apply<Started> for Account {
    fn apply(&mut self, _: &Started) {}
}

fn main() {}
