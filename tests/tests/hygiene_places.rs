//! The derives work wherever an item may stand: in a function, in a macro, behind a re-export.

use es_core::prelude::*;

/// A crate of the user's that passes the framework on.
mod framework {
    pub(crate) mod inner {
        pub(crate) use es_core::*;
    }
}

mod behind_a_re_export {
    use super::framework::inner::prelude::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "lamp.lit", crate = crate::framework::inner)]
    pub(super) struct Lit;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "lamp.quenched", crate = crate::framework::inner)]
    pub(super) struct Quenched;

    #[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
    pub(super) struct LampId(pub(super) u64);

    #[derive(EventSet)]
    #[event_set(crate = crate::framework::inner)]
    pub(super) enum LampEvent {
        Lit(Lit),
    }

    #[derive(Aggregate, Default)]
    #[aggregate(name = "lamp", id = LampId, events = LampEvent, crate = crate::framework::inner)]
    pub(super) struct Lamp {
        pub(super) lit: bool,
    }

    impl Apply<Lit> for Lamp {
        fn apply(&mut self, _: &Lit) {
            self.lit = true;
        }
    }

    #[derive(Aggregate, Default)]
    #[aggregate(name = "torch", id = LampId, events(Lit), crate = crate::framework::inner)]
    pub(super) struct Torch;

    impl Apply<Lit> for Torch {
        fn apply(&mut self, _: &Lit) {}
    }

    #[derive(Command)]
    #[command(aggregate = Lamp, crate = crate::framework::inner)]
    pub(super) struct Light {
        #[command(id)]
        pub(super) lamp: LampId,
    }

    #[derive(Projection, Default)]
    #[projection(name = "lamps", events(Lit), crate = crate::framework::inner)]
    pub(super) struct Lamps;

    impl Project<Lit> for Lamps {
        fn project(&mut self, _: &Lit, _: &Recorded<'_>) -> Result<(), ProjectError> {
            Ok(())
        }
    }
}

#[test]
fn the_framework_may_be_reached_by_another_path() {
    use behind_a_re_export::{Lamp, LampEvent, LampId, Light, Lit};

    let mut lamp = Lamp::default();
    lamp.apply_event(&LampEvent::from(Lit));
    assert!(lamp.lit);
    assert_eq!(Light { lamp: LampId(7) }.aggregate_id(), &LampId(7));
}

#[test]
fn a_domain_may_stand_in_a_function() {
    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "door.opened")]
    struct Opened;

    #[derive(Aggregate, Default)]
    #[aggregate(name = "door", id = u64, events(Opened))]
    struct Door {
        open: bool,
    }

    impl Apply<Opened> for Door {
        fn apply(&mut self, _: &Opened) {
            self.open = true;
        }
    }

    let mut door = Door::default();
    door.apply_event(&DoorEvent::Opened(Opened));
    assert!(door.open);
}

type Number = u64;

/// All that a user may pass to a macro of their own.
macro_rules! domain {
    (
        $module:ident $name:literal $event_name:expr, $Id:ty, $State:ident $Event:ident $Set:ident,
        $path:path, $field:ident: $Field:ty, $version:literal,
        $from:literal $old:literal => $new:literal $also:literal $with:path
    ) => {
        mod $module {
            use es_core::prelude::*;

            #[derive(Event, Serialize, Deserialize)]
            #[event(name = $event_name, version = $version, codec = $path, crate = $crate::framework::inner)]
            #[upcast(from = $from, rename($old => $new), add(also = $also), with = $with)]
            pub(super) struct $Event {
                #[event(tag)]
                pub(super) $field: $Field,
                #[event(tag)]
                pub(super) also: Option<$crate::Number>,
            }

            #[derive(Aggregate, Default)]
            #[aggregate(name = $name, id = $Id, events($Event), enum = $Set, register = false)]
            pub(super) struct $State {
                pub(super) applied: u64,
            }

            impl Apply<$Event> for $State {
                fn apply(&mut self, _: &$Event) {
                    self.applied += 1;
                }
            }

            #[derive(Command)]
            #[command(aggregate = $State)]
            pub(super) struct Act {
                #[command(id)]
                pub(super) id: $Id,
            }

            #[derive(Projection, Default)]
            #[projection(name = $name, events($Event), crate = $crate::framework::inner, register = false)]
            pub(super) struct Seen;

            impl Project<$Event> for Seen {
                fn project(&mut self, _: &$Event, _: &Recorded<'_>) -> Result<(), ProjectError> {
                    Ok(())
                }
            }
        }
    };
}

domain! {
    gate "gate" "gate.passed", u64, Gate Passed GateFact, es_core::Json, who: Option<String>, 2,
    1 "name" => "who" 7 super::nothing_more
}

fn nothing_more(_: &mut es_core::JsonObject) -> Result<(), es_core::UpcastError> {
    Ok(())
}

#[test]
fn a_domain_may_come_from_a_macro() {
    let mut gate = gate::Gate::default();
    let passed = gate::Passed { who: Some("Eva".to_owned()), also: None };
    let mut tags = es_core::Tags::new();
    passed.tags(&mut tags);
    assert_eq!(tags.as_slice().iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["who:Eva"]);
    gate.apply_event(&gate::GateFact::from(passed));
    assert_eq!(gate.applied, 1);
    assert_eq!(gate::Passed::VERSION.get(), 2);
    assert_eq!(gate::Act { id: 3 }.aggregate_id(), &3);
    assert_eq!(gate::Seen::NAME, "gate");
    let old = es_tests::history::read::<gate::GateFact>("gate.passed", 1, r#"{"name":"Eva"}"#);
    let [gate::GateFact::Passed(old)] = &old.map_err(|_| ()).unwrap()[..] else {
        panic!("not one")
    };
    assert_eq!((old.who.as_deref(), old.also), (Some("Eva"), Some(7)));
}

/// The paths come from the macro, the items from the place that calls it.
macro_rules! aggregate_of_lamps {
    ($($item:tt)*) => {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lantern", id = u64, events($crate::behind_a_re_export::Lit, $crate::behind_a_re_export::Quenched), register = false)]
        $($item)*
    };
}

aggregate_of_lamps! {
    struct Lantern {
        lit: bool,
    }
}

impl Apply<behind_a_re_export::Lit> for Lantern {
    fn apply(&mut self, _: &behind_a_re_export::Lit) {
        self.lit = true;
    }
}

impl Apply<behind_a_re_export::Quenched> for Lantern {
    fn apply(&mut self, _: &behind_a_re_export::Quenched) {
        self.lit = false;
    }
}

#[test]
fn a_macro_may_name_events_by_its_own_crate() {
    let mut lantern = Lantern::default();
    lantern.apply_event(&behind_a_re_export::Lit.into());
    assert!(lantern.lit);
    lantern.apply_event(&behind_a_re_export::Quenched.into());
    assert!(!lantern.lit);
}
