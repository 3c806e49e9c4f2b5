//! What can go wrong, by category.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, LockResult, PoisonError};

/// What a caller can do about an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorCategory {
    /// The domain said no. Sending the same command again gives the same answer while the state
    /// stays the same.
    Rejected,
    /// Somebody else was faster. Read again, decide again.
    Conflict,
    /// Nothing was stored, and the same call may work later.
    Transient,
    /// Nothing was stored, and the same call will fail again until somebody changes something.
    Permanent,
    /// The call may have been carried out or not. Repeating it *with the same event ids* is safe.
    OutcomeUnknown,
}

impl fmt::Display for ErrorCategory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::OutcomeUnknown => "outcome unknown",
        })
    }
}

/// What failed inside a store: a sentence, and the database's own error as [`source`].
///
/// The source is kept as a trait object because the ports know no database; match on the category
/// of the error that carries it instead.
///
/// [`source`]: Error::source
#[derive(Clone, Debug)]
pub struct StoreFailure {
    what: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreFailure {
    /// A failure without a cause of its own.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// A failure with its cause.
    pub fn caused_by(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { what: what.into(), source: Some(Arc::new(source)) }
    }
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl Error for StoreFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Enters a lock whose holder panicked: what our locks guard is whole between any two statements.
pub(crate) fn ignore_poison<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
