//! Reading a projection's state in memory.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::projection::host::Host;
use crate::projection::state::Hosted;
use crate::projection::{ProjectionStatus, StateProjection};

/// The state of a running projection, to be read.
pub struct ProjectionView<P> {
    host: Arc<dyn Host>,
    projection: PhantomData<fn() -> P>,
}

impl<P: StateProjection> ProjectionView<P> {
    /// A view of the host if it is one of `P`.
    pub(crate) fn of(host: Arc<dyn Host>) -> Option<Self> {
        host.as_any().is::<Hosted<P>>().then_some(Self { host, projection: PhantomData })
    }

    /// Looks at the state. The projection waits meanwhile, so be brief: copy what you need.
    ///
    /// What is seen is the state after some event of the global order and before the next, never
    /// between; except that in the moment after a handler failed or panicked it may be what that
    /// handler left behind. It is then built anew without, beside.
    ///
    /// Do not look at the same projection again inside `look`, and do not wait for it there: that
    /// can wait for ever.
    pub fn read<R>(&self, look: impl FnOnce(&P) -> R) -> R {
        let host: &dyn Any = self.host.as_any();
        match host.downcast_ref::<Hosted<P>>() {
            Some(hosted) => hosted.read(look),
            None => unreachable!("`of` has checked the type"),
        }
    }

    /// Where the projection stands and how it is.
    pub fn status(&self) -> ProjectionStatus {
        self.host.board().status()
    }
}

impl<P> Clone for ProjectionView<P> {
    fn clone(&self) -> Self {
        Self { host: Arc::clone(&self.host), projection: PhantomData }
    }
}
