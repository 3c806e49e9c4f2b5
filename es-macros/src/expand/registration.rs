//! Submissions to the registry of linked aggregates and projections.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use crate::crate_path::CratePath;
use crate::model::{Aggregate, Projection};

/// One submission for an aggregate.
pub(super) fn aggregate(aggregate: &Aggregate<'_>) -> Option<TokenStream> {
    let Aggregate { input, crate_path: es_core, register, .. } = aggregate;
    let ident = &input.ident;
    register.then(|| {
        let function = quote!(#es_core::__private::Registration::aggregate::<#ident>);
        submission(es_core, &function)
    })
}

/// One submission for a projection, which must have a `Default` to be found by itself.
pub(super) fn projection(projection: &Projection<'_>) -> Option<TokenStream> {
    let Projection { input, crate_path: es_core, register, .. } = projection;
    let ident = &input.ident;
    let function = match (projection.rows(), projection.documents.value()) {
        _ if projection.effects => "effect_registration",
        (Some(_), _) if projection.inline => "inline_row_registration",
        (Some(_), _) => "row_registration",
        (None, Some(_)) if projection.inline => "inline_document_registration",
        (None, Some(_)) => "document_registration",
        (None, None) => "projection_registration",
    };
    let function = Ident::new(function, ident.span());
    let function = quote_spanned!(ident.span()=> #function::<#ident>);
    let function = quote!(#es_core::__private::#function);
    if !register && projection.inline {
        // What a submission would find out.
        return projection.rows().map(|family| {
            quote_spanned!(ident.span()=> const _: () = #es_core::__private::rows_can_be_inline::<#family>();)
        });
    }
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
