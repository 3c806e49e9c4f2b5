//! The derives in edition 2021, in a crate that calls the framework by another name.

use framework::prelude::*;

#[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
#[event(name = "lamp.lit", crate = ::framework)]
struct Lit {
    #[event(tag)]
    r#gen: u64,
}

#[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
#[event(name = "lamp.quenched", crate = ::framework)]
struct Quenched;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
#[aggregate_id(crate = ::framework)]
struct LampId(u64);

#[derive(Aggregate, Default)]
#[aggregate(name = "lamp", id = LampId, events(Lit, Quenched), derive(Debug), crate = ::framework)]
struct Lamp {
    lit: bool,
}

impl Apply<Lit> for Lamp {
    fn apply(&mut self, _: &Lit) {
        self.lit = true;
    }
}

impl Apply<Quenched> for Lamp {
    fn apply(&mut self, _: &Quenched) {
        self.lit = false;
    }
}

#[derive(EventSet)]
#[event_set(crate = ::framework)]
enum OwnEvent {
    Lit(Lit),
}

#[derive(Command)]
#[command(aggregate = Lamp, crate = ::framework)]
struct Light {
    #[command(id)]
    lamp: LampId,
}

#[derive(Projection, Default)]
#[projection(name = "lamps", events(Lit), crate = ::framework)]
struct Lamps {
    lit: u64,
}

impl Project<Lit> for Lamps {
    fn project(&mut self, _: &Lit, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.lit += 1;
        Ok(())
    }
}

#[test]
fn it_all_works() {
    let mut lamp = Lamp::default();
    lamp.apply_event(&Lit { r#gen: 1 }.into());
    assert!(lamp.lit);
    lamp.apply_event(&Quenched.into());
    assert!(!lamp.lit);
    assert_eq!(OwnEvent::from(Lit { r#gen: 1 }).event_type().name(), "lamp.lit");
    assert_eq!(Light { lamp: LampId(7) }.aggregate_id(), &LampId(7));
    assert_eq!(Lamps::default().lit, 0);
    let registry = Registry::linked().build().unwrap();
    assert_eq!(registry.aggregates().collect::<Vec<_>>(), ["lamp"]);
}
