//! Rules of `#[derive(EventData)]`, and those of every shape.

use syn::{Data, DeriveInput};

use super::{item, read_back};
use crate::ctxt::Ctxt;
use crate::model::EventData;
use crate::model::shape::{ItemShape, ValueKind};

/// Checks that a type says its shape.
pub(crate) fn event_data(ctxt: &Ctxt, data: &EventData<'_>) {
    if let Data::Union(_) = data.input.data {
        ctxt.error(
            item::keyword(data.input),
            "a union has no shape that could be stored\nhelp: write a struct, or an enum for what may differ",
        );
        return;
    }
    shape_is_said(ctxt, data.input, &data.shape, "event_data");
    if !data.is_said {
        read_back::check(ctxt, data.input);
    }
}

/// Where serde asks a function or another type, nobody sees what is written.
pub(super) fn shape_is_said(
    ctxt: &Ctxt,
    input: &DeriveInput,
    shape: &ItemShape<'_>,
    attribute: &str,
) {
    let ident = &input.ident;
    if shape.is_foreign() {
        ctxt.error(
            ident,
            format_args!(
                "what is stored of `{ident}` does not show in it: an attribute of serde gives it to something else\nhelp: write `#[{attribute}(like = OtherType)]`, or `#[{attribute}(opaque)]` if no type looks like that"
            ),
        );
    }
    for (_, value) in shape.values() {
        if let (ValueKind::Foreign, Some(field)) = (&value.kind, value.field) {
            ctxt.error(
                &field.ty,
                format_args!(
                    "what is stored here does not show in the type: an attribute of serde gives it to a function\nhelp: write `#[{attribute}(like = String)]` if it is stored like a `String`, or `#[{attribute}(opaque)]` if no type looks like that"
                ),
            );
        }
    }
}
