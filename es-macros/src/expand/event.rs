//! `impl Event`

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Member, WherePredicate, parse_quote};

use super::released::released;
use super::span::ends;
use super::split_checks::split_checks;
use super::stored;
use super::upcast::older_versions;
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
    let names = names(event);
    let older_versions = older_versions(event);
    let checks = split_checks(event);
    let implementation = implementation(
        event,
        quote! {
            #names
            #older_versions
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

/// Other names and another version, if there are some.
fn names(event: &Event<'_>) -> TokenStream {
    let es_core = &event.crate_path;
    let aliases = (!event.aliases.is_empty()).then(|| {
        let aliases = &event.aliases;
        quote! {
            const ALIASES: &'static [&'static ::core::primitive::str] = &[#(#aliases),*];
        }
    });
    let written = event.write_version.value().map(|version| {
        quote! {
            const WRITTEN_VERSION: #es_core::SchemaVersion =
                #es_core::__private::schema_version(#version);
        }
    });
    let split_from = event.split_from.value().map(|sources| {
        let sources = sources.iter().map(|source| {
            let (first, _) = ends(source);
            let es_core = es_core.at(first);
            quote_spanned!(first=> #es_core::__private::SplitSource::of::<#source>())
        });
        quote! {
            const SPLIT_FROM: &'static [#es_core::__private::SplitSource] = &[#(#sources),*];
        }
    });
    quote! {
        #aliases
        #written
        #split_from
    }
}

/// The impl; `more` is everything that could fail for a reason of its own.
pub(super) fn implementation(event: &Event<'_>, more: TokenStream) -> TokenStream {
    let (es_core, ident) = (&event.crate_path, &event.input.ident);
    let name = stored::name(&event.name, event.input);
    let version = stored::version(&event.version);
    let codec = match event.codec.value() {
        Some(codec) => codec.to_token_stream(),
        None => quote!(#es_core::Json),
    };
    let mut generics = event.input.generics.clone();
    if !generics.params.is_empty() {
        // Which parameters must be stored is for serde to know.
        let (_, arguments, _) = event.input.generics.split_for_impl();
        let stored: WherePredicate = parse_quote!(#ident #arguments: #es_core::Stored);
        generics.make_where_clause().predicates.push(stored);
    }
    let (parameters, arguments, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #parameters #es_core::Event for #ident #arguments #conditions {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: #es_core::SchemaVersion = #es_core::__private::schema_version(#version);
            type Codec = #codec;
            #more
        }
    }
}

fn tag(event: &Event<'_>, tag: &Tag<'_>) -> TokenStream {
    let (es_core, member) = (&event.crate_path, &tag.member);
    let key = match (&tag.key, member) {
        (Some(key), _) => key.value(),
        (None, Member::Named(field)) => field.unraw().to_string(),
        (None, Member::Unnamed(index)) => index.index.to_string(),
    };
    let (value, optional) = tag.value_type();
    let function = if optional { quote!(optional_tag) } else { quote!(tag) };
    quote! {
        #es_core::__private::#function::<#value>(__tags, #key, &self.#member);
    }
}
