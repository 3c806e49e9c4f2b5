//! Snapshots: the state of an aggregate, kept so that loading it need not begin at the first event.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::aggregate::Aggregate;
use crate::codec::CodecError;
use crate::fingerprint::Fingerprint;
use crate::version::Version;

/// A state that can be kept in a snapshot: serde can write and read it.
///
/// Implemented for every type that can; there is nothing to write.
#[diagnostic::on_unimplemented(
    message = "the state of `{Self}` can not be kept in a snapshot: it must implement `Serialize` and `DeserializeOwned`",
    label = "can not be written or read",
    note = "add `Serialize, Deserialize` to the derives of `{Self}`; both come from serde"
)]
pub trait SnapshotState: Sized {
    /// The state as a value.
    #[doc(hidden)]
    fn to_value(&self) -> Result<Value, CodecError>;

    /// The state that a text holds.
    #[doc(hidden)]
    fn from_text(text: &str) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SnapshotState for T {
    fn to_value(&self) -> Result<Value, CodecError> {
        serde_json::to_value(self).map_err(|error| CodecError::new(error.to_string()))
    }

    fn from_text(text: &str) -> Result<Self, CodecError> {
        serde_json::from_str(text).map_err(|error| CodecError::new(error.to_string()))
    }
}

/// How an aggregate is kept in snapshots, as `#[aggregate(snapshot(every = 100))]` says.
pub struct SnapshotType<A> {
    pub(crate) every: NonZeroU64,
    pub(crate) form: SnapshotForm<A>,
}

/// How a state is written and read, and what its type looks like.
pub(crate) struct SnapshotForm<A> {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) to_value: fn(&A) -> Result<Value, CodecError>,
    pub(crate) from_text: fn(&str) -> Result<A, CodecError>,
}

impl<A> Clone for SnapshotForm<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for SnapshotForm<A> {}

impl<A: Aggregate + SnapshotState> SnapshotForm<A> {
    pub(crate) const fn new() -> Self {
        Self { fingerprint: A::FINGERPRINT, to_value: A::to_value, from_text: A::from_text }
    }
}

impl<A: Aggregate + SnapshotState> SnapshotType<A> {
    /// A snapshot after every so many events.
    pub const fn new(every: NonZeroU64) -> Self {
        Self { every, form: SnapshotForm::new() }
    }
}

impl<A> fmt::Debug for SnapshotType<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "every {} events", self.every)
    }
}

/// When a snapshot of an aggregate is taken.
///
/// ```
/// # use es_core::prelude::*;
/// use es_core::SnapshotPolicy;
/// use std::time::Duration;
///
/// # #[derive(Event, Serialize, Deserialize)]
/// # #[event(name = "account.closed")]
/// # pub struct Closed {}
/// # #[derive(Aggregate, Default, Serialize, Deserialize)]
/// # #[aggregate(name = "account", id = u64, events(Closed))]
/// # pub struct Account { closed: bool }
/// # impl Apply<Closed> for Account { fn apply(&mut self, _: &Closed) { self.closed = true } }
/// // Every 500 events, and whenever a load took longer than 20 ms; of closed accounts at once.
/// let policy = SnapshotPolicy::<Account>::every(500)
///     .or(SnapshotPolicy::after_replay(Duration::from_millis(20)))
///     .or(SnapshotPolicy::when(|account: &Account, _| account.closed));
/// ```
///
/// Give it to [`RuntimeBuilder::snapshot`](crate::RuntimeBuilder::snapshot).
///
/// A policy that takes no snapshots takes none; those that are there are used all the same.
pub struct SnapshotPolicy<A>(Rule<A>);

enum Rule<A> {
    Never,
    Every(NonZeroU64),
    AfterReplay(Duration),
    When(Arc<Predicate<A>>),
    Either(Box<[Self; 2]>),
    Both(Box<[Self; 2]>),
}

type Predicate<A> = dyn Fn(&A, Version) -> bool + Send + Sync;

/// What has just happened to an aggregate.
pub(crate) struct Occasion<'a, A> {
    pub(crate) state: &'a A,
    pub(crate) before: Version,
    pub(crate) after: Version,
    /// How long it took to load it, if it was loaded.
    pub(crate) replay: Option<Duration>,
}

