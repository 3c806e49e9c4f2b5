//! Checks that need the constants of other types, made while the user's crate compiles.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};

use crate::model::{EventSet, Variant};

/// No two events of a set have one stored name. Each check is a constant of its own, so that all
/// that fail are reported.
///
/// ```text
/// const _: () = stored_name_is_unique(EVENTS, LISTED, 1);
/// ```
pub(super) fn name_checks(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants } = set;
    if variants.len() < 2 {
        return TokenStream::new();
    }
    let listed = variants.iter().map(Variant::written);
    let checks = variants.iter().enumerate().skip(1).map(|(index, variant)| {
        let span = variant.span();
        let es_core = es_core.at(span);
        let index = Literal::usize_unsuffixed(index);
        let check = quote_spanned!(span=> #es_core::__private::check::stored_name_is_unique(EVENTS, LISTED, #index));
        quote!(const _: () = #check;)
    });
    quote! {
        #[allow(unused_qualifications)]
        const _: () = {
            const EVENTS: &[#es_core::EventType] = <#ident as #es_core::EventSet>::EVENTS;
            const LISTED: &[&::core::primitive::str] = &[#(#listed),*];
            #(#checks)*
        };
    }
}
