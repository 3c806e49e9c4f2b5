//! A side effect in several numbers of partitions: it tells somebody outside of every event.

use std::sync::Arc;

use es_core::prelude::*;
use es_core::{EffectProjection, EventStore, Occasion, React, Registry, RegistryBuilder, Runtime};

use crate::counter::{Counter, Lowered, Raised};

/// The world outside: told by how much a counter was moved, and on what occasion.
pub type Outside = Arc<dyn Fn(u64, &Occasion<'_>) -> Result<(), ProjectError> + Send + Sync>;

macro_rules! mail {
    ($($name:ident ($($partitions:tt)*))*) => {$(
        #[derive(Projection)]
        #[projection(
            name = "mail",
            events(Raised, Lowered),
            effects,
            register = false
            $($partitions)*
        )]
        pub struct $name(pub Outside);

        impl React<Raised> for $name {
            async fn react(
                &self,
                event: &Raised,
                occasion: &Occasion<'_>,
            ) -> Result<(), ProjectError> {
                (self.0)(event.by, occasion)
            }
        }

        impl React<Lowered> for $name {
            async fn react(
                &self,
                event: &Lowered,
                occasion: &Occasion<'_>,
            ) -> Result<(), ProjectError> {
                (self.0)(event.by, occasion)
            }
        }
    )*};
}

mail! {
    Mail()
    MailInTwo(, partitions = 2)
    MailInFive(, partitions = 5)
    MailByStep(, partitions = 4, partition = step)
}

/// What decides the partition of [`MailByStep`].
fn step(event: &MailByStepEvent, _: &Recorded<'_>) -> u64 {
    match event {
        MailByStepEvent::Raised(raised) => raised.by,
        MailByStepEvent::Lowered(lowered) => lowered.by,
    }
}

/// One of the numbers of partitions, as a program that has that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parted {
    In1,
    In2,
    In5,
    ByStep,
}

impl Parted {
    fn registry(self, outside: &Outside) -> RegistryBuilder {
        let registry = Registry::builder().aggregate::<Counter>();
        let outside = Arc::clone(outside);
        match self {
            Self::In1 => registry.effects_with(move || Mail(Arc::clone(&outside))),
            Self::In2 => registry.effects_with(move || MailInTwo(Arc::clone(&outside))),
            Self::In5 => registry.effects_with(move || MailInFive(Arc::clone(&outside))),
            Self::ByStep => registry.effects_with(move || MailByStep(Arc::clone(&outside))),
        }
    }

    /// Starts a program that tells this world.
    ///
    /// # Errors
    /// When it can not be started.
    pub async fn start<S: EventStore>(
        self,
        store: &Arc<S>,
        outside: &Outside,
        lease: std::time::Duration,
    ) -> Result<Runtime<S>, Box<dyn std::error::Error + Send + Sync>> {
        let registry = self.registry(outside).build()?;
        let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry);
        Ok(builder.projection_lease(lease).start().await?)
    }

    /// Waits until everything is told.
    ///
    /// # Errors
    /// Why that will not be so.
    pub async fn done<S: EventStore>(
        self,
        runtime: &Runtime<S>,
        within: std::time::Duration,
    ) -> Result<(), es_core::WaitError> {
        match self {
            Self::In1 => done::<Mail, S>(runtime, within).await,
            Self::In2 => done::<MailInTwo, S>(runtime, within).await,
            Self::In5 => done::<MailInFive, S>(runtime, within).await,
            Self::ByStep => done::<MailByStep, S>(runtime, within).await,
        }
    }
}

async fn done<P: EffectProjection, S: EventStore>(
    runtime: &Runtime<S>,
    within: std::time::Duration,
) -> Result<(), es_core::WaitError> {
    runtime.wait_until_current::<P>().within(within).await
}
