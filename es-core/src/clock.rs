//! Time, so that tests can hold it still.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::ignore_poison;

/// Where the present comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
///
/// # Panics
/// When it shows a time before the year -9999 or after 9999.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        let SinceEpoch { seconds, nanoseconds } = SinceEpoch::now();
        // Where there is no such timestamp, this says what the clock shows.
        Timestamp::new(seconds, nanoseconds).unwrap_or_else(|_| Timestamp::now())
    }
}

/// What the clock of the machine shows, counted from the beginning of 1970.
pub(crate) struct SinceEpoch {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i32,
}

impl SinceEpoch {
    /// Asks the system. `SystemTime` tells what it shows only through `duration_since`, which takes half as
    /// long as the clock itself, and every command reads the clock twice.
    #[cfg(all(unix, feature = "fast-clock"))]
    #[inline]
    pub(crate) fn now() -> Self {
        use rustix::time::{ClockId, Timespec, clock_gettime};

        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Realtime);
        // Nanoseconds are less than a second.
        Self { seconds: tv_sec, nanoseconds: tv_nsec as i32 }
    }

    #[cfg(not(all(unix, feature = "fast-clock")))]
    pub(crate) fn now() -> Self {
        let now = Timestamp::now();
        Self { seconds: now.as_second(), nanoseconds: now.subsec_nanosecond() }
    }
}

/// A clock that stands still until it is moved.
///
/// ```
/// use es_core::{Clock, FixedClock};
/// use std::time::Duration;
///
/// let clock = FixedClock::at("1998-12-31T00:00:00Z".parse()?);
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now().to_string(), "1998-12-31T00:00:01Z");
/// # Ok::<(), es_core::jiff::Error>(())
/// ```
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    /// A clock that shows `now`.
    pub const fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock to another time, also back.
    pub fn set(&self, now: Timestamp) {
        *ignore_poison(self.0.lock()) = now;
    }

    /// Moves the clock forward, at most to the last time there is.
    pub fn advance(&self, by: Duration) {
        let mut now = ignore_poison(self.0.lock());
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *ignore_poison(self.0.lock())
    }
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_machine_shows_what_std_shows() {
        for _ in 0..1_000 {
            let (before, now, after) = (Timestamp::now(), SystemClock.now(), Timestamp::now());
            assert!(before <= now && now <= after, "{now} is not in {before} to {after}");
        }
    }
}
