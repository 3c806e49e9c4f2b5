//! Rules of `#[derive(AggregateId)]`.

use syn::Data;

use super::item;
use crate::ctxt::Ctxt;
use crate::model::AggregateId;

/// Checks that the id is a newtype.
pub(crate) fn aggregate_id(ctxt: &Ctxt, id: &AggregateId<'_>) {
    item::is_concrete(
        ctxt,
        id.input,
        "the id of an aggregate",
        "the id of an aggregate can not be generic\nhelp: use a concrete type for the field, such as `u64` or `Uuid`",
    );
    if id.inner.is_some() {
        return;
    }
    let ident = &id.input.ident;
    let message = format!(
        "the derived id of an aggregate is a struct with one field without a name\nhelp: write `struct {ident}(u64);`, or implement `Display` and `FromStr` for `{ident}` instead of this derive"
    );
    match &id.input.data {
        Data::Struct(_) => ctxt.error(ident, message),
        _ => ctxt.error(item::keyword(id.input), message),
    }
}
