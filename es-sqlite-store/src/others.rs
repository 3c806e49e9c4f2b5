//! Fairness to other processes that write to the same file.

use std::time::{Duration, Instant};

/// How long a writer goes on while others may wait, and how long it then lets them: longer than they
/// pause between two looks at the lock.
const TURN: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(3);

/// Who was not seen to write for so long is not waited for.
const COMPANY: Duration = Duration::from_secs(1);

/// Others who share the file: they must get their turn too.
pub(crate) struct Others {
    /// When one of them was last seen to have written.
    seen: Option<Instant>,
    /// Since when it is this writer's turn.
    turn_since: Instant,
}

impl Others {
    pub(crate) fn unknown() -> Self {
        Self { seen: None, turn_since: Instant::now() }
    }

    pub(crate) fn have_written(&mut self) {
        let now = Instant::now();
        (self.seen, self.turn_since) = (Some(now), now);
    }

    /// Whether others may wait, and have for long.
    pub(crate) fn are_due(&self) -> bool {
        self.seen.is_some_and(|seen| seen.elapsed() < COMPANY) && self.turn_since.elapsed() >= TURN
    }

    /// Lets them have their turn.
    pub(crate) fn make_way(&mut self) {
        std::thread::sleep(REST);
        self.turn_since = Instant::now();
    }
}
