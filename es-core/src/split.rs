//! What a stored event becomes that a step splits.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codec::{Codec, SelfDescribing};
use crate::event::Event;
use crate::recorded::Recorded;
use crate::upcast::{JsonObject, NamedFunction, Part, SplitCall, StoredObject, UpcastError};
use crate::version::SchemaVersion;

/// The events that one stored event becomes, in order: what a function of `split(.., with = ..)`
/// answers with.
///
/// ```
/// use es_core::prelude::*;
/// use es_core::{JsonObject, Split, UpcastError};
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.withdrawn", version = 2)]
/// #[upcast(from = 1, split(into(Withdrawn, FeeCharged), with = fee_apart))]
/// struct Withdrawn {
///     amount: u64,
/// }
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.fee_charged", split_from(Withdrawn))]
/// struct FeeCharged {
///     amount: u64,
/// }
///
/// #[derive(Deserialize)]
/// struct WithdrawnV1 {
///     amount: u64,
///     fee: u64,
/// }
///
/// fn fee_apart(old: WithdrawnV1) -> Result<Split, UpcastError> {
///     let mut withdrawn = JsonObject::new();
///     withdrawn.insert("amount".to_owned(), (old.amount - old.fee).into());
///     Ok(Split::new()
///         .version::<Withdrawn>(2, withdrawn)
///         .event(FeeCharged { amount: old.fee }))
/// }
/// ```
///
/// An event that is given as a struct is of today's version. When its next version comes, keep what
/// this step made: give it as an object with its version, and the steps from there do the rest.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Split(Result<Vec<Part>, UpcastError>);

impl Split {
    /// No event yet.
    pub const fn new() -> Self {
        Self(Ok(Vec::new()))
    }

    /// Adds an event of today's version to the end.
    pub fn event<E: Event>(self, event: E) -> Self {
        self.part(E::NAME, E::VERSION, || {
            let mut payload = Vec::new();
            event.write::<E::Codec>(&mut payload)?;
            Ok(payload)
        })
    }

    /// Adds an event as it was stored with a version, from which its own steps go on.
    pub fn version<E: Event<Codec: SelfDescribing>>(self, version: u32, event: JsonObject) -> Self {
        let known = SchemaVersion::try_from(version).ok().filter(|version| *version <= E::VERSION);
        self.part(E::NAME, known.unwrap_or(E::VERSION), || {
            if known.is_none() {
                return Err(UpcastError::new(format!("`{}` has no version {version}", E::NAME)));
            }
            let mut payload = Vec::new();
            E::Codec::encode(&Value::Object(event), &mut payload)?;
            Ok(payload)
        })
    }

    fn part(
        mut self,
        name: &'static str,
        schema_version: SchemaVersion,
        payload: impl FnOnce() -> Result<Vec<u8>, UpcastError>,
    ) -> Self {
        if let Ok(parts) = &mut self.0 {
            match payload() {
                Ok(payload) => {
                    parts.push(Part { name, schema_version, payload: Bytes::from(payload) });
                }
                Err(error) => self.0 = Err(error),
            }
        }
        self
    }
}

impl Default for Split {
    fn default() -> Self {
        Self::new()
    }
}

/// A function of `split(.., with = ..)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not split a stored event",
    label = "not a function that splits",
    note = "write `fn name(event: JsonObject) -> Result<Split, UpcastError>`, with a struct of old in the place of `JsonObject` if you like",
    note = "or, to see when and by whom it was recorded, `fn name(event: JsonObject, recorded: &Recorded) -> Result<Split, UpcastError>`"
)]
pub trait SplitFunction<Signature>: Sync + 'static {
    /// What it splits.
    type Old: DeserializeOwned;

    /// Calls it.
    fn split(&self, old: Self::Old, recorded: &Recorded<'_>) -> Result<Split, UpcastError>;
}

#[diagnostic::do_not_recommend]
impl<F, Old> SplitFunction<fn(Old)> for F
where
    F: Fn(Old) -> Result<Split, UpcastError> + Sync + 'static,
    Old: DeserializeOwned,
{
    type Old = Old;

    fn split(&self, old: Old, _: &Recorded<'_>) -> Result<Split, UpcastError> {
        self(old)
    }
}

#[diagnostic::do_not_recommend]
impl<F, Old> SplitFunction<fn(Old, &Recorded<'_>)> for F
where
    F: Fn(Old, &Recorded<'_>) -> Result<Split, UpcastError> + Sync + 'static,
    Old: DeserializeOwned,
{
    type Old = Old;

    fn split(&self, old: Old, recorded: &Recorded<'_>) -> Result<Split, UpcastError> {
        self(old, recorded)
    }
}

/// A function that splits, with the codec of what it splits.
pub struct Splitting<F, Signature, C>(NamedFunction<F, Signature>, PhantomData<fn() -> C>);

impl<F: SplitFunction<Signature>, Signature, C: Codec> Splitting<F, Signature, C> {
    /// A function of `split(.., with = ..)`.
    pub const fn with(function: F) -> Self {
        Self(NamedFunction::unchecked(function), PhantomData)
    }
}

impl<F: SplitFunction<Signature>, Signature, C: Codec> SplitCall for Splitting<F, Signature, C> {
    fn of_payload(&self, recorded: &Recorded<'_>) -> Result<Vec<Part>, UpcastError> {
        let old = C::decode::<F::Old>(recorded.payload)?;
        self.0.function().split(old, recorded)?.0
    }

    fn of_object(
        &self,
        object: &StoredObject<'_>,
        recorded: &Recorded<'_>,
    ) -> Result<Vec<Part>, UpcastError> {
        let old = object.read::<F::Old>()?;
        self.0.function().split(old, recorded)?.0
    }
}
