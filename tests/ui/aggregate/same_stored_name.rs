use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

mod billing {
    use es_core::prelude::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "account.opened")]
    pub struct Paid;
}

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened, billing::Paid))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

impl Apply<billing::Paid> for Account {
    fn apply(&mut self, _: &billing::Paid) {}
}

fn main() {}
