//! `impl Display`, `impl FromStr` and `impl EventData` of an id

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;

use super::span::ends;
use crate::model::AggregateId;
use crate::model::shape::{ItemShape, ValueKind};

/// ```text
/// impl Display for AccountId { .. }
/// impl FromStr for AccountId { .. }
/// impl EventData for AccountId { .. }
/// ```
pub(crate) fn aggregate_id(id: &AggregateId<'_>) -> TokenStream {
    let Some(inner) = id.inner else { return TokenStream::new() };
    let ident = &id.input.ident;
    let shape = shape(id, inner);
    // What the field can not do is reported under its type.
    let (first, last) = ends(inner);
    let open = quote_spanned!(first=> <);
    let display = quote_spanned!(last=> #open #inner as ::core::fmt::Display>::fmt);
    let error = quote_spanned!(last=> #open #inner as ::core::str::FromStr>::Err);
    let from_str = quote_spanned!(last=> #open #inner as ::core::str::FromStr>::from_str);
    let begin = quote_spanned!(first=> fn);
    let method = quote_spanned! {last=>
        #begin from_str(
            __text: &::core::primitive::str,
        ) -> ::core::result::Result<Self, #error> {
            #from_str(__text).map(Self)
        }
    };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #display(&self.0, __formatter)
            }
        }

        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl ::core::str::FromStr for #ident {
            type Err = #error;
            #method
        }

        #shape
    }
}

/// An id stands in events too. What is in it may keep its shape to itself, which is nobody's mistake.
fn shape(id: &AggregateId<'_>, inner: &Type) -> TokenStream {
    let (es_core, ident) = (&id.crate_path, &id.input.ident);
    let private = quote!(#es_core::__private);
    let opaque = ident.unraw().to_string();
    let opaque = quote!(#private::shape::Shape::opaque(#opaque));
    // Where serde writes something else than the field, nobody knows what.
    let is_plain =
        matches!(&id.shape, ItemShape::Value(value) if matches!(value.kind, ValueKind::Type(_)));
    let value = if is_plain {
        quote! {
            {
                #[allow(unused_imports)]
                use #private::NoShape as _;
                if #private::Probe::<#inner>::PROBED_SHAPE.is_some() {
                    #private::Probe::<#inner>::PROBED_VALUE
                } else {
                    #opaque
                }
            }
        }
    } else {
        opaque
    };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::EventData for #ident {
            const SHAPE: #private::shape::Shape = #value;
        }
    }
}
