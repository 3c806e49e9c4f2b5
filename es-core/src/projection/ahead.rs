//! Pages that lie ahead of whoever applies them, decoded piece by piece on all cores.
//!
//! A piece is so small that what it is decoded to is still in the caches when it is applied, and its
//! memory is given back before many others need some. Whoever comes first takes the next piece: a
//! thread that helps, or the one who applies, while the piece that it waits for is not there yet.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::error::ignore_poison;
use crate::projection::batch::Batch;
use crate::projection::chunk::{Chunk, Home};
use crate::projection::feed::{Fetched, PAGE_EVENTS, Reader};
use crate::projection::race::{First, race};
use crate::recorded::Page;
use crate::store::{EventStore, ReadError};
use crate::version::Position;

/// About so many bytes of payload are a piece.
const PIECE_BYTES: usize = 32 * 1024;

/// The most events of a piece.
const PIECE_EVENTS: usize = 1024;

/// So many pieces are committed together at most: a megabyte, or a page.
const BATCH_PIECES: usize = 32;

/// So many pieces are decoded before they are wanted: half a megabyte. If they were fewer, a thread
/// would be woken and sent to sleep all the time.
const PIECES_AHEAD: usize = 16;

/// The next page is read when fewer events than this are left, with fewer bytes.
const FEW_EVENTS: usize = PAGE_EVENTS / 2;
const FEW_BYTES: usize = 2 * BATCH_PIECES * PIECE_BYTES;

/// What lies ahead of a position.
pub(crate) struct Ahead<S> {
    reader: Reader<S>,
    /// How many pieces are applied together at most.
    batch: usize,
    /// How many pieces are decoded at most, from the one that is applied next.
    window: usize,
    stock: Mutex<Stock>,
    /// There is something to do for a thread that helps.
    work: Condvar,
    /// Something has changed for the one who applies.
    changed: Notify,
    closed: Notify,
}

/// A page, and what is known of it beside its events.
#[derive(Clone)]
pub(crate) struct ReadPage {
    pub(crate) events: Arc<Page>,
    /// Up to where everything has been seen.
    pub(crate) token: Position,
    pub(crate) more: bool,
    pub(crate) head: Position,
}

/// What is to be done for the next batch.
pub(crate) enum Task<'a, S> {
    Take(Fetched),
    Fail(ReadError),
    Decode(Decode<'a, S>),
    Read(Read<'a, S>),
    /// Others do what there is to do.
    Wait,
}

/// What can be done by a thread that helps.
enum Help<'a, S> {
    Decode(Decode<'a, S>),
    Read(Read<'a, S>),
}

/// How much is to be done.
pub(crate) struct Backlog {
    /// How many bytes are to be decoded.
    pub(crate) bytes: usize,
    /// How many positions are to be read.
    pub(crate) behind: u64,
    /// Whether there are events at those.
    pub(crate) more: bool,
}

impl<S> Ahead<S> {
    pub(crate) fn new(reader: Reader<S>, after: Position) -> Self {
        let batch = if reader.host.decodes_when_applied() { 1 } else { BATCH_PIECES };
        Self {
            reader,
            batch,
            window: batch + PIECES_AHEAD,
            stock: Mutex::new(Stock { after, ..Stock::default() }),
            work: Condvar::new(),
            changed: Notify::new(),
            closed: Notify::new(),
        }
    }

    /// What whoever applies has to do for the next batch.
    pub(crate) fn next_task(&self) -> Task<'_, S> {
        let mut stock = self.lock();
        let Some(first) = stock.pieces.front() else {
            return match stock.failed.take() {
                Some(error) => Task::Fail(error),
                None if stock.is_read => Task::Wait,
                None => Task::Read(self.begin_to_read(&mut stock)),
            };
        };
        let of_page = stock.pieces.iter().take_while(|piece| piece.is_beside(first));
        let batch = of_page.take(self.batch).count();
        let mut of_batch = stock.pieces.iter().take(batch);
        if self.reader.host.decodes_when_applied() && first.is_to_do()
            || of_batch.all(|piece| matches!(piece.decoded, Decoding::Done(_)))
        {
            return Task::Take(self.take(stock, batch));
        }
        match stock.pieces.iter().take(self.window).position(Piece::is_to_do) {
            Some(index) => Task::Decode(self.begin_to_decode(&mut stock, index)),
            None => Task::Wait,
        }
    }

    /// Waits until somebody else has done something.
    pub(crate) async fn has_changed(&self) {
        self.changed.notified().await;
    }

    /// How much is to be done, if no thread helps.
    pub(crate) fn without_help(&self) -> Option<Backlog> {
        let stock = self.lock();
        let head = stock.pieces.back().map_or(Position::ZERO, |piece| piece.page.head);
        (stock.helping == 0).then(|| Backlog {
            bytes: stock.bytes,
            behind: head.min(self.reader.up_to).get().saturating_sub(stock.after.get()),
            more: stock.more,
        })
    }

    /// Lets go of what is ahead: nobody wants it any more.
    pub(crate) fn close(&self) {
        let mut stock = self.lock();
        stock.closed = true;
        let pieces = std::mem::take(&mut stock.pieces);
        drop(stock);
        self.work.notify_all();
        // One reads, or will ask before it waits.
        self.closed.notify_one();
        drop(pieces);
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        ignore_poison(self.stock.lock())
    }

    fn begin_to_read(&self, stock: &mut Stock) -> Read<'_, S> {
        stock.is_read = true;
        Read { ahead: self, after: stock.after, outcome: None }
    }

    fn begin_to_decode(&self, stock: &mut Stock, index: usize) -> Decode<'_, S> {
        let number = stock.taken + index;
        stock.next = stock.next.max(number + 1);
        let piece = &mut stock.pieces[index];
        piece.decoded = Decoding::Begun;
        let (page, places) = (Arc::clone(&piece.page.events), piece.places.clone());
        Decode { ahead: self, number, page, places, chunk: None }
    }

    /// Takes so many pieces, which are of one page.
    fn take(&self, mut stock: MutexGuard<'_, Stock>, pieces: usize) -> Fetched {
        let taken: Vec<Piece> = stock.pieces.drain(..pieces).collect();
        stock.taken += pieces;
        stock.next = stock.next.max(stock.taken);
        stock.events -= taken.iter().map(|piece| piece.places.len()).sum::<usize>();
        stock.bytes -= taken.iter().map(|piece| piece.bytes).sum::<usize>();
        // Threads are woken for half of what they may do, and not for every piece.
        let begun = stock.next - stock.taken;
        let wakes = stock.idle > 0 && (begun <= self.window / 2 || stock.is_to_be_read());
        drop(stock);
        if wakes {
            self.work.notify_all();
        }
        fetched(taken)
    }
}

