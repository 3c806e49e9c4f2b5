//! A projection whose type is forgotten, as the registry, the runtime and the workers know it.

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use crate::event::EventType;
use crate::event_set::EventSet;
use crate::fingerprint::Fingerprint;
use crate::projection::batch::Batch;
use crate::projection::board::Board;
use crate::projection::chunk::Chunk;
use crate::projection::document::DocumentHost;
use crate::projection::effect::{EffectHost, EffectProjection, Reacted, Reacting, Turn};
use crate::projection::partition::{MOST_PARTITIONS, Partition};
use crate::projection::row::TableWork;
use crate::projection::row::{RowHost, RowProjection};
use crate::projection::session::Session;
use crate::projection::state::Hosted;
use crate::projection::{DocumentProjection, Projection, StateProjection};
use crate::query::Query;
use crate::recorded::Page;
use crate::store::{AnyRowFamily, EventStore, InlineRows, InlineStore, RowFamily};

/// The home of a projection that is kept in memory.
#[derive(Clone, Copy, Debug)]
pub struct InMemory;

/// The home of a projection that is kept in documents.
#[derive(Clone, Copy, Debug)]
pub struct InDocuments;

/// The home of a projection that is kept in rows of the stores of one family.
#[derive(Clone, Copy, Debug)]
pub struct InRows<R>(PhantomData<fn() -> R>);

/// The home of side effects, of which nothing is kept but how far they are.
#[derive(Clone, Copy, Debug)]
pub struct Effects;

/// The home of a projection that is kept in `H` and changed in the step that appends its events.
#[derive(Clone, Copy, Debug)]
pub struct Inlined<H>(PhantomData<fn() -> H>);

/// A projection in a process, its type forgotten.
pub struct AnyHost(pub(crate) Arc<dyn Host>);

/// A projection that is kept in memory, where its state can be looked at.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection that is kept in memory",
    label = "no state to look at",
    note = "read documents with `runtime.documents::<{Self}>()`, and rows with SQL",
    note = "if it is no projection yet, write `#[derive(Projection, Default)]` and `#[projection(name = \"...\", events(...))]` above `struct {Self}`"
)]
pub trait KeptInMemory: StateProjection {}

#[diagnostic::do_not_recommend]
impl<P: StateProjection<Home = InMemory>> KeptInMemory for P {}

/// A home in which the projection `P` can be made without being asked how.
#[diagnostic::on_unimplemented(
    message = "projection `{P}` has no state to start from: it must implement `Default`",
    label = "no state before the first event",
    note = "add `Default` to the derives of `{P}`, or add it with `Registry::builder().projection_with(..)`"
)]
pub trait HomeOf<P> {
    #[doc(hidden)]
    fn host() -> AnyHost;
}

#[diagnostic::do_not_recommend]
impl<P: StateProjection<Home = Self> + Default> HomeOf<P> for InMemory {
    fn host() -> AnyHost {
        const { assert!(P::PARTITIONS == 1, "a state in memory has no partitions") };
        AnyHost(Arc::new(Hosted::<P>::new(P::default)))
    }
}

#[diagnostic::do_not_recommend]
impl<P: DocumentProjection<Home = Self>> HomeOf<P> for InDocuments {
    fn host() -> AnyHost {
        AnyHost(Arc::new(DocumentHost::<P>::new(false)))
    }
}

#[diagnostic::do_not_recommend]
impl<P: DocumentProjection<Home = Self>> HomeOf<P> for Inlined<InDocuments> {
    fn host() -> AnyHost {
        AnyHost(Arc::new(DocumentHost::<P>::new(true)))
    }
}

#[diagnostic::do_not_recommend]
impl<P: RowProjection<Family = R>, R: RowFamily> HomeOf<P> for InRows<R> {
    fn host() -> AnyHost {
        AnyHost(Arc::new(RowHost::<P>::new(false)))
    }
}

