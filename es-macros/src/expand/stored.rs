//! What is stored: names and versions.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{DeriveInput, LitInt, LitStr};

use crate::attribute::Slot;
use crate::crate_path::CratePath;

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

/// The version that was given, or the first, as a `SchemaVersion`.
pub(super) fn schema_version(given: &Slot<LitInt>, es_core: &CratePath) -> TokenStream {
    match given.value() {
        Some(version) => quote!(#es_core::__private::schema_version(#version)),
        // Most events are at the first, and a call would cost each of them.
        None => quote!(#es_core::SchemaVersion::FIRST),
    }
}
