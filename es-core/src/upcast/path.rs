//! Going to the fields that a step is about.

use serde_json::Value;

use super::{JsonObject, UpcastError};

/// One part of a path to a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment {
    /// The field of an object.
    Field(&'static str),
    /// Every element of a list.
    Elements,
}

/// Gives every object that the path leads to from the value of the field `name`, to `visit`. Where
/// something on the path is missing or null there is none.
pub(super) fn each_object(
    value: &mut Value,
    name: &str,
    path: &[Segment],
    visit: &mut dyn FnMut(&mut JsonObject) -> Result<(), UpcastError>,
) -> Result<(), UpcastError> {
    match (value, path) {
        (Value::Null, _) => Ok(()),
        (Value::Array(elements), [Segment::Elements, rest @ ..]) => {
            elements.iter_mut().try_for_each(|element| each_object(element, name, rest, visit))
        }
        (value, [Segment::Elements, ..]) => Err(other_kind(name, "a list", value)),
        (Value::Object(object), [Segment::Field(name), rest @ ..]) => match object.get_mut(*name) {
            Some(value) => each_object(value, name, rest, visit),
            None => Ok(()),
        },
        (Value::Object(object), []) => visit(object),
        (value, _) => Err(other_kind(name, "an object", value)),
    }
}

fn other_kind(name: &str, wanted: &str, found: &Value) -> UpcastError {
    UpcastError::new(format!("`{name}` holds {}, not {wanted}", kind(found)))
}

/// The kind of a value, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
