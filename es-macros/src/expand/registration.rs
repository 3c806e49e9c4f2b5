//! Submissions to the registry of linked aggregates and projections.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use crate::crate_path::CratePath;
use crate::model::{Aggregate, Projection};

/// One submission for an aggregate. One that does not register still tells the test of its crate which
/// names it retires.
pub(super) fn aggregate(aggregate: &Aggregate<'_>) -> Option<TokenStream> {
    let Aggregate { input, crate_path: es_core, register, .. } = aggregate;
    let ident = &input.ident;
    if *register {
        let function = quote!(#es_core::__private::Registration::aggregate::<#ident>);
        return Some(submission(es_core, &function));
    }
    input.generics.params.is_empty().then(|| {
        quote! {
            #[cfg(test)]
            #[allow(deprecated, unused_qualifications)]
            const _: () = {
                #es_core::__private::inventory::submit! {
                    #es_core::__private::RetiredNames::of::<#ident>()
                }
            };
        }
    })
}

/// One submission for a projection, which must have a `Default` to be found by itself.
pub(super) fn projection(projection: &Projection<'_>) -> Option<TokenStream> {
    let Projection { input, crate_path: es_core, register, .. } = projection;
    let ident = &input.ident;
    let function = match (projection.rows(), projection.documents.value()) {
        (Some(_), _) => "row_registration",
        (None, Some(_)) => "document_registration",
        (None, None) => "projection_registration",
    };
    let function = Ident::new(function, ident.span());
    let function = quote_spanned!(ident.span()=> #function::<#ident>);
    let function = quote!(#es_core::__private::#function);
    register.then(|| submission(es_core, &function))
}

fn submission(es_core: &CratePath, function: &TokenStream) -> TokenStream {
    quote! {
        #[allow(deprecated, unused_qualifications)]
        const _: () = {
            #es_core::__private::inventory::submit! {
                #function(
                    ::core::option_env!("CARGO_PKG_NAME"),
                    ::core::concat!(::core::file!(), ":", ::core::line!()),
                )
            }
        };
    }
}
