//! Identities of events and commands.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::{Moment, SinceEpoch};

/// Defines a newtype over a UUID.
macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, from [`TimeOrderedIds`].
            pub fn generate() -> Self {
                Self(TimeOrderedIds.next_id())
            }

            /// Wraps a UUID that comes from elsewhere.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

identity! {
    /// The identity of one event: a store holds at most one event with it, for ever. This is what
    /// makes a retried append safe.
    EventId
}

identity! {
    /// The identity of one command, given by its sender: sending it again has no second effect.
    ///
    /// ```
    /// use es_core::CommandId;
    ///
    /// // The same text always names the same command, on every machine.
    /// assert_eq!(CommandId::from_name("transfer 17"), CommandId::from_name("transfer 17"));
    /// assert_ne!(CommandId::from_name("transfer 17"), CommandId::from_name("transfer 18"));
    /// ```
    CommandId
}

/// The name space of [`CommandId::from_name`].
const COMMAND_NAMES: Uuid = Uuid::from_u128(0x7f3b_52c6_2d0e_4c0a_9d6c_5a2f_0f5e_11e5);

impl CommandId {
    /// The command that a text names, such as the number of a bank transaction.
    pub fn from_name(name: &str) -> Self {
        Self(Uuid::new_v5(&COMMAND_NAMES, name.as_bytes()))
    }

    /// The id of the event that this command emits at `index`, counted from zero.
    pub(crate) fn event_id(self, index: u32) -> EventId {
        EventId(Uuid::new_v5(&self.0, &index.to_be_bytes()))
    }
}

/// Where new ids come from.
///
/// The runtime asks it for event ids and a handler for ids of its own through
/// [`Context::new_id`](crate::Context::new_id).
pub trait IdGenerator: Send + Sync + 'static {
    /// An id that was never given out before.
    fn next_id(&self) -> Uuid;

    /// Such an id for something that happens at a moment: one that is made of the machine's time takes it from
    /// there.
    fn next_id_at(&self, moment: &Moment) -> Uuid {
        let _ = moment;
        self.next_id()
    }
}

/// UUIDs of version 7: they begin with the time, to a quarter of a microsecond (RFC 9562, method 3),
/// and end in 62 random bits. So those of one process come in order but for a few that are made at
/// the same instant, which is what an index of them likes best.
///
/// The bits are from a fast generator that is seeded for each thread: good enough to be unique, not
/// to be secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeOrderedIds;

impl IdGenerator for TimeOrderedIds {
    fn next_id(&self) -> Uuid {
        self.next_id_at(&Moment::default())
    }

    fn next_id_at(&self, moment: &Moment) -> Uuid {
        let SinceEpoch { seconds, nanoseconds } = moment.since_epoch();
        // Ids of before 1970 would need a clock that is wrong by half a century.
        let (seconds, nanoseconds) = (seconds.max(0) as u64, nanoseconds.max(0) as u64);
        let milliseconds = seconds * 1_000 + nanoseconds / 1_000_000;
        // The twelve bits that follow the milliseconds.
        let fraction = nanoseconds % 1_000_000 * 512 / 125_000;
        let high = milliseconds << 16 | 0x7000 | fraction;
        let low = 0b10 << 62 | fastrand::u64(..) >> 2;
        Uuid::from_u64_pair(high, low)
    }
}

/// The ids 1, 2, 3 and so on, for tests.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdGenerator for SequentialIds {
    fn next_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn an_id_begins_with_the_time() {
        let milliseconds = || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            now.as_millis() as u64
        };
        for _ in 0..1_000 {
            let (before, id, after) = (milliseconds(), TimeOrderedIds.next_id(), milliseconds());
            let made = id.as_u64_pair().0 >> 16;
            assert!((before..=after).contains(&made), "{id} is not of {before} to {after}");
        }
    }

    #[test]
    fn ids_of_different_instants_are_in_the_order_of_time() {
        let mut last = TimeOrderedIds.next_id();
        for _ in 0..1_000 {
            let made = SystemTime::now();
            // Ids of one tick of the clock are in no order.
            while made.elapsed().unwrap_or_default().as_micros() < 2 {}
            let next = TimeOrderedIds.next_id();
            assert_eq!((next.get_version_num(), next.get_variant()), (7, uuid::Variant::RFC4122));
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}
