//! Time, so that tests can hold it still.

use std::cell::OnceCell;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::ignore_poison;

/// Where the present comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Timestamp;

    /// The present of those who share a moment. A clock that shows the machine's time takes it from there, so
    /// that it is read once for all of them; any other one need not look at it.
    fn at(&self, moment: &Moment) -> Timestamp {
        let _ = moment;
        self.now()
    }
}

/// What happens at once: whoever asks the machine's clock first reads it for the others too.
///
/// A decision, the id of its first event and an [immediate](crate::ImmediateAppend) append share one: to read
/// the clock takes longer than to decide most commands.
///
/// ```
/// use es_core::{Clock, Moment, SystemClock};
///
/// let moment = Moment::default();
/// assert_eq!(SystemClock.at(&moment), SystemClock.at(&moment));
/// ```
#[derive(Default, Debug)]
pub struct Moment(OnceCell<SinceEpoch>);

impl Moment {
    #[inline]
    pub(crate) fn since_epoch(&self) -> SinceEpoch {
        *self.0.get_or_init(SinceEpoch::now)
    }
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
        self.at(&Moment::default())
    }

    #[inline]
    fn at(&self, moment: &Moment) -> Timestamp {
        let SinceEpoch { seconds, nanoseconds } = moment.since_epoch();
        // Where there is no such timestamp, this says what the clock shows.
        Timestamp::new(seconds, nanoseconds).unwrap_or_else(|_| Timestamp::now())
    }
}

/// What the clock of the machine shows, counted from the beginning of 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinceEpoch {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i32,
}

impl SinceEpoch {
    /// Asks the system. `SystemTime` tells what it shows only through `duration_since`, which takes half as
    /// long as the clock itself.
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

    fn at(&self, moment: &Moment) -> Timestamp {
        (**self).at(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_share_a_moment_are_shown_one_time() {
        let moment = Moment::default();
        let first = SystemClock.at(&moment);
        // Until the clock has moved.
        while SystemClock.now() == first {}
        assert_eq!(std::sync::Arc::new(SystemClock).at(&moment), first);
        assert!(SystemClock.at(&Moment::default()) > first);
        let fixed = FixedClock::at(Timestamp::UNIX_EPOCH);
        assert_eq!(fixed.at(&moment), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn the_clock_of_the_machine_shows_what_std_shows() {
        for _ in 0..1_000 {
            let (before, now, after) = (Timestamp::now(), SystemClock.now(), Timestamp::now());
            assert!(before <= now && now <= after, "{now} is not in {before} to {after}");
        }
    }
}
