//! Operations on a stored object, forwards and backwards.

use std::borrow::Cow;

use serde_json::Value;

use super::function::{AddedValue, CalledStep};
use super::path::{Segment, each_object};
use super::stored_object::StoredObject;
use super::{JsonObject, UpcastError};
use crate::recorded::Recorded;

/// One operation of a step.
pub enum Operation {
    /// A field gets another name. One that is not there stays so.
    Rename {
        /// The path to the field, for messages.
        path: &'static str,
        /// Where the field stands.
        parent: &'static [Segment],
        /// Its name before.
        old: &'static str,
        /// Its name afterwards.
        new: &'static str,
    },
    /// A field comes to be. One that is there already stays as it is.
    Add {
        /// The path to the field, for messages.
        path: &'static str,
        /// Where the field stands.
        parent: &'static [Segment],
        /// Its name.
        name: &'static str,
        /// What it holds.
        value: NewValue,
    },
    /// A field goes away.
    Remove {
        /// The path to the field, for messages.
        path: &'static str,
        /// Where the field stands.
        parent: &'static [Segment],
        /// Its name.
        name: &'static str,
        /// What it holds when the step is undone.
        undone: Option<NewValue>,
    },
    /// A function changes the object.
    With {
        /// The function.
        run: &'static dyn CalledStep,
    },
}

/// What a field that is added holds.
#[derive(Clone, Copy)]
pub enum NewValue {
    /// What a JSON text says.
    Json(&'static str),
    /// What a function makes.
    Function {
        /// The function.
        make: &'static dyn AddedValue,
    },
}

impl Operation {
    /// Does it: the object is of the next version then.
    pub(super) fn apply(
        &self,
        object: &mut StoredObject<'_>,
        recorded: &Recorded<'_>,
    ) -> Result<(), UpcastError> {
        match self {
            Self::Rename { path, parent, old, new } => rename(object, path, parent, old, new),
            Self::Add { path, parent, name, value, .. } => {
                add(object, path, parent, name, value, Some(recorded))
            }
            Self::Remove { path, parent, name, .. } => remove(object, path, parent, name),
            Self::With { run } => object.change(|object| run.call(object, recorded)),
        }
    }

