//! What a running program tells of itself: spans and events of `tracing`, and metrics.
//!
//! All names are stable, and `docs/observability.md` lists them. Nothing of a payload is told.

mod command_span;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "telemetry/no_metrics.rs"]
pub(crate) mod metrics;
mod outcome;
mod span;

pub(crate) use self::command_span::CommandSpan;
pub(crate) use self::outcome::{LoadSource, Outcome, Retried};
pub(crate) use self::span::{append_span, listens, load_span, project_span};

/// The target of all spans and events: what a filter names.
pub(crate) const TARGET: &str = "es_core";
