//! Checks that an event which is split is known as the source of what it becomes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::span::ends;
use crate::model::Event;
use crate::written::written;

/// Each event that a step splits into names this one, so that whoever reads the one reads the other.
///
/// ```text
/// const _: () = split_is_known_by::<Withdrawn, FeeCharged>("Withdrawn", "FeeCharged");
/// ```
pub(super) fn split_checks(event: &Event<'_>) -> TokenStream {
    // Constants of a generic event are not known here.
    if !event.input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let ident = &event.input.ident;
    let splits = event.upcasts.steps.iter().filter_map(|step| step.split());
    let checks = splits.flat_map(|split| &split.into).filter(|target| !target.is_ident(ident)).map(|target| {
        let (first, _) = ends(target);
        let es_core = event.crate_path.at(first);
        let (source_text, target_text) = (ident.to_string(), written(target));
        let check = quote_spanned!(first=> #es_core::__private::check::split_is_known_by::<#ident, #target>(#source_text, #target_text));
        quote!(const _: () = #check;)
    });
    quote! {
        #(
            #[allow(deprecated, unused_qualifications)]
            #checks
        )*
    }
}
