//! Checks that need the constants of other types, made while the user's crate compiles.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::crate_path::CratePath;
use crate::model::{EventSet, Variant};

/// No two events of a set have a stored name in common, and none has a retired one. Each check is a
/// constant of its own, so that all that fail are reported.
///
/// ```text
/// const _: () = stored_name_is_unique(EVENTS, LISTED, 1);
/// const _: () = retired_name_is_gone(EVENTS, LISTED, "account.frozen");
/// ```
pub(super) fn name_checks(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants, retired } = set;
    let listed = variants.iter().map(Variant::written);
    let unique = variants.iter().enumerate().skip(1).map(|(index, variant)| {
        let span = variant.span();
        let es_core = es_core.at(span);
        let index = Literal::usize_unsuffixed(index);
        let check = quote_spanned!(span=> #es_core::__private::check::stored_name_is_unique(EVENTS, LISTED, #index));
        quote!(const _: () = #check;)
    });
    let gone = retired.iter().map(|name| {
        let span = name.span();
        let es_core = es_core.at(span);
        let check = quote_spanned!(span=> #es_core::__private::check::retired_name_is_gone(EVENTS, LISTED, #name));
        quote!(const _: () = #check;)
    });
    let checks: TokenStream = unique.chain(gone).collect();
    if checks.is_empty() {
        return checks;
    }
    quote! {
        #[allow(unused_qualifications)]
        const _: () = {
            const EVENTS: &[#es_core::EventType] = <#ident as #es_core::EventSet>::EVENTS;
            const LISTED: &[&::core::primitive::str] = &[#(#listed),*];
            #checks
        };
    }
}

/// An aggregate lists what its events split into: a state without a part of what happened would be
/// wrong. The check stands at the option that names the events.
///
/// ```text
/// const _: () = all_parts_are_listed::<Account>();
/// ```
pub(super) fn parts_check(es_core: &CratePath, aggregate: &Ident, events: Span) -> TokenStream {
    let at = es_core.at(events);
    let check =
        quote_spanned!(events=> #at::__private::check::all_parts_are_listed::<#aggregate>());
    quote! {
        #[allow(unused_qualifications)]
        const _: () = #check;
    }
}