    /// Undoes it: the object is of the version before then.
    pub(super) fn undo(&self, object: &mut StoredObject<'_>) -> Result<(), UpcastError> {
        match self {
            Self::Rename { path, parent, old, new } => rename(object, path, parent, new, old),
            Self::Add { path, parent, name, value } => take_back(object, path, parent, name, value),
            Self::Remove { path, parent, name, undone: Some(value) } => {
                add(object, path, parent, name, value, None)
            }
            // The derive asks for what undoes them.
            Self::Remove { .. } | Self::With { .. } => {
                Err(UpcastError::new("the step can not be undone"))
            }
        }
    }
}

impl NewValue {
    fn make(
        &self,
        object: &JsonObject,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Value, UpcastError> {
        match *self {
            Self::Json(text) => Ok(serde_json::from_str(text)?),
            Self::Function { make } => make.make(object, recorded),
        }
    }
}

fn rename(
    object: &mut StoredObject<'_>,
    path: &str,
    parent: &[Segment],
    old: &str,
    new: &'static str,
) -> Result<(), UpcastError> {
    let taken = || UpcastError::new(format!("`{old}` can not become `{new}`: the event has both"));
    if parent.is_empty() {
        return if object.rename(old, new) { Ok(()) } else { Err(taken().at(path)) };
    }
    inside(object, path, parent, &mut |object| {
        let Some(value) = object.remove(old) else { return Ok(()) };
        match object.insert(new.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(taken()),
        }
    })
}

fn add(
    object: &mut StoredObject<'_>,
    path: &str,
    parent: &[Segment],
    name: &'static str,
    value: &NewValue,
    recorded: Option<&Recorded<'_>>,
) -> Result<(), UpcastError> {
    if !parent.is_empty() {
        return inside(object, path, parent, &mut |object| {
            if !object.contains_key(name) {
                let value = value.make(object, recorded)?;
                object.insert(name.to_owned(), value);
            }
            Ok(())
        });
    }
    if object.contains(name) {
        return Ok(());
    }
    let json = match *value {
        NewValue::Json(text) => Cow::Borrowed(text),
        NewValue::Function { make } => {
            let value = object.values().and_then(|object| make.make(&object, recorded));
            Cow::Owned(value.map_err(|error| at(error, path))?.to_string())
        }
    };
    object.add(name, json);
    Ok(())
}

fn remove(
    object: &mut StoredObject<'_>,
    path: &str,
    parent: &[Segment],
    name: &str,
) -> Result<(), UpcastError> {
    if parent.is_empty() {
        object.remove(name);
        return Ok(());
    }
    inside(object, path, parent, &mut |object| {
        object.remove(name);
        Ok(())
    })
}

/// Removes what was added, if reading adds the same again: otherwise what is stored would be less than
/// what was decided.
fn take_back(
    object: &mut StoredObject<'_>,
    path: &str,
    parent: &[Segment],
    name: &str,
    value: &NewValue,
) -> Result<(), UpcastError> {
    if !parent.is_empty() {
        return inside(object, path, parent, &mut |object| match object.remove(name) {
            Some(held) => is_added_again(&held, value, object),
            None => Ok(()),
        });
    }
    let Some(held) = object.take(name) else { return Ok(()) };
    if matches!(*value, NewValue::Json(text) if held == text) {
        return Ok(());
    }
    let held = serde_json::from_str(&held)?;
    is_added_again(&held, value, &object.values()?).map_err(|error| at(error, path))
}

fn is_added_again(held: &Value, value: &NewValue, object: &JsonObject) -> Result<(), UpcastError> {
    // A function that asks for the recorded event can not be asked before there is one.
    let Ok(added) = value.make(object, None) else { return Ok(()) };
    if is_same(held, &added) {
        return Ok(());
    }
    Err(UpcastError::new(format!(
        "it is {held}, but who reads the older version finds {added}; use it when no program writes the older version any more, or write `inverse = path::to::function` at the step to leave it out"
    )))
}

/// `0` and `0.0` are one number.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() != other.is_f64() => {
            one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}

/// Gives every object that a path leads to inside of a field, to `visit`.
fn inside(
    object: &mut StoredObject<'_>,
    path: &str,
    parent: &[Segment],
    visit: &mut dyn FnMut(&mut JsonObject) -> Result<(), UpcastError>,
) -> Result<(), UpcastError> {
    // The derive refuses a path that begins otherwise: an object has no elements.
    let [Segment::Field(field), rest @ ..] = parent else { return Ok(()) };
    object
        .change_field(field, |value| each_object(value, field, rest, visit))
        .map_err(|error| at(error, path))
}

/// The error with the field that the operation is about, unless it names one itself.
fn at(error: UpcastError, path: &str) -> UpcastError {
    if error.field().is_some() { error } else { error.at(path) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn undone(operation: &Operation, object: Value) -> Result<JsonObject, String> {
        let mut object = StoredObject::of(object).unwrap();
        operation.undo(&mut object).map_err(|error| error.to_string())?;
        Ok(object.values().unwrap())
    }

    #[test]
    fn what_was_added_is_removed_only_if_reading_adds_the_same() {
        let value = NewValue::Json("0");
        const INSIDE: &[Segment] = &[Segment::Field("by")];
        for parent in [&[][..], INSIDE] {
            let path = if parent.is_empty() { "fee" } else { "by.fee" };
            let add = Operation::Add { path, parent, name: "fee", value };
            let holding = |fee: Value| match parent {
                [] => json!({ "fee": fee, "a": 1 }),
                _ => json!({ "by": { "fee": fee }, "a": 1 }),
            };
            let without =
                if parent.is_empty() { json!({"a": 1}) } else { json!({"by": {}, "a": 1}) };
            for same in [json!(0), json!(0.0)] {
                let left = undone(&add, holding(same)).unwrap();
                assert_eq!(Value::Object(left), without);
            }
            let refused = undone(&add, holding(json!(5))).unwrap_err();
            let expected = format!("`{path}`: it is 5, but who reads the older version finds 0; ");
            assert!(refused.contains(&expected), "{refused}");
        }
    }
}
