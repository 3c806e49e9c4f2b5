use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

mod billing {
    use es_core::prelude::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "billing.opened")]
    pub struct Opened;
}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened, billing::Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

impl Apply<billing::Opened> for Account {
    fn apply(&mut self, _: &billing::Opened) {}
}

fn main() {}
