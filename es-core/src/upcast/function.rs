//! The user's functions and structs of old, with the sentences that are read when one does not fit.

use std::any::Any;
use std::fmt::Display;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{JsonObject, Part, StoredObject, UpcastError};
use crate::codec::{Codec, CodecError};
use crate::recorded::{Payload, Recorded};

/// A function of `with = ..`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not change a stored event",
    label = "not a function over the stored object",
    note = "write `fn name(event: &mut JsonObject) -> Result<(), UpcastError>`",
    note = "or, to see when and by whom it was recorded, `fn name(event: &mut JsonObject, recorded: &Recorded) -> Result<(), UpcastError>`"
)]
pub trait ObjectFunction<Signature>: Sync + 'static {
    /// Calls it.
    fn call(&self, object: &mut JsonObject, recorded: &Recorded<'_>) -> Result<(), UpcastError>;
}

#[diagnostic::do_not_recommend]
impl<F> ObjectFunction<fn(&mut JsonObject)> for F
where
    F: Fn(&mut JsonObject) -> Result<(), UpcastError> + Sync + 'static,
{
    fn call(&self, object: &mut JsonObject, _: &Recorded<'_>) -> Result<(), UpcastError> {
        self(object)
    }
}

#[diagnostic::do_not_recommend]
impl<F> ObjectFunction<fn(&mut JsonObject, &Recorded<'_>)> for F
where
    F: Fn(&mut JsonObject, &Recorded<'_>) -> Result<(), UpcastError> + Sync + 'static,
{
    fn call(&self, object: &mut JsonObject, recorded: &Recorded<'_>) -> Result<(), UpcastError> {
        self(object, recorded)
    }
}

/// A function of `inverse = ..`: nothing is recorded yet when an event is written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not undo a step",
    label = "not a function over the stored object",
    note = "write `fn name(event: &mut JsonObject) -> Result<(), UpcastError>`, or without a result if it can not fail"
)]
pub trait InverseFunction<Signature>: Sync + 'static {
    /// Calls it.
    fn undo(&self, object: &mut JsonObject) -> Result<(), UpcastError>;
}

#[diagnostic::do_not_recommend]
impl<F> InverseFunction<fn(&mut JsonObject) -> Result<(), UpcastError>> for F
where
    F: Fn(&mut JsonObject) -> Result<(), UpcastError> + Sync + 'static,
{
    fn undo(&self, object: &mut JsonObject) -> Result<(), UpcastError> {
        self(object)
    }
}

#[diagnostic::do_not_recommend]
impl<F> InverseFunction<fn(&mut JsonObject)> for F
where
    F: Fn(&mut JsonObject) + Sync + 'static,
{
    fn undo(&self, object: &mut JsonObject) -> Result<(), UpcastError> {
        self(object);
        Ok(())
    }
}

/// A function of `add(field = ..)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not make the value of a field",
    label = "not a function that makes a value",
    note = "write `fn name() -> T`, or `fn name(event: &JsonObject) -> T`, or `fn name(event: &JsonObject, recorded: &Recorded) -> T`, where `T` implements `Serialize`",
    note = "to use a constant write a function that returns it; a function that can fail is one for `with = ...`"
)]
pub trait ValueFunction<Signature>: Sync + 'static {
    /// Calls it.
    fn make(
        &self,
        object: &JsonObject,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Value, UpcastError>;
}

#[diagnostic::do_not_recommend]
impl<F, T> ValueFunction<fn() -> T> for F
where
    F: Fn() -> T + Sync + 'static,
    T: Serialize,
{
    fn make(&self, _: &JsonObject, _: Option<&Recorded<'_>>) -> Result<Value, UpcastError> {
        Ok(serde_json::to_value(self())?)
    }
}

#[diagnostic::do_not_recommend]
impl<F, T> ValueFunction<fn(&JsonObject) -> T> for F
where
    F: Fn(&JsonObject) -> T + Sync + 'static,
    T: Serialize,
{
    fn make(&self, object: &JsonObject, _: Option<&Recorded<'_>>) -> Result<Value, UpcastError> {
        Ok(serde_json::to_value(self(object))?)
    }
}

