//! Fingerprints of states: the same for the same type, another one for every change of it.
#![allow(dead_code, clippy::panic, reason = "the states are looked at, not used")]

use std::collections::{BTreeMap, BTreeSet};

use es_core::Fingerprint;
use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "lamp.lit")]
pub struct Lit;

/// A state in a module of its own, and what stands around it.
macro_rules! states {
    ($($module:ident: { $($item:item)* })*) => {
        $(
            mod $module {
                #[allow(unused_imports)]
                use std::collections::BTreeMap;

                use super::*;

                $($item)*

                impl Apply<Lit> for State {
                    fn apply(&mut self, _: &Lit) {}
                }
            }
        )*

        const ALL: &[(&str, Fingerprint)] =
            &[$((stringify!($module), <$module::State as Aggregate>::FINGERPRINT)),*];
    };
}

states! {
    plain: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub on: bool, pub times: u32 }
    }
    another_type: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub on: bool, pub times: u64 }
    }
    another_name: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub on: bool, pub count: u32 }
    }
    a_field_less: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub on: bool }
    }
    a_version_by_hand: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), state_version = 2, register = false)]
        pub struct State { pub on: bool, pub times: u32 }
    }
    another_name_by_serde: {
        #[derive(Aggregate, Serialize, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub on: bool, #[serde(rename = "n")] pub times: u32 }
    }
    an_enum: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub enum State { #[default] Off, On(u32) }
    }
    a_variant_more: {
        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub enum State { #[default] Off, On(u32), Broken }
    }
    a_type_that_says_its_shape: {
        #[derive(EventData, Serialize)]
        pub struct Bulb { pub watts: u32 }

        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub bulbs: BTreeMap<u8, Bulb> }
    }
    a_change_in_that_type: {
        #[derive(EventData, Serialize)]
        pub struct Bulb { pub watts: u64 }

        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub bulbs: BTreeMap<u8, Bulb> }
    }
    a_type_that_does_not: {
        pub struct Bulb { pub watts: u32 }

        #[derive(Aggregate, Default)]
        #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
        pub struct State { pub bulbs: BTreeMap<u8, Bulb> }
    }
}

#[test]
fn every_change_of_a_state_gives_another_fingerprint() {
    let mut known = BTreeMap::new();
    for (state, fingerprint) in ALL {
        if let Some(other) = known.insert(*fingerprint, state) {
            panic!("`{state}` has the fingerprint of `{other}`");
        }
    }
}

mod plain_again {
    use super::*;

    /// Comments, visibility and other derives are not stored.
    #[derive(Aggregate, Default, Debug, Clone)]
    #[aggregate(name = "lamp", id = u64, events(Lit), register = false)]
    pub struct State {
        /// Whether it is on.
        pub(crate) on: bool,
        pub(super) times: u32,
    }

    impl Apply<Lit> for State {
        fn apply(&mut self, _: &Lit) {
            self.on = true;
            self.times += 1;
        }
    }
}

#[test]
fn the_same_state_has_the_same_fingerprint_in_every_build() {
    assert_eq!(plain::State::FINGERPRINT, plain_again::State::FINGERPRINT);
    // Kept states are found by it: it must not change when the framework does.
    assert_eq!(plain::State::FINGERPRINT.to_string(), "9f2a57fef4ce3710");
}

#[test]
fn projections_have_fingerprints_too() {
    #[derive(Projection, Default)]
    #[projection(name = "lit", events(Lit), register = false)]
    struct Times {
        times: BTreeSet<u64>,
    }

    impl Project<Lit> for Times {
        fn project(&mut self, _: &Lit, recorded: &Recorded) -> Result<(), ProjectError> {
            self.times.insert(recorded.position.get());
            Ok(())
        }
    }

    assert!(ALL.iter().all(|(_, other)| *other != Times::FINGERPRINT));
}
