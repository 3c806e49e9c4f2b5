//! Why an event could not be projected.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::error::ErrorCategory;
use crate::store::{ReadError, StateError};

/// Why an event could not be projected. The `?` operator makes it of any error; a sentence of your
/// own becomes one with [`ProjectError::new`], not with `into()`.
///
/// It holds the error as a trait object because a handler may fail with anything; all that happens
/// with it is that the projection parks and shows it.
pub struct ProjectError {
    source: Box<dyn Error + Send + Sync>,
    category: ErrorCategory,
}

impl ProjectError {
    /// A failure in one sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self { source: what.into().into(), category: ErrorCategory::Permanent }
    }

    /// A failure that may pass by itself: the event is tried again, a bounded number of times, before
    /// anything parks.
    pub fn transient(what: impl Into<String>) -> Self {
        Self { source: what.into().into(), category: ErrorCategory::Transient }
    }

    /// What can be done about it. An error of a store keeps its category, any other one is
    /// [`ErrorCategory::Permanent`].
    pub fn category(&self) -> ErrorCategory {
        self.category
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ProjectError {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        let category = any
            .downcast_ref::<StateError>()
            .map(StateError::category)
            .or_else(|| any.downcast_ref::<ReadError>().map(ReadError::category))
            .unwrap_or(ErrorCategory::Permanent);
        Self { source: Box::new(error), category }
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}

impl fmt::Debug for ProjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}
