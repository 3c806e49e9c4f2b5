//! Upcasting: how a stored version of an event becomes the next, as data that the derive makes.
//!
//! A step is an operation on the stored object, or a struct of old that becomes the next one, or it
//! splits the stored event into several. What a step needs of its event stands in a table
//! ([`Upcasts`]); what runs the steps is the same code for all events.

mod function;
#[cfg(test)]
mod laws;
mod operation;
mod path;
mod run;
mod stored_object;

use std::any::Any;
use std::error::Error;
use std::fmt;

use bytes::Bytes;

use crate::codec::CodecError;
use crate::recorded::{Payload, Recorded};
use crate::version::SchemaVersion;

pub use self::function::{
    AddedValue, CalledInverse, CalledStep, InverseFunction, NamedFunction, ObjectFunction,
    OldStruct, SplitCall, UpcastTo, ValueFunction,
};
pub(crate) use self::function::{converted, decoded};
pub use self::operation::{NewValue, Operation};
pub use self::path::Segment;
pub(crate) use self::run::{Problem, Upcasted, downcast, upcast};
pub use self::stored_object::StoredObject;

/// A stored object of JSON, as a step sees it.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;

/// Why a step could not make the next version of an event. The `?` operator makes it of any error.
///
/// What reads the event adds stream, version, position, event and step.
///
/// ```
/// use es_core::{JsonObject, UpcastError};
///
/// fn whole_cents(event: &mut JsonObject) -> Result<(), UpcastError> {
///     let text = event.get("amount").and_then(|amount| amount.as_str());
///     let text = text.ok_or_else(|| UpcastError::new("there is no text").at("amount"))?;
///     let cents: u64 = text.replace('.', "").parse()?;
///     event.insert("amount".to_owned(), cents.into());
///     Ok(())
/// }
///
/// let mut event = JsonObject::from_iter([("amount".to_owned(), "12.50".into())]);
/// whole_cents(&mut event).unwrap();
/// assert_eq!(event["amount"], 1250);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UpcastError {
    what: String,
    field: Option<String>,
}

impl UpcastError {
    /// A failure in one sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), field: None }
    }

    /// Says which field it is about: its stored name, or a path such as `lines[].amount`.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The field that it is about, if that is known.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

// It is no `Error` itself, so that any error can become one.
impl<E: Error> From<E> for UpcastError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for UpcastError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(formatter, "field `{field}`: {}", self.what),
            None => formatter.write_str(&self.what),
        }
    }
}

impl fmt::Debug for UpcastError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The versions of an event before the newest: how each becomes the next.
pub struct Upcasts {
    /// The oldest version that can be read; the step of it is the first.
    pub oldest: u32,
    /// One step for each version from the oldest up to the one before the newest.
    pub steps: &'static [Step],
    /// Reads a payload as an object, if a step works on that.
    pub object: Option<for<'a> fn(Payload<'a>) -> Result<StoredObject<'a>, CodecError>>,
}

impl Upcasts {
    /// The table of an event that always had the version it has.
    pub const NONE: Self = Self { oldest: 1, steps: &[], object: None };

    /// The table of an event whose versions before `oldest` were never stored, or are gone.
    pub const fn since(oldest: u32) -> Self {
        Self { oldest, steps: &[], object: None }
    }

    /// The oldest version that can be read of an event whose newest is this.
    pub(crate) fn oldest(&self, newest: SchemaVersion) -> SchemaVersion {
        if self.steps.is_empty() { newest } else { crate::__private::schema_version(self.oldest) }
    }
}

/// What makes the next version of a version.
pub struct Step {
    /// The attribute as it is written, for messages.
    pub text: &'static str,
    /// What it does.
    pub kind: StepKind,
}

/// Makes the next struct of a struct of old, whose types are forgotten.
pub(crate) type NextStruct = fn(Box<dyn Any>) -> Result<Box<dyn Any>, UpcastError>;

/// The kinds of steps.
pub enum StepKind {
    /// Operations on the stored object, one after another.
    Object {
        /// The operations.
        operations: &'static [Operation],
        /// What undoes them all, where that can not be derived.
        inverse: Option<&'static dyn CalledInverse>,
    },
    /// The version is read as a struct of old, which becomes the next one.
    Via {
        /// Reads the struct of old.
        read: fn(Payload<'_>) -> Result<Box<dyn Any>, CodecError>,
        /// Reads it from the object that the step before made.
        from_object: fn(&StoredObject<'_>) -> Result<Box<dyn Any>, CodecError>,
        /// Makes the next struct of it.
        next: NextStruct,
        /// What undoes it over the stored object.
        inverse: Option<&'static dyn CalledInverse>,
    },
    /// One stored event becomes several.
    Split {
        /// The stored names of what it can become.
        into: &'static [&'static str],
        /// Makes them.
        run: &'static dyn SplitCall,
    },
}

/// One of the events that a stored event becomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub(crate) name: &'static str,
    pub(crate) schema_version: SchemaVersion,
    pub(crate) payload: Bytes,
}

impl Part {
    /// The part as if it had been recorded in the place of the whole.
    pub(crate) fn recorded<'a>(&'a self, whole: &Recorded<'a>) -> Recorded<'a> {
        Recorded {
            name: self.name,
            schema_version: self.schema_version,
            payload: Payload::Bytes(&self.payload),
            ..*whole
        }
    }
}
