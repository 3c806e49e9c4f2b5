//! Types that say how they are written, so that a change of them is noticed in the events that hold
//! them.

mod dependencies;
mod framework;
mod standard;

use es_lock::Shape;

/// A type that says its shape: what serde writes of it.
///
/// An event holds values of other types, and a change of such a type changes what is stored as much
/// as a change of the event. The derive of the event can not see that type; it asks for its shape.
/// A crate with an `events.lock` needs the shape of every type in its events; without one nobody asks.
///
/// Derive it beside serde's derives, whose attributes it follows:
///
/// ```
/// use es_core::prelude::*;
///
/// #[derive(EventData, Serialize, Deserialize)]
/// #[serde(rename_all = "snake_case")]
/// enum Purpose {
///     Household,
///     LoanPayment,
/// }
///
/// assert_eq!(
///     Purpose::SHAPE.to_string(),
///     "enum
/// :household unit
/// :loan_payment unit
/// ",
/// );
/// ```
///
/// A type of another crate says nothing. Its field is declared `#[event(opaque)]` on an event,
/// `#[event_data(opaque)]` elsewhere: it is known by its name then, and what happens inside of it
/// is not noticed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say its shape, which `events.lock` needs of what stands in an event",
    label = "its shape is not known",
    note = "write `#[derive(EventData)]` above `{Self}`",
    note = "or, if it is not yours, write on the field `#[event(opaque)]` in an event, `#[event_data(opaque)]` in another type: then it is known by its name alone"
)]
pub trait EventData {
    /// What serde writes of it.
    const SHAPE: Shape;
}
