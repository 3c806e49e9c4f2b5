//! `impl Event`

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{WherePredicate, parse_quote};

use super::arguments::arguments;
use super::history::history;
use super::released::released;
use super::split_checks::split_checks;
use super::stored;
use crate::model::{Event, Tag};

/// ```text
/// impl Event for Deposited {
///     const NAME: &str = "account.deposited";
///     const VERSION: SchemaVersion = schema_version(3);
///     type Codec = Json;
///     fn tags(&self, tags: &mut Tags) { tag(tags, "owner", &self.owner); }
/// }
/// ```
pub(crate) fn event(event: &Event<'_>) -> TokenStream {
    let tags = event.tags.iter().map(|one| tag(event, one));
    let es_core = &event.crate_path;
    let tags = (!event.tags.is_empty()).then(|| {
        quote! {
            fn tags(&self, __tags: &mut #es_core::Tags) {
                #(#tags)*
            }
        }
    });
    let history = history(event);
    let checks = split_checks(event);
    let implementation = implementation(
        event,
        quote! {
            #history
            #tags
        },
    );
    let released = released(event);
    quote! {
        #implementation
        #checks
        #released
    }
}

/// The impl; `more` is everything that could fail for a reason of its own.
pub(super) fn implementation(event: &Event<'_>, more: TokenStream) -> TokenStream {
    let (es_core, ident) = (&event.crate_path, &event.input.ident);
    let name = stored::name(&event.name, event.input);
    let version = stored::schema_version(&event.version, es_core);
    let codec = match event.codec.value() {
        Some(codec) => codec.to_token_stream(),
        None => quote!(#es_core::Json),
    };
    let mut generics = event.input.generics.clone();
    let arguments = arguments(&generics);
    if !generics.params.is_empty() {
        // Which parameters must be stored is for serde to know.
        let stored: WherePredicate = parse_quote!(#ident #arguments: #es_core::Stored);
        generics.make_where_clause().predicates.push(stored);
    }
    let (parameters, _, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #parameters #es_core::Event for #ident #arguments #conditions {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: #es_core::SchemaVersion = #version;
            type Codec = #codec;
            #more
        }
    }
}

fn tag(event: &Event<'_>, tag: &Tag<'_>) -> TokenStream {
    let (es_core, member, key) = (&event.crate_path, &tag.member, tag.key_text());
    let (value, optional) = tag.value_type();
    let function = if optional { quote!(optional_tag) } else { quote!(tag) };
    quote! {
        #es_core::__private::#function::<#value>(__tags, #key, &self.#member);
    }
}
