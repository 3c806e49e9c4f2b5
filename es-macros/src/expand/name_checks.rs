//! Checks that need the constants of other types, made while the user's crate compiles.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use super::span::ends;
use crate::crate_path::CratePath;
use crate::model::{EventSet, Variant};

/// What a set makes of the parts of a split event that it does not list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// They are events of the same stream, and a state without them would be wrong.
    MustBeListed,
    /// They are somebody else's.
    MayBeElsewhere,
}

/// No two events of a set have a stored name in common, none has a retired one, and an aggregate
/// lists what its events split into. Each check is a constant of its own, so that all that fail are
/// reported.
///
/// ```text
/// const _: () = stored_name_is_unique(EVENTS, LISTED, 1);
/// const _: () = retired_name_is_gone(EVENTS, LISTED, "account.frozen");
/// const _: () = parts_are_listed(EVENTS, LISTED, 0);
/// ```
pub(super) fn name_checks(set: &EventSet, parts: Parts) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants, retired } = set;
    let one = |index: usize, variant: &Variant, check: &str| {
        let span = variant.span();
        let (es_core, check) = (es_core.at(span), Ident::new(check, span));
        let index = Literal::usize_unsuffixed(index);
        let check =
            quote_spanned!(span=> #es_core::__private::check::#check(EVENTS, LISTED, #index));
        quote!(const _: () = #check;)
    };
    let listed = variants.iter().map(Variant::written);
    let unique = variants
        .iter()
        .enumerate()
        .skip(1)
        .map(|(index, variant)| one(index, variant, "stored_name_is_unique"));
    let gone = retired.iter().map(|name| {
        let span = name.span();
        let es_core = es_core.at(span);
        let check = quote_spanned!(span=> #es_core::__private::check::retired_name_is_gone(EVENTS, LISTED, #name));
        quote!(const _: () = #check;)
    });
    let parts = variants
        .iter()
        .enumerate()
        .filter(|_| parts == Parts::MustBeListed)
        .map(|(index, variant)| one(index, variant, "parts_are_listed"));
    let checks: TokenStream = unique.chain(gone).chain(parts).collect();
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

/// The check of parts for an enum that the user wrote.
pub(super) fn parts_of_own_set(es_core: &CratePath, aggregate: &Ident, own: &Path) -> TokenStream {
    let (first, _) = ends(own);
    let at = es_core.at(first);
    let check = quote_spanned!(first=> #at::__private::check::all_parts_are_listed::<#aggregate>());
    quote! {
        #[allow(unused_qualifications)]
        const _: () = #check;
    }
}
