//! The listed event as an event, at the place where it is listed.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;

use super::span::ends;
use crate::crate_path::CratePath;
use crate::model::Variant;

/// `<Opened as ListedEvent>::NAME`, which begins and ends where the event is listed.
///
/// All errors about a type that is no event underline the same text that way, and the compiler
/// prints only the first.
pub(super) fn listed(es_core: &CratePath, variant: &Variant, item: &str) -> TokenStream {
    let (first, last) = ends(&variant.event);
    let (event, es_core, item) = (&variant.event, es_core.at(first), Ident::new(item, last));
    let open = quote_spanned!(first=> <);
    quote_spanned!(last=> #open #event as #es_core::__private::ListedEvent>::#item)
}
