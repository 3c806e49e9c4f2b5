//! What a decision may know beside the state and the command.

use std::any::{Any, TypeId};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::clock::{Clock, Moment, SystemClock};
use crate::commit::NewEvent;
use crate::identity::{CommandId, IdGenerator, TimeOrderedIds};
use crate::metadata::{ChainHash, Metadata};
use crate::stream::StreamId;
use crate::version::Version;

/// Clock, ids and services of a runtime: everything of the outside world that a decision may use.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) services: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// Links the events of every stream, if that was asked for.
    pub(crate) hash_chain: Option<&'static dyn LinkEvents>,
}

/// Gives events the hashes that chain them.
pub(crate) trait LinkEvents: Send + Sync {
    /// Links events that follow `version`, whose hash is `previous`.
    fn link(
        &self,
        stream: &StreamId,
        version: Version,
        previous: Option<ChainHash>,
        events: &mut [NewEvent],
    );
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(TimeOrderedIds),
            services: HashMap::new(),
            hash_chain: None,
        }
    }
}

/// What a decision may know beside the state and the command: the time, who asks, and the services
/// that the runtime was built with.
pub struct Context<'a> {
    surroundings: &'a Surroundings,
    version: Version,
    command_id: Option<CommandId>,
    metadata: &'a Metadata,
    moment: &'a Moment,
    now: OnceCell<Timestamp>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        surroundings: &'a Surroundings,
        version: Version,
        command_id: Option<CommandId>,
        metadata: &'a Metadata,
        moment: &'a Moment,
    ) -> Self {
        Self { surroundings, version, command_id, metadata, moment, now: OnceCell::new() }
    }

    /// The version of the stream that the decision is made on.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The present; it stands still during one decision.
    pub fn now(&self) -> Timestamp {
        *self.now.get_or_init(|| self.surroundings.clock.at(self.moment))
    }

    /// An id that was never given out before, for an entity that the events of this decision make.
    pub fn new_id(&self) -> Uuid {
        self.surroundings.ids.next_id()
    }

    /// The id that the sender gave the command.
    pub fn command_id(&self) -> Option<CommandId> {
        self.command_id
    }

    /// Who sent the command.
    pub fn actor(&self) -> Option<&str> {
        self.metadata.actor()
    }

    /// Correlation, causation, actor and free key-values of the command; its events carry them.
    pub fn metadata(&self) -> &Metadata {
        self.metadata
    }

    /// The service of this type that the runtime was built with.
    ///
    /// # Errors
    /// When there is none; the error names the line to write.
    pub fn service<T: Send + Sync + 'static>(&self) -> Result<&T, MissingService> {
        self.surroundings
            .services
            .get(&TypeId::of::<T>())
            .and_then(|service| service.downcast_ref())
            .ok_or(MissingService { type_name: std::any::type_name::<T>() })
    }
}

/// A decision asked for a service that the runtime was not built with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no service `{type_name}`: call `.service(...)` with one on the runtime's builder")]
pub struct MissingService {
    type_name: &'static str,
}
