//! What is stored: names and versions.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{DeriveInput, LitInt, LitStr};

use crate::attribute::Slot;

/// The name that was given, or that of the item.
pub(super) fn name(given: &Slot<LitStr>, item: &DeriveInput) -> TokenStream {
    match given.value() {
        Some(name) => name.to_token_stream(),
        None => item.ident.unraw().to_string().into_token_stream(),
    }
}

/// The version that was given, or the first.
pub(super) fn version(given: &Slot<LitInt>) -> TokenStream {
    match given.value() {
        Some(version) => version.to_token_stream(),
        None => quote!(1),
    }
}