impl<A> SnapshotPolicy<A> {
    /// No snapshot.
    pub const fn never() -> Self {
        Self(Rule::Never)
    }

    /// A snapshot after every `count` events of a stream; of none if `count` is zero.
    pub fn every(count: u64) -> Self {
        Self(NonZeroU64::new(count).map_or(Rule::Never, Rule::Every))
    }

    /// A snapshot when a load took longer than this.
    pub const fn after_replay(longer_than: Duration) -> Self {
        Self(Rule::AfterReplay(longer_than))
    }

    /// A snapshot when this is true of the state and its version, which is asked after every commit.
    pub fn when(wanted: impl Fn(&A, Version) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::When(Arc::new(wanted)))
    }

    /// A snapshot when either policy wants one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Rule::Either(Box::new([self.0, other.0])))
    }

    /// A snapshot when both policies want one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Rule::Both(Box::new([self.0, other.0])))
    }

    pub(crate) fn wants(&self, occasion: &Occasion<'_, A>) -> bool {
        self.0.wants(occasion)
    }
}

impl<A> Rule<A> {
    fn wants(&self, occasion: &Occasion<'_, A>) -> bool {
        match self {
            Self::Never => false,
            Self::Every(count) => crosses(*count, occasion.before, occasion.after),
            Self::AfterReplay(limit) => occasion.replay.is_some_and(|took| took > *limit),
            Self::When(wanted) => wanted(occasion.state, occasion.after),
            Self::Either(rules) => rules.iter().any(|rule| rule.wants(occasion)),
            Self::Both(rules) => rules.iter().all(|rule| rule.wants(occasion)),
        }
    }
}

/// Whether a multiple of `count` lies above `before` and not above `after`.
pub(crate) fn crosses(count: NonZeroU64, before: Version, after: Version) -> bool {
    before.get() / count < after.get() / count
}

impl<A> fmt::Debug for SnapshotPolicy<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<A> fmt::Debug for Rule<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => formatter.write_str("never"),
            Self::Every(count) => write!(formatter, "every {count} events"),
            Self::AfterReplay(limit) => write!(formatter, "after a replay of more than {limit:?}"),
            Self::When(_) => formatter.write_str("when a predicate is true"),
            Self::Either(rules) => write!(formatter, "({:?} or {:?})", rules[0], rules[1]),
            Self::Both(rules) => write!(formatter, "({:?} and {:?})", rules[0], rules[1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(policy: &SnapshotPolicy<u64>, before: u64, after: u64, replay: u64) -> bool {
        policy.wants(&Occasion {
            state: &after,
            before: Version::new(before),
            after: Version::new(after),
            replay: (replay > 0).then(|| Duration::from_millis(replay)),
        })
    }

    #[test]
    fn a_policy_by_count_wants_one_snapshot_for_each_multiple_that_is_passed() {
        let policy = SnapshotPolicy::every(10);
        assert!(!wants(&policy, 0, 9, 0));
        assert!(wants(&policy, 9, 10, 0));
        assert!(!wants(&policy, 10, 19, 0));
        assert!(wants(&policy, 15, 47, 0));
        assert!(!wants(&SnapshotPolicy::every(0), 0, 100, 0));
    }

    #[test]
    fn policies_compose() {
        let slow = || SnapshotPolicy::after_replay(Duration::from_millis(5));
        let even = || SnapshotPolicy::when(|state: &u64, _| state.is_multiple_of(2));
        let either = SnapshotPolicy::every(10).or(slow());
        assert!(wants(&either, 9, 10, 0) && wants(&either, 1, 2, 6) && !wants(&either, 1, 2, 5));
        let both = slow().and(even());
        assert!(wants(&both, 1, 2, 6) && !wants(&both, 2, 3, 6) && !wants(&both, 1, 2, 0));
        assert!(!wants(&SnapshotPolicy::never().and(even()), 1, 2, 0));
        assert_eq!(
            format!("{:?}", either.and(even())),
            "((every 10 events or after a replay of more than 5ms) and when a predicate is true)"
        );
    }
}
