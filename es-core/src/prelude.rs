//! Everything a domain module needs: `use es_core::prelude::*;`.

pub use crate::{
    Aggregate, AggregateId, Apply, Command, CommandId, Context, Event, EventSet, Events, Handle,
    IntoEvents, Project, ProjectError, Projection, Recorded, Version,
};
pub use serde::{Deserialize, Serialize};
