//! The parameters of an item as arguments of its type.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{GenericParam, Generics};

/// `<'a, T, { N }>`: in braces, because a type that is called as a constant is would be meant without.
pub(super) fn arguments(generics: &Generics) -> Option<TokenStream> {
    let arguments = generics.params.iter().map(|parameter| match parameter {
        GenericParam::Lifetime(lifetime) => lifetime.lifetime.to_token_stream(),
        GenericParam::Type(ty) => ty.ident.to_token_stream(),
        GenericParam::Const(constant) => {
            let name = &constant.ident;
            quote!({ #name })
        }
    });
    (!generics.params.is_empty()).then(|| quote!(<#(#arguments),*>))
}
