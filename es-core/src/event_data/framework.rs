//! Shapes of the framework's own types that can stand in an event.

use es_lock::{Scalar, Shape};

use super::EventData;
use crate::identity::{CommandId, EventId};
use crate::stream::StreamId;
use crate::tag::Tag;
use crate::version::{Position, SchemaVersion, Version};

macro_rules! scalars {
    ($($ty:ty: $scalar:expr;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl EventData for $ty {
                const SHAPE: Shape = Shape::Scalar($scalar);
            }
        )*
    };
}

scalars! {
    EventId: Scalar::Uuid;
    CommandId: Scalar::Uuid;
    Version: Scalar::integer(false, 64);
    Position: Scalar::integer(false, 64);
    SchemaVersion: Scalar::nonzero(false, 32);
    Tag: Scalar::Tag;
    StreamId: Scalar::StreamId;
}
