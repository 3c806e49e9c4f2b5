//! `impl Display` and `impl FromStr` of an id

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::span::ends;
use crate::model::AggregateId;

/// ```text
/// impl Display for AccountId { .. }
/// impl FromStr for AccountId { .. }
/// ```
pub(crate) fn aggregate_id(id: &AggregateId<'_>) -> TokenStream {
    let Some(inner) = id.inner else { return TokenStream::new() };
    let ident = &id.input.ident;
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
    }
}
