//! Operations on a stored object, forwards and backwards.

use serde_json::Value;

use super::function::{AddedValue, CalledStep};
use super::path::{Segment, each_object};
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
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A text.
    Text(&'static str),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// A negative number.
    Negative(i64),
    /// A number with a fraction.
    Float(f64),
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
        object: &mut JsonObject,
        recorded: &Recorded<'_>,
    ) -> Result<(), UpcastError> {
        match self {
            Self::Rename { path, parent, old, new } => rename(object, path, parent, old, new),
            Self::Add { path, parent, name, value, .. } => {
                insert(object, path, parent, name, value, Some(recorded))
            }
            Self::Remove { path, parent, name, .. } => remove(object, path, parent, name),
            Self::With { run } => run.call(object, recorded),
        }
    }

    /// Undoes it: the object is of the version before then.
    pub(super) fn undo(&self, object: &mut JsonObject) -> Result<(), UpcastError> {
        match self {
            Self::Rename { path, parent, old, new } => rename(object, path, parent, new, old),
            Self::Add { path, parent, name, .. } => remove(object, path, parent, name),
            Self::Remove { path, parent, name, undone: Some(value) } => {
                insert(object, path, parent, name, value, None)
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
        Ok(match *self {
            Self::Null => Value::Null,
            Self::Boolean(boolean) => Value::Bool(boolean),
            Self::Text(text) => Value::String(text.to_owned()),
            Self::Unsigned(number) => Value::from(number),
            Self::Negative(number) => Value::from(number),
            Self::Float(number) => Value::from(number),
            Self::Function { make } => return make.make(object, recorded),
        })
    }
}

fn rename(
    object: &mut JsonObject,
    path: &str,
    parent: &[Segment],
    old: &str,
    new: &str,
) -> Result<(), UpcastError> {
    let mut rename = |object: &mut JsonObject| {
        let Some(value) = object.remove(old) else { return Ok(()) };
        match object.insert(new.to_owned(), value) {
            None => Ok(()),
            Some(_) => {
                Err(UpcastError::new(format!("`{old}` can not become `{new}`: the event has both")))
            }
        }
    };
    each_object(object, parent, &mut rename).map_err(|error| at(error, path))
}

fn insert(
    object: &mut JsonObject,
    path: &str,
    parent: &[Segment],
    name: &str,
    value: &NewValue,
    recorded: Option<&Recorded<'_>>,
) -> Result<(), UpcastError> {
    let mut insert = |object: &mut JsonObject| {
        if !object.contains_key(name) {
            let value = value.make(object, recorded)?;
            object.insert(name.to_owned(), value);
        }
        Ok(())
    };
    each_object(object, parent, &mut insert).map_err(|error| at(error, path))
}

fn remove(
    object: &mut JsonObject,
    path: &str,
    parent: &[Segment],
    name: &str,
) -> Result<(), UpcastError> {
    let mut remove = |object: &mut JsonObject| {
        object.remove(name);
        Ok(())
    };
    each_object(object, parent, &mut remove).map_err(|error| at(error, path))
}

/// The error with the field that the operation is about, unless it names one itself.
fn at(error: UpcastError, path: &str) -> UpcastError {
    if error.field().is_some() { error } else { error.at(path) }
}