#[diagnostic::do_not_recommend]
impl<F, T> ValueFunction<fn(&JsonObject, &Recorded<'_>) -> T> for F
where
    F: Fn(&JsonObject, &Recorded<'_>) -> T + Sync + 'static,
    T: Serialize,
{
    fn make(
        &self,
        object: &JsonObject,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Value, UpcastError> {
        Ok(serde_json::to_value(self(object, recorded.ok_or_else(nothing_recorded)?))?)
    }
}

fn nothing_recorded() -> UpcastError {
    UpcastError::new(
        "the function asks for the recorded event, but the event is only about to be written",
    )
}

/// A function and the signature that it has.
pub struct NamedFunction<F, Signature>(F, PhantomData<fn() -> Signature>);

impl<F, Signature> NamedFunction<F, Signature> {
    /// A function of `inverse = ..`.
    pub const fn inverse(function: F) -> Self
    where
        F: InverseFunction<Signature>,
    {
        Self(function, PhantomData)
    }

    /// A function of `with = ..`.
    pub const fn with(function: F) -> Self
    where
        F: ObjectFunction<Signature>,
    {
        Self(function, PhantomData)
    }

    /// A function of `add(field = ..)`.
    pub const fn add(function: F) -> Self
    where
        F: ValueFunction<Signature>,
    {
        Self(function, PhantomData)
    }

    /// A function of `split(.., with = ..)`; what it must be is asked for where it is known.
    pub(crate) const fn unchecked(function: F) -> Self {
        Self(function, PhantomData)
    }

    pub(crate) const fn function(&self) -> &F {
        &self.0
    }
}

/// A function over the stored object whose signature is forgotten.
pub trait CalledStep: Sync {
    /// Calls it.
    fn call(&self, object: &mut JsonObject, recorded: &Recorded<'_>) -> Result<(), UpcastError>;
}

impl<F: ObjectFunction<Signature>, Signature> CalledStep for NamedFunction<F, Signature> {
    fn call(&self, object: &mut JsonObject, recorded: &Recorded<'_>) -> Result<(), UpcastError> {
        self.0.call(object, recorded)
    }
}

/// A function that undoes a step, whose signature is forgotten.
pub trait CalledInverse: Sync {
    /// Calls it.
    fn undo(&self, object: &mut JsonObject) -> Result<(), UpcastError>;
}

impl<F: InverseFunction<Signature>, Signature> CalledInverse for NamedFunction<F, Signature> {
    fn undo(&self, object: &mut JsonObject) -> Result<(), UpcastError> {
        self.0.undo(object)
    }
}

/// A function that makes a value, whose signature is forgotten.
pub trait AddedValue: Sync {
    /// Calls it.
    fn make(
        &self,
        object: &JsonObject,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Value, UpcastError>;
}

impl<F: ValueFunction<Signature>, Signature> AddedValue for NamedFunction<F, Signature> {
    fn make(
        &self,
        object: &JsonObject,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Value, UpcastError> {
        self.0.make(object, recorded)
    }
}

/// A function that splits, whose signature is forgotten.
pub trait SplitCall: Sync {
    /// Splits a payload.
    fn of_payload(&self, recorded: &Recorded<'_>) -> Result<Vec<Part>, UpcastError>;

    /// Splits the object that the step before made.
    fn of_object(
        &self,
        object: &StoredObject<'_>,
        recorded: &Recorded<'_>,
    ) -> Result<Vec<Part>, UpcastError>;
}

/// A struct of old: read, and never written.
#[diagnostic::on_unimplemented(
    message = "old events can not be read as `{Self}`: it must implement `Deserialize`",
    label = "can not be read",
    note = "write `#[derive(Deserialize)]` above `struct {Self}`"
)]
pub trait OldStruct: DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> OldStruct for T {}

/// A struct of old that becomes the next one.
#[diagnostic::on_unimplemented(
    message = "nothing says how `{Self}` becomes `{Next}`",
    label = "does not become `{Next}`",
    note = "write `impl From<{Self}> for {Next} {{ fn from(old: {Self}) -> Self {{ .. }} }}`, or `TryFrom` if it can fail",
    note = "each `via` becomes the struct of the next step, the last one the event itself"
)]
pub trait UpcastTo<Next>: Sized + 'static {
    /// The next one.
    fn upcast(self) -> Result<Next, UpcastError>;
}

#[diagnostic::do_not_recommend]
impl<Old: 'static, Next: TryFrom<Old, Error: Display>> UpcastTo<Next> for Old {
    fn upcast(self) -> Result<Next, UpcastError> {
        Next::try_from(self).map_err(|error| UpcastError::new(error.to_string()))
    }
}

/// Reads a struct of old.
pub(crate) fn decoded<Old: OldStruct, C: Codec>(
    payload: Payload<'_>,
) -> Result<Box<dyn Any>, CodecError> {
    match C::decode::<Old>(payload) {
        Ok(old) => Ok(Box::new(old)),
        Err(error) => Err(error),
    }
}

/// Makes the next struct of a struct of old.
pub(crate) fn converted<Old: UpcastTo<Next>, Next: 'static>(
    old: Box<dyn Any>,
) -> Result<Box<dyn Any>, UpcastError> {
    match old.downcast::<Old>() {
        Ok(old) => Ok(Box::new((*old).upcast()?)),
        // The table of the derive hands each struct to the step that was made for it.
        Err(_) => Err(UpcastError::new("the step before made another struct")),
    }
}