#[diagnostic::do_not_recommend]
impl<P: RowProjection<Family = R>, R: InlineRows> HomeOf<P> for Inlined<InRows<R>> {
    fn host() -> AnyHost {
        AnyHost(Arc::new(RowHost::<P>::new(true)))
    }
}

#[diagnostic::do_not_recommend]
impl<P: EffectProjection + Default> HomeOf<P> for Effects {
    fn host() -> AnyHost {
        AnyHost(Arc::new(EffectHost::<P>::new(P::default())))
    }
}

/// A home of documents that stores of type `S` have.
#[diagnostic::on_unimplemented(
    message = "`{S}` has no documents of a projection that is kept in `{Self}`",
    label = "no documents to read",
    note = "write `documents` in the `#[projection(...)]` of the projection"
)]
pub trait DocumentsIn<S> {}

impl<S: EventStore> DocumentsIn<S> for InDocuments {}

// What is missing is said of the store.
impl<S: InlineStore> DocumentsIn<S> for Inlined<InDocuments> {}

/// A projection of a running program.
pub(crate) trait Host: Send + Sync {
    fn projection(&self) -> ProjectionType;
    fn board(&self) -> &Board;
    fn query(&self) -> Query;
    fn decode(&self, page: &Page, part: Range<usize>) -> Chunk;
    /// Whether a session also takes events that are not decoded, and takes few of them as gladly as
    /// many, since nothing is committed for them.
    fn decodes_when_applied(&self) -> bool {
        false
    }
    /// Begins to apply events: to an empty state that `publish` shows, or to what readers see; or
    /// to the documents or rows of a generation.
    fn session(self: Arc<Self>, start: Start) -> Box<dyn Session>;
    /// The keys of the documents that an event of the batch is about.
    fn keys(&self, _: &Batch) -> Vec<String> {
        Vec::new()
    }
    /// Runs a side effect for an event of the batch, as far as it belongs to the partition.
    fn react<'a>(&'a self, _: &'a Batch, _: usize, _: Turn<'a>) -> Reacting<'a> {
        Box::pin(std::future::ready(Ok(Reacted::default())))
    }
    /// The places of the events of the batch for which the partition runs a side effect.
    fn places(&self, _: &Batch, _: Partition) -> Vec<usize> {
        Vec::new()
    }
    /// Whether an event of the batch is applied by the partition.
    fn concerns(&self, _: &Batch, _: Partition) -> bool {
        true
    }
    /// What the store must be able to do.
    fn needs(&self) -> Needs;
    /// Whether it is changed in the step that appends its events.
    fn is_inline(&self) -> bool {
        false
    }
    /// The tables of a generation, for a projection that keeps rows.
    fn tables(&self) -> Option<&dyn TableWork> {
        None
    }
    fn as_any(&self) -> &(dyn Any + Send + Sync);
}

/// What a session begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// In memory, what readers see.
    Shown,
    /// In memory, the empty state, which nobody sees yet.
    Empty,
    /// What is stored of a generation.
    Generation(u64),
}

/// What a projection needs of its store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Events.
    Events,
    /// Durable documents.
    Documents,
    /// Rows of a family.
    Rows(AnyRowFamily),
    /// To keep how far side effects are.
    Effects,
}

/// A projection type as it stands in a registry.
#[derive(Clone, Copy)]
pub(crate) struct ProjectionType {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) partitions: u32,
    pub(crate) events: &'static [EventType],
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) type_name: fn() -> &'static str,
}

impl ProjectionType {
    pub(crate) const fn of<P: Projection>() -> Self {
        const {
            assert!(
                P::PARTITIONS >= 1 && P::PARTITIONS <= MOST_PARTITIONS,
                "a projection has 1 to 256 partitions"
            );
        }
        Self {
            name: P::NAME,
            version: P::VERSION,
            fingerprint: P::FINGERPRINT.of_partitions(P::PARTITIONS),
            partitions: P::PARTITIONS,
            events: P::Event::EVENTS,
            type_id: TypeId::of::<P>,
            type_name: std::any::type_name::<P>,
        }
    }
}
