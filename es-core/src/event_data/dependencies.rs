//! Shapes of the types of jiff, uuid, bytes and serde_json.

use es_lock::{Scalar, Shape};

use super::EventData;

macro_rules! scalars {
    ($($ty:ty: $scalar:ident;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl EventData for $ty {
                const SHAPE: Shape = Shape::Scalar(Scalar::$scalar);
            }
        )*
    };
}

scalars! {
    uuid::Uuid: Uuid;
    jiff::Timestamp: Timestamp;
    jiff::civil::Date: Date;
    jiff::civil::Time: Time;
    jiff::civil::DateTime: DateTime;
    jiff::Span: Span;
    jiff::SignedDuration: SignedDuration;
    serde_json::Number: Number;
}

#[diagnostic::do_not_recommend]
impl EventData for serde_json::Value {
    const SHAPE: Shape = Shape::Json;
}

#[diagnostic::do_not_recommend]
impl EventData for serde_json::Map<String, serde_json::Value> {
    const SHAPE: Shape = Shape::map(const { &[Shape::TEXT, Shape::Json] });
}
