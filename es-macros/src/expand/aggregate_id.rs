//! `impl Display` and `impl FromStr` of an id

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::AggregateId;

/// ```text
/// impl Display for AccountId { .. }
/// impl FromStr for AccountId { .. }
/// ```
pub(crate) fn aggregate_id(id: &AggregateId<'_>) -> TokenStream {
    let Some(inner) = id.inner else { return TokenStream::new() };
    let (es_core, ident) = (&id.crate_path, &id.input.ident);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                <#inner as #es_core::__private::IdValue>::print(&self.0, __formatter)
            }
        }

        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl ::core::str::FromStr for #ident {
            type Err = <#inner as #es_core::__private::IdValue>::Error;

            fn from_str(
                __text: &::core::primitive::str,
            ) -> ::core::result::Result<Self, <Self as ::core::str::FromStr>::Err> {
                <#inner as #es_core::__private::IdValue>::read(__text).map(Self)
            }
        }
    }
}