impl<S: EventStore> Ahead<S> {
    /// Lets a thread read, and decode if it may. It ends with the last page, after a failure or when
    /// this is closed, and gives the permit back when it has let go of the store.
    pub(crate) fn help(this: &Arc<Self>, decodes: bool, permit: Option<OwnedSemaphorePermit>) {
        this.lock().helping += 1;
        let helper = Helper { ahead: Arc::clone(this), decodes, home: Arc::new(Home::new()) };
        let tokio = Handle::current();
        tokio::task::spawn_blocking(move || {
            helper.run(&tokio);
            drop(helper);
            drop(permit);
        });
    }
}

/// The batch of these pieces, which follow each other in one page.
fn fetched(pieces: Vec<Piece>) -> Fetched {
    let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
    let run = first.places.start..last.places.end;
    let page = last.page.clone();
    let whole = run.end == page.events.len();
    let chunks = pieces.into_iter().filter_map(|piece| match piece.decoded {
        Decoding::Done(chunk) => Some(chunk),
        Decoding::ToDo | Decoding::Begun => None,
    });
    let batch = Batch::new(Arc::clone(&page.events), run, chunks.collect());
    let last = batch.last().map(|last| (last.position, last.recorded_at));
    Fetched {
        batch: Arc::new(batch),
        token: last.filter(|_| !whole).map_or(page.token, |(position, _)| position),
        more: page.more || !whole,
        head: page.head,
        last_recorded_at: last.map(|(_, recorded_at)| recorded_at),
    }
}

/// What is read and not applied.
#[derive(Default)]
struct Stock {
    pieces: VecDeque<Piece>,
    /// How many pieces were taken away.
    taken: usize,
    /// The number of the first piece that nobody has begun to decode yet.
    next: usize,
    events: usize,
    bytes: usize,
    /// What follows this position is to be read.
    after: Position,
    /// Whether something follows that was there when the last page was read.
    more: bool,
    /// Whether somebody reads.
    is_read: bool,
    failed: Option<ReadError>,
    /// How many threads help.
    helping: usize,
    /// How many of them wait for work.
    idle: usize,
    closed: bool,
}

impl Stock {
    /// Whether the next page is needed soon.
    fn is_to_be_read(&self) -> bool {
        let is_low = self.events < FEW_EVENTS && self.bytes < FEW_BYTES;
        self.more && !self.is_read && self.failed.is_none() && is_low
    }

