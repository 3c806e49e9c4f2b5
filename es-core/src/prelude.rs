//! Everything a domain module needs: `use es_core::prelude::*;`.

pub use crate::{
    Aggregate, AggregateId, Apply, Command, CommandId, Context, Event, EventData, EventSet, Events,
    ExecuteError, Handle, IntoEvents, Project, ProjectError, Projection, Receipt, Recorded,
    Registry, Runtime, Version,
};
pub use serde::{Deserialize, Serialize};
