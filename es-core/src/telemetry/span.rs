//! The spans: `execute`, `load`, `append`, `project`.

use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;

use super::TARGET;
use crate::commit::Commit;
use crate::stream::StreamId;

/// Whether anybody may listen to spans.
#[inline]
pub(crate) fn listens() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// One command.
pub(super) fn execute_span(command: &'static str, stream: &StreamId) -> Span {
    tracing::debug_span!(
        target: TARGET,
        "execute",
        command,
        %stream,
        outcome = Empty,
        attempts = Empty,
        events = Empty,
    )
}

/// Loading one aggregate from the store.
pub(crate) fn load_span(stream: &StreamId) -> Span {
    tracing::debug_span!(target: TARGET, "load", %stream, source = Empty, version = Empty)
}

/// Appending one commit, or several that build on each other, until the outcome is known.
pub(crate) fn append_span(commits: &[Commit]) -> Span {
    tracing::debug_span!(
        target: TARGET,
        "append",
        stream = commits.first().map(|commit| commit.first().stream.as_str()),
        commits = commits.len(),
        events = events_of(commits),
    )
}

/// How many events the commits have together.
pub(super) fn events_of(commits: &[Commit]) -> usize {
    commits.iter().map(Commit::event_count).sum()
}

/// Applying a batch of events to a projection and storing what it changes.
pub(crate) fn project_span(
    projection: &'static str,
    generation: Option<u64>,
    partition: Option<u32>,
    events: usize,
) -> Span {
    tracing::debug_span!(target: TARGET, "project", projection, generation, partition, events)
}