    /// Puts a page behind what is there, in pieces.
    fn put(&mut self, page: &ReadPage) {
        (self.after, self.more) = (page.token, page.more);
        let (events, bytes) = (page.events.len(), page.events.payload_bytes());
        self.events += events;
        self.bytes += bytes;
        let count = bytes.div_ceil(PIECE_BYTES).max(events.div_ceil(PIECE_EVENTS)).max(1);
        // An event is about as large as those beside it.
        let share = events.div_ceil(count).max(1);
        let mut left = bytes;
        // A page without events also tells something: how far it is.
        for start in (0..events.max(1)).step_by(share) {
            let end = (start + share).min(events);
            let bytes = if end == events { left } else { left.min(bytes / count) };
            left -= bytes;
            let (page, places) = (page.clone(), start..end);
            self.pieces.push_back(Piece { page, places, bytes, decoded: Decoding::ToDo });
        }
    }
}

/// Some events of a page.
struct Piece {
    page: ReadPage,
    /// Where they are in the page.
    places: Range<usize>,
    bytes: usize,
    decoded: Decoding,
}

enum Decoding {
    ToDo,
    Begun,
    Done(Chunk),
}

impl Piece {
    fn is_to_do(&self) -> bool {
        matches!(self.decoded, Decoding::ToDo)
    }

    fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.page.events, &other.page.events)
    }
}

/// A thread that helps.
struct Helper<S> {
    ahead: Arc<Ahead<S>>,
    decodes: bool,
    /// Where its chunks are dropped.
    home: Arc<Home>,
}

impl<S: EventStore> Helper<S> {
    fn run(&self, tokio: &Handle) {
        while let Some(help) = self.wait_for_work() {
            self.home.clear();
            match help {
                Help::Decode(decode) => decode.run(Some(&self.home)),
                Help::Read(read) => {
                    match tokio.block_on(race(self.ahead.closed.notified(), read.run())) {
                        First::Left(()) => break,
                        First::Right(()) => {}
                    }
                }
            }
        }
    }

    /// Something that can be done; nothing when there will not be anything.
    fn wait_for_work(&self) -> Option<Help<'_, S>> {
        let ahead = &*self.ahead;
        let mut stock = ahead.lock();
        loop {
            if stock.closed {
                return None;
            }
            if stock.is_to_be_read() {
                return Some(Help::Read(ahead.begin_to_read(&mut stock)));
            }
            let next = stock.next - stock.taken;
            let (is_left, is_wanted) = (next < stock.pieces.len(), next < ahead.window);
            if self.decodes && is_left && is_wanted {
                return Some(Help::Decode(ahead.begin_to_decode(&mut stock, next)));
            }
            let comes = stock.is_read || stock.more && stock.failed.is_none();
            if !(comes || self.decodes && is_left) {
                return None;
            }
            stock.idle += 1;
            stock = ignore_poison(ahead.work.wait(stock));
            stock.idle -= 1;
        }
    }
}

impl<S> Drop for Helper<S> {
    fn drop(&mut self) {
        self.home.close();
        self.ahead.lock().helping -= 1;
    }
}

/// Somebody reads the next page.
pub(crate) struct Read<'a, S> {
    ahead: &'a Ahead<S>,
    after: Position,
    outcome: Option<Result<ReadPage, ReadError>>,
}

impl<S: EventStore> Read<'_, S> {
    pub(crate) async fn run(mut self) {
        self.outcome = Some(self.ahead.reader.read(self.after).await);
    }
}

// Without an outcome it was given up, or the store has panicked: whoever applies reads the page, and
// sees why.
impl<S> Drop for Read<'_, S> {
    fn drop(&mut self) {
        let mut stock = self.ahead.lock();
        stock.is_read = false;
        match self.outcome.take() {
            _ if stock.closed => {}
            Some(Ok(page)) => stock.put(&page),
            Some(Err(error)) => stock.failed = Some(error),
            None => {}
        }
        let wakes = stock.idle > 0;
        drop(stock);
        if wakes {
            self.ahead.work.notify_all();
        }
        self.ahead.changed.notify_one();
    }
}

/// Somebody decodes a piece.
pub(crate) struct Decode<'a, S> {
    ahead: &'a Ahead<S>,
    number: usize,
    page: Arc<Page>,
    places: Range<usize>,
    chunk: Option<Chunk>,
}

impl<S> Decode<'_, S> {
    /// Decodes it, into a chunk that is dropped there.
    pub(crate) fn run(mut self, home: Option<&Arc<Home>>) {
        let chunk = self.ahead.reader.host.decode(&self.page, self.places.clone());
        self.chunk = Some(match home {
            Some(home) => chunk.with_home(home),
            None => chunk,
        });
    }
}

// Without a chunk it has panicked: whoever applies decodes the piece, and sees why.
impl<S> Drop for Decode<'_, S> {
    fn drop(&mut self) {
        let mut stock = self.ahead.lock();
        let index = self.number.wrapping_sub(stock.taken);
        // Nobody may want it any more.
        if let Some(piece) = stock.pieces.get_mut(index) {
            piece.decoded = self.chunk.take().map_or(Decoding::ToDo, Decoding::Done);
        }
        drop(stock);
        self.ahead.changed.notify_one();
    }
}
