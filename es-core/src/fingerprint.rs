//! Fingerprints: what a type of state looks like, as a number.

use std::fmt;
use std::marker::PhantomData;

use es_lock::{Digest, Shape};
use serde::{Deserialize, Serialize};

use crate::event_data::EventData;

/// What the type of a state looks like, as a number: the same in every build of one source, another
/// one when the type changes.
///
/// State that is kept, such as a snapshot or a durable read model, is kept under the fingerprint of
/// its type. State with another fingerprint is not read but made anew from the events: a wrong
/// state is never taken for a right one.
///
/// The derives of aggregates and projections work it out of the names, the types and the serde
/// attributes of the fields, and of the shape of each type that says it
/// ([`EventData`](trait@EventData)).
///
/// ```
/// use es_core::prelude::*;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "lamp.lit")]
/// # struct Lit;
/// #[derive(Aggregate, Default)]
/// #[aggregate(name = "lamp", id = u64, events(Lit))]
/// struct Lamp {
///     on: bool,
/// }
///
/// /// The lamp a year later.
/// #[derive(Aggregate, Default)]
/// #[aggregate(name = "lamp", id = u64, events(Lit), enum = LaterEvent, register = false)]
/// struct Later {
///     on: bool,
///     times: u32,
/// }
/// # impl Apply<Lit> for Lamp { fn apply(&mut self, _: &Lit) {} }
/// # impl Apply<Lit> for Later { fn apply(&mut self, _: &Lit) {} }
///
/// assert_ne!(Lamp::FINGERPRINT, Later::FINGERPRINT);
/// ```
///
/// # What it does not see
/// - What an `Apply` or a `Project` does. When one does something else than before, raise the number
///   by hand: `#[aggregate(state_version = 2)]`, `#[projection(version = 2)]`.
/// - The inside of a type that does not derive `EventData`: of that it knows the name. Derive
///   `EventData` on the types of a state, or raise the number when one changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// A number of your own, for an implementation that is written by hand: another one whenever
    /// the type changes.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// That of a read model in so many partitions: another number makes another read model.
    pub(crate) const fn of_partitions(self, partitions: u32) -> Self {
        match partitions {
            1 => self,
            _ => Self(Digest::new().number(self.0).number(partitions as u64).get()),
        }
    }

    /// The fingerprint of a type: what its tokens say, the number that is given by hand, and the
    /// shapes of the types in it, where they say them.
    #[doc(hidden)]
    pub const fn of(tokens: &str, version: u32, shapes: &[Option<&Shape>]) -> Self {
        let mut digest = Digest::new().text(tokens).number(version as u64);
        let mut index = 0;
        while index < shapes.len() {
            digest = match shapes[index] {
                Some(shape) => digest.shape(shape),
                None => digest.number(0),
            };
            index += 1;
        }
        Self(digest.get())
    }
}

/// As it is best compared by eye: sixteen hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

/// Asks a type for its shape, and takes no for an answer: where `T` says it, the compiler finds the
/// constant of the type first, that of the trait otherwise.
#[doc(hidden)]
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: EventData + ?Sized> Probe<T> {
    /// The shape.
    pub const PROBED_SHAPE: Option<&'static Shape> = Some(const { &T::SHAPE });
    /// The shape by value.
    pub const PROBED_VALUE: Shape = T::SHAPE;
}

/// What is asked when a type does not say its shape.
///
/// The constants have names that no trait of a user's has: one that every type implements would stand
/// beside this one, and none of both be meant.
#[doc(hidden)]
pub trait NoShape {
    /// None.
    const PROBED_SHAPE: Option<&'static Shape> = None;
    /// Nothing that is known.
    const PROBED_VALUE: Shape = Shape::Unknown;
}

impl<T: ?Sized> NoShape for Probe<T> {}
