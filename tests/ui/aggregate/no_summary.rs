use es_core::prelude::*;
use es_core::{Summarize, Truncate};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "meter.counted")]
pub struct Counted {
    pub units: u64,
}

#[derive(Aggregate, Default)]
#[aggregate(name = "meter", id = u64, events(Counted))]
pub struct Meter {
    total: u64,
}

impl Apply<Counted> for Meter {
    fn apply(&mut self, event: &Counted) {
        self.total += event.units;
    }
}

fn compact<A: Summarize>(_: &A::Id) {}

fn truncate<A: Truncate>(_: &A::Id) {}

fn main() {
    compact::<Meter>(&7);
    truncate::<Meter>(&7);
}
