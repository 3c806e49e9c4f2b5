use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "noted")]
struct Noted<T>(T);

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Noted<u8>, Noted<u64> as Again))]
struct Account;

impl Apply<Noted<u8>> for Account {
    fn apply(&mut self, _: &Noted<u8>) {}
}

impl Apply<Noted<u64>> for Account {
    fn apply(&mut self, _: &Noted<u64>) {}
}

fn main() {}
