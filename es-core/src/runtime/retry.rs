//! How often and how fast something is tried again.

use std::time::Duration;

use crate::error::ErrorCategory;
use crate::store::ReadError;
use crate::telemetry::{Retried, TARGET, metrics};

/// How often a command is decided again after a conflict, and an append or read repeated after a
/// passing failure.
///
/// The pause before attempt *n* is random, at most `first_pause` times 2 to the power of *n*, and
/// never more than `longest_pause`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// The most attempts, the first included; at least one is made.
    pub attempts: u32,
    /// The upper bound of the first pause.
    pub first_pause: Duration,
    /// The upper bound of every pause.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 10,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(200),
        }
    }
}

impl RetryPolicy {
    /// Whether there may be an attempt after so many.
    pub(crate) fn allows_more_than(&self, attempts: u32) -> bool {
        attempts < self.attempts
    }

    /// Waits before the attempt that follows so many.
    pub(crate) async fn pause(&self, attempts: u32) {
        tokio::time::sleep(self.pause_after(attempts)).await;
    }

    /// Reads, and again after a passing failure.
    pub(crate) async fn read<T, F>(&self, mut read: impl FnMut() -> F) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, ReadError>>,
    {
        let mut attempts = 1;
        loop {
            match read().await {
                Err(error)
                    if error.category() == ErrorCategory::Transient
                        && self.allows_more_than(attempts) =>
                {
                    metrics::retry(Retried::Read);
                    tracing::debug!(target: TARGET, attempts, %error, "read is tried again");
                    self.pause(attempts).await;
                    attempts += 1;
                }
                answer => return answer,
            }
        }
    }

    fn pause_after(&self, attempts: u32) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << attempts.saturating_sub(1).min(20));
        doubled.min(self.longest_pause).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_their_bound_however_many_attempts_there_were() {
        let policy = RetryPolicy::default();
        for attempts in [1, 2, 5, 31, 32, 33, u32::MAX] {
            assert!(policy.pause_after(attempts) <= policy.longest_pause);
        }
        assert!(policy.pause_after(1) <= policy.first_pause);
    }
}
