//! A run of decoded events.

use std::any::Any;
use std::convert::Infallible;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::codec::CodecError;
use crate::event_set::{self, DecodeError, Decoded, EventSet, Reading};
use crate::projection::chunk::Chunk;
use crate::recorded::{Page, Recorded};
use crate::version::Position;

/// What became of reading an event.
pub(crate) type Read<E> = Result<Decoded<E>, DecodeError>;

/// A run of the events of a page, to be applied together, and what they were decoded to.
pub(crate) struct Batch {
    page: Arc<Page>,
    /// The run, in places of the page. The places of a batch are counted from its beginning.
    run: Range<usize>,
    chunks: Vec<Chunk>,
}

impl Batch {
    /// `chunks` are the first parts of the run, in order, or all of them. The rest is decoded when it
    /// is applied.
    pub(crate) fn new(page: Arc<Page>, run: Range<usize>, chunks: Vec<Chunk>) -> Self {
        Self { page, run, chunks }
    }

    pub(crate) fn len(&self) -> usize {
        self.run.len()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Recorded<'_>> {
        self.page.part(self.run.clone())
    }

    /// Shows some of the records that follow each other, each with its place.
    pub(crate) fn visit<F>(
        &self,
        range: Range<usize>,
        mut see: impl FnMut(usize, &Recorded<'_>) -> Result<(), F>,
    ) -> Result<(), F> {
        let (start, end) = (self.run.start, self.run.end);
        let mut index = range.start;
        self.page.visit(start + range.start..end.min(start + range.end), |recorded| {
            see(index, recorded)?;
            index += 1;
            Ok(())
        })
    }

    pub(crate) fn last(&self) -> Option<Recorded<'_>> {
        self.page.part(self.run.clone()).next_back()
    }

    /// How many of the records lie at or below a position. They are the first ones.
    pub(crate) fn count_until(&self, position: Position) -> usize {
        match self.last() {
            Some(last) if last.position > position => {
                self.records().take_while(|recorded| recorded.position <= position).count()
            }
            _ => self.len(),
        }
    }

    /// Those of the events that are decoded already, from the first. Nothing if they are of another
    /// type.
    pub(crate) fn decoded<E: EventSet>(&self) -> impl Iterator<Item = &Read<E>> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.events::<Vec<Read<E>>>().map_or(&[][..], Vec::as_slice))
    }

    /// The events with their records, if all are decoded.
    pub(crate) fn events<E: EventSet>(
        &self,
    ) -> impl Iterator<Item = (usize, Recorded<'_>, &Read<E>)> {
        let events = self.records().zip(self.decoded::<E>()).enumerate();
        events.map(|(index, (recorded, event))| (index, recorded, event))
    }
}

/// Decodes a part of a page.
pub(crate) fn decode<E: EventSet>(page: &Page, part: Range<usize>) -> Chunk {
    let mut events: Vec<Read<E>> = Vec::with_capacity(part.len());
    let Ok(()) = page.visit(part, |recorded| {
        events.push(decode_one(recorded));
        Ok::<(), Infallible>(())
    });
    Chunk::new(events)
}

/// Decodes one event.
pub(crate) fn decode_one<E: EventSet>(recorded: &Recorded<'_>) -> Read<E> {
    // A `Deserialize` of the user's own may panic: that is an event that can not be read.
    catch_unwind(AssertUnwindSafe(|| E::decode(recorded))).unwrap_or_else(|panic| {
        let reading = Reading { name: recorded.name, recorded, depth: 0 };
        Err(event_set::not_read(&reading, CodecError::new(panic_message(&*panic))))
    })
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the handler panicked")
}
