//! What is counted when the feature `metrics` is off: nothing.

use super::outcome::{LoadSource, Outcome, Retried};
use crate::commit::Commit;
use crate::projection::ProjectionStatus;

/// Whether anything is counted.
pub(crate) const ARE_COUNTED: bool = false;

/// When something began: not asked.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    #[inline]
    pub(crate) fn start() -> Self {
        Self
    }
}

#[inline]
pub(crate) fn describe() {}

#[inline]
pub(crate) fn command(_: &'static str, _: Outcome) {}

#[inline]
pub(crate) fn conflict(_: &'static str) {}

#[inline]
pub(crate) fn retry(_: Retried) {}

#[inline]
pub(crate) fn appended(_: &[Commit], _: Stopwatch) {}

#[inline]
pub(crate) fn loads(_: &'static str, _: LoadSource, _: usize) {}

#[inline]
pub(crate) fn projected(_: &'static str, _: u64, _: Stopwatch) {}

#[inline]
pub(crate) fn status(_: &ProjectionStatus) {}
