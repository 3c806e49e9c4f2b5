//! Keeping a projection current: catching up in pages, then waiting for news.

use std::sync::Arc;

use crate::error::ErrorCategory;
use crate::projection::ProjectionState;
use crate::projection::host::Host;
use crate::runtime::RetryPolicy;
use crate::store::{EventStore, QueryRange, ReadError};
use crate::version::Position;

/// Runs until the projection parks or the store fails for good. Those show in its status, and so
/// does any other end.
pub(crate) fn run<S: EventStore>(
    store: Arc<S>,
    host: Arc<dyn Host>,
    retry: RetryPolicy,
) -> impl Future<Output = ()> + Send {
    // Made here and not in the block: a task may be dropped before it begins.
    let ended = Ended(host);
    async move {
        let host = &*ended.0;
        let mut attempts = 1;
        loop {
            match follow(&*store, host, &mut attempts).await {
                Ok(Parked) => return,
                Err(error) if error.category() == ErrorCategory::Transient => {
                    tracing::warn!(projection = name(host), attempts, %error, "projection waits for the store");
                    let error = error.to_string();
                    host.progress()
                        .send_modify(|status| status.state = ProjectionState::Retrying { error });
                    retry.pause(attempts).await;
                    attempts = attempts.saturating_add(1);
                }
                Err(error) => {
                    tracing::error!(projection = name(host), %error, "projection failed");
                    let error = error.to_string();
                    host.progress()
                        .send_modify(|status| status.state = ProjectionState::Failed { error });
                    return;
                }
            }
        }
    }
}

/// Says that a projection has ended if nothing else has: its task was aborted, its tokio runtime
/// ended, or the store panicked.
struct Ended(Arc<dyn Host>);

impl Drop for Ended {
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        self.0.progress().send_if_modified(|status| {
            let runs = status.state.runs();
            if runs {
                status.state = if panicked {
                    ProjectionState::Failed { error: "the task that ran it panicked".to_owned() }
                } else {
                    ProjectionState::Stopped
                };
            }
            runs
        });
    }
}

struct Parked;

async fn follow(
    store: &impl EventStore,
    host: &dyn Host,
    attempts: &mut u32,
) -> Result<Parked, ReadError> {
    let query = host.query();
    loop {
        let range = QueryRange::after(host.progress().borrow().position);
        let page = store.read(&query, range).await?;
        *attempts = 1;
        if let Err(parked) = host.apply(&page.events) {
            tracing::error!(projection = name(host), error = %parked.error, "projection parked");
            host.progress().send_modify(|status| {
                // Everything before the event is applied, and whatever lies between is not wanted.
                status.position = Position::new(parked.position.get().saturating_sub(1));
                status.state =
                    ProjectionState::Parked { position: parked.position, error: parked.error };
            });
            return Ok(Parked);
        }
        let token = page.token(&range);
        host.progress().send_modify(|status| {
            status.position = token;
            status.state =
                if page.more { ProjectionState::CatchingUp } else { ProjectionState::Live };
        });
        if page.more {
            // A store that answers at once would let nothing else run on this thread meanwhile.
            tokio::task::yield_now().await;
        } else {
            store.wait_beyond(token).await?;
            tokio::task::coop::consume_budget().await;
        }
    }
}

fn name(host: &dyn Host) -> &'static str {
    host.progress().borrow().name
}
