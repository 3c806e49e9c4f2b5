use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened))]
struct Account<'a> {
    owner: &'a str,
}

impl Apply<Opened> for Account<'_> {
    fn apply(&mut self, _: &Opened) {}
}

#[derive(Projection, Default)]
#[projection(name = "owners", events(Opened))]
struct Owners<'a, T> {
    names: Vec<(&'a str, T)>,
}

fn main() {}
