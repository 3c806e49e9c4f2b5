//! Which items a derive accepts.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Data, DeriveInput, GenericParam};

use crate::ctxt::Ctxt;

/// The word that says what kind of item it is.
pub(crate) fn keyword(input: &DeriveInput) -> TokenStream {
    match &input.data {
        Data::Struct(data) => data.struct_token.to_token_stream(),
        Data::Enum(data) => data.enum_token.to_token_stream(),
        Data::Union(data) => data.union_token.to_token_stream(),
    }
}

/// Refuses lifetimes: what goes through stores and queues owns its data.
pub(crate) fn owns_its_data(ctxt: &Ctxt, input: &DeriveInput, what: &str) {
    for lifetime in input.generics.lifetimes() {
        ctxt.error(
            &lifetime.lifetime,
            format_args!(
                "{what} owns its data: it can not have a lifetime\nhelp: use `String` or `Cow<'static, str>` for the field"
            ),
        );
    }
}

/// Refuses all generic parameters: lifetimes because `what` owns its data, others with the reason and
/// the way out of `message`.
pub(crate) fn is_concrete(ctxt: &Ctxt, input: &DeriveInput, what: &str, message: &str) -> bool {
    owns_its_data(ctxt, input, what);
    let mut parameters = input.generics.params.iter();
    if parameters.any(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        ctxt.error(&input.generics, message);
    }
    input.generics.params.is_empty()
}
