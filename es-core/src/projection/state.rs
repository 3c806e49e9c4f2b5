//! Projections that are kept in memory.

use std::any::Any;
use std::ops::Range;
use std::sync::{Arc, RwLock};

use crate::error::ignore_poison;
use crate::event_set::EventSet;
use crate::projection::batch::{self, Batch, Read, decode_one};
use crate::projection::board::Board;
use crate::projection::chunk::Chunk;
use crate::projection::host::{Host, Needs, ProjectionType, Start};
use crate::projection::session::{Changes, Failure, Part, Session, guarded};
use crate::projection::{ProjectionHome, StateProjection};
use crate::query::Query;
use crate::recorded::{Page, Recorded};

/// A state in memory, and how an empty one is made.
pub(crate) struct Hosted<P> {
    board: Board,
    make: Box<dyn Fn() -> P + Send + Sync>,
    state: RwLock<P>,
}

impl<P: StateProjection> Hosted<P> {
    pub(crate) fn new(make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self {
            board: Board::new(&ProjectionType::of::<P>(), ProjectionHome::Memory),
            state: RwLock::new(make()),
            make: Box::new(make),
        }
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&P) -> R) -> R {
        let state = ignore_poison(self.state.read());
        look(&state)
    }
}

impl<P: StateProjection> Host for Hosted<P> {
    fn projection(&self) -> ProjectionType {
        ProjectionType::of::<P>()
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn query(&self) -> Query {
        P::Event::query()
    }

    fn decode(&self, page: &Page, part: Range<usize>) -> Chunk {
        batch::decode::<P::Event>(page, part)
    }

    fn decodes_when_applied(&self) -> bool {
        true
    }

    fn session(self: Arc<Self>, start: Start) -> Box<dyn Session> {
        let own = (start == Start::Empty).then(|| (self.make)());
        Box::new(StateSession { host: self, own })
    }

    fn needs(&self) -> Needs {
        Needs::Events
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

struct StateSession<P> {
    host: Arc<Hosted<P>>,
    /// A state that nobody sees yet.
    own: Option<P>,
}

impl<P: StateProjection> Session for StateSession<P> {
    fn apply(&mut self, batch: &Arc<Batch>, part: &Part) -> Result<Changes, Failure> {
        let events = match &mut self.own {
            Some(state) => apply(state, batch, part)?,
            None => apply(&mut *ignore_poison(self.host.state.write()), batch, part)?,
        };
        Ok(Changes { events, ..Changes::default() })
    }

    fn publish(&mut self) {
        if let Some(state) = self.own.take() {
            let old = std::mem::replace(&mut *ignore_poison(self.host.state.write()), state);
            // A large state takes its time to be dropped: not while readers wait.
            drop(old);
        }
    }
}

fn apply<P: StateProjection>(state: &mut P, batch: &Batch, part: &Part) -> Result<u64, Failure> {
    let replayed = batch.count_until(part.replay_until);
    let mut decoded = batch.decoded::<P::Event>();
    let mut applied = apply_some::<P, true>(state, batch, 0..replayed, &mut decoded, part)?;
    applied += apply_some::<P, false>(state, batch, replayed..batch.len(), &mut decoded, part)?;
    Ok(applied)
}

/// Applies a run of records, all of which are a replay or none. `decoded` begins with the first of
/// them.
fn apply_some<'b, P: StateProjection, const REPLAY: bool>(
    state: &mut P,
    batch: &'b Batch,
    range: Range<usize>,
    decoded: &mut impl Iterator<Item = &'b Read<P::Event>>,
    part: &Part,
) -> Result<u64, Failure> {
    let mut applied = 0;
    let mut apply_one = |index, recorded: &Recorded<'_>, events: &Read<P::Event>| {
        let events = events.as_ref().map_err(|error| Failure::unread(index, recorded, error))?;
        for event in events.as_slice() {
            guarded(index, recorded, || state.project_event::<REPLAY>(event, recorded))?;
        }
        applied += 1;
        Ok(())
    };
    batch.visit(range, |index, recorded| {
        let events = decoded.next();
        if !part.holds(index, recorded) {
            return Ok(());
        }
        match events {
            Some(events) => apply_one(index, recorded, events),
            None => apply_one(index, recorded, &decode_one(recorded)),
        }
    })?;
    Ok(applied)
}
