//! `impl EventData`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{WherePredicate, parse_quote};

use super::arguments::arguments;
use super::shape::Shapes;
use crate::model::EventData;

/// ```text
/// impl EventData for Purpose {
///     const SHAPE: Shape = Shape::choice(Tagging::External, const { &[..] });
/// }
/// ```
pub(crate) fn event_data(data: &EventData<'_>) -> TokenStream {
    let shapes = Shapes { es_core: &data.crate_path, item: &data.input.ident };
    implementation(data, &shapes.whole(&data.shape))
}

/// The impl with a shape.
pub(super) fn implementation(data: &EventData<'_>, shape: &TokenStream) -> TokenStream {
    let (es_core, ident) = (&data.crate_path, &data.input.ident);
    let mut generics = data.input.generics.clone();
    let parameters: Vec<_> =
        generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    for parameter in &parameters {
        let said: WherePredicate = parse_quote!(#parameter: #es_core::EventData);
        generics.make_where_clause().predicates.push(said);
    }
    let arguments = arguments(&generics);
    let (parameters, _, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #parameters #es_core::EventData for #ident #arguments #conditions {
            const SHAPE: #es_core::__private::shape::Shape = #shape;
        }
    }
}
