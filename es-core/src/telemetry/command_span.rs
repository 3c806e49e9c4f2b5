//! One command as it is observed.

use tracing::Span;

use super::metrics;
use super::outcome::Outcome;
use super::span::{execute_span, listens};
use crate::runtime::{ExecuteError, Receipt};
use crate::stream::StreamId;

/// The span of a command, and its place in the metrics: whichever way it ends, it is counted once.
///
/// None is made when nobody listens: a command takes a few hundred nanoseconds.
pub(crate) struct CommandSpan {
    span: Span,
    command: &'static str,
    ended: bool,
}

impl CommandSpan {
    #[inline]
    pub(crate) fn begin(command: &'static str, stream: &StreamId) -> Option<Box<Self>> {
        (metrics::ARE_COUNTED || listens()).then(|| Self::listened_to(command, stream))
    }

    #[cold]
    fn listened_to(command: &'static str, stream: &StreamId) -> Box<Self> {
        Box::new(Self { span: execute_span(command, stream), command, ended: false })
    }

    /// The span, to do something in.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It was answered.
    pub(crate) fn answered<E>(mut self, outcome: &Result<Receipt, ExecuteError<E>>) {
        if let Ok(receipt) = outcome {
            self.record_receipt(receipt);
        }
        self.end(Outcome::of(outcome));
    }

    /// It was carried out.
    pub(crate) fn carried_out(mut self, receipt: &Receipt) {
        self.record_receipt(receipt);
        self.end(Outcome::of_receipt(receipt));
    }

    /// Its handler or an `Apply` panicked.
    pub(crate) fn panicked(mut self) {
        self.end(Outcome::Panicked);
    }

    fn record_receipt(&self, receipt: &Receipt) {
        if !self.span.is_disabled() {
            self.span.record("attempts", receipt.attempts);
            self.span.record("events", receipt.events);
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.ended = true;
        if !self.span.is_disabled() {
            self.span.record("outcome", outcome.as_str());
        }
        metrics::command(self.command, outcome);
    }
}

impl Drop for CommandSpan {
    fn drop(&mut self) {
        if !self.ended {
            let panics = std::thread::panicking();
            self.end(if panics { Outcome::Panicked } else { Outcome::Unknown });
        }
    }
}
