//! `const FINGERPRINT`: what the type of a state looks like.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Field};

use crate::crate_path::CratePath;
use crate::written::written;

/// ```text
/// const FINGERPRINT: Fingerprint = {
///     use NoShape as _;
///     Fingerprint::of("struct{open:bool;balance:Money;}", 1, &[Probe::<Money>::PROBED_SHAPE])
/// };
/// ```
///
/// The text is made here and not by `to_string`, whose spaces depend on the compiler.
pub(super) fn fingerprint(
    input: &DeriveInput,
    es_core: &CratePath,
    version: impl ToTokens,
) -> TokenStream {
    let tokens = tokens(input);
    let mut types: Vec<_> = fields(input).into_iter().map(|field| &field.ty).collect();
    let mut seen = std::collections::BTreeSet::new();
    types.retain(|ty| !is_primitive(&written(ty)) && seen.insert(written(ty)));
    let private = quote!(#es_core::__private);
    let shapes = types.iter().map(|ty| quote!(#private::Probe::<#ty>::PROBED_SHAPE));
    let import = (!types.is_empty()).then(|| {
        quote! {
            #[allow(unused_imports)]
            use #private::NoShape as _;
        }
    });
    quote! {
        const FINGERPRINT: #es_core::Fingerprint = {
            #import
            #es_core::Fingerprint::of(#tokens, #version, &[#(#shapes),*])
        };
    }
}

/// What the item itself says of what serde writes.
fn tokens(input: &DeriveInput) -> String {
    let mut text = serde(&input.attrs);
    match &input.data {
        Data::Struct(data) => {
            text.push_str("struct");
            describe(&data.fields, &mut text);
        }
        Data::Enum(data) => {
            text.push_str("enum{");
            for variant in &data.variants {
                text.push_str(&serde(&variant.attrs));
                text.push_str(&variant.ident.to_string());
                describe(&variant.fields, &mut text);
            }
            text.push('}');
        }
        Data::Union(_) => {}
    }
    text
}

fn describe(fields: &syn::Fields, text: &mut String) {
    text.push('{');
    for field in fields {
        text.push_str(&serde(&field.attrs));
        if let Some(ident) = &field.ident {
            text.push_str(&ident.to_string());
            text.push(':');
        }
        text.push_str(&written(&field.ty));
        text.push(';');
    }
    text.push('}');
}

fn serde(attributes: &[Attribute]) -> String {
    let of_serde = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    of_serde.map(written).collect()
}

fn fields(input: &DeriveInput) -> Vec<&Field> {
    match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    }
}

/// Types whose name says everything.
fn is_primitive(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "char"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
            | "f32"
            | "f64"
            | "String"
    )
}
