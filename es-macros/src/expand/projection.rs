//! `impl Projection`

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields};

use super::dispatch::Dispatch;
use super::name_checks::name_checks;
use super::{event_set, registration, stored};
use crate::model::{EventSet, Projection};

/// ```text
/// pub enum BalancesEvent { .. }
/// impl EventSet for BalancesEvent { .. }
/// impl Projection for Balances { .. }
/// impl StateProjection for Balances { .. }    // or RowProjection
/// impl DocumentProjection for Balances { .. } // if it is kept in documents
/// const _: () = { stored_name_is_unique(..); };
/// const _: () = { inventory::submit!(..); };
/// ```
pub(crate) fn projection(projection: &Projection<'_>) -> TokenStream {
    let events = events(projection, &projection.events.set);
    let implementation = implementation(projection, &dispatch(projection));
    let documents = documents(projection);
    let checks = name_checks(&projection.events.set);
    let registration = registration::projection(projection);
    quote! {
        #events
        #implementation
        #documents
        #checks
        #registration
    }
}

/// The generated enum.
pub(super) fn events(projection: &Projection<'_>, set: &EventSet) -> TokenStream {
    let Projection { input, events, .. } = projection;
    let description = format!(" Every event that [`{}`] projects.", input.ident.unraw());
    let declaration = event_set::declaration(set, &events.derives, input, &description);
    let implementation = event_set::implementation(set);
    quote! {
        #declaration
        #implementation
    }
}

/// `project` is the body of `project_event`.
pub(super) fn implementation(projection: &Projection<'_>, project: &TokenStream) -> TokenStream {
    let Projection { input, crate_path: es_core, events, .. } = projection;
    let (ident, events) = (&input.ident, &events.set.ident);
    let name = stored::name(&projection.name, projection.input);
    let version = stored::version(&projection.version);
    let fingerprint = fingerprint(projection.input);
    let home = match (projection.rows(), projection.documents.is_missing()) {
        (Some(family), _) => quote!(#es_core::InRows<#family>),
        (None, false) => quote!(#es_core::InDocuments),
        (None, true) => quote!(#es_core::InMemory),
    };
    let handling = handling(projection, project);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::Projection for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: ::core::primitive::u32 = #version;
            const FINGERPRINT: ::core::primitive::u64 = #fingerprint;
            type Event = #events;
            type Home = #home;
        }

        #handling
    }
}

/// How an event gets to its handler.
fn handling(projection: &Projection<'_>, project: &TokenStream) -> TokenStream {
    let Projection { input, crate_path: es_core, events, .. } = projection;
    let (ident, events) = (&input.ident, &events.set.ident);
    match projection.rows() {
        None => quote! {
            #[automatically_derived]
            #[allow(deprecated, unused_qualifications)]
            impl #es_core::StateProjection for #ident {
                fn project_event(
                    &mut self,
                    __event: &#events,
                    __recorded: &#es_core::Recorded<'_>,
                ) -> ::core::result::Result<(), #es_core::ProjectError> {
                    #project
                }
            }
        },
        Some(family) => quote! {
            #[automatically_derived]
            #[allow(deprecated, unused_qualifications)]
            impl #es_core::RowProjection for #ident {
                type Family = #family;

                fn project_event(
                    __rows: &mut <#family as #es_core::RowFamily>::Transaction<'_>,
                    __event: &#events,
                    __recorded: &#es_core::Recorded<'_>,
                ) -> ::core::result::Result<(), #es_core::ProjectError> {
                    #project
                }
            }
        },
    }
}

/// Which documents an event changes.
fn documents(projection: &Projection<'_>) -> Option<TokenStream> {
    let Projection { input, crate_path: es_core, events, .. } = projection;
    let (ident, events) = (&input.ident, &events.set.ident);
    let documents = projection.documents.value()?;
    let by_stream = documents.key.value().is_none();
    let keys = match documents.key.value() {
        // The call stands where the function is named: so does what is wrong with it.
        Some(key) => {
            let span = key.span();
            quote_spanned!(span=> __keys.extend(#key(__event, __recorded)))
        }
        None => quote! {
            let _ = (__event, __recorded, __keys);
        },
    };
    let is_void = documents.remove_when.value().map(|function| {
        let span = function.span();
        let call = quote_spanned!(span=> #function(self));
        quote! {
            fn is_void(&self) -> ::core::primitive::bool {
                #call
            }
        }
    });
    Some(quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::DocumentProjection for #ident {
            const BY_STREAM: ::core::primitive::bool = #by_stream;

            fn keys(
                __event: &#events,
                __recorded: &#es_core::Recorded<'_>,
                __keys: &mut #es_core::Keys,
            ) {
                #keys
            }

            #is_void
        }
    })
}

fn dispatch(projection: &Projection<'_>) -> TokenStream {
    let set = &projection.events.set;
    let family = projection.rows();
    let dispatch = Dispatch {
        enumeration: set.ident.clone(),
        handling: match family {
            Some(_) => ("ProjectRows", "project"),
            None => ("Project", "project"),
        },
        family,
        handler: "Self",
        arguments: match family {
            Some(_) => quote!(__rows, __event, __recorded),
            None => quote!(self, __event, __recorded),
        },
    };
    dispatch.over(set)
}

/// A number that changes with the names and types of the fields, and with what serde is told of
/// them; not with comments, visibility or the derives.
fn fingerprint(input: &DeriveInput) -> u64 {
    let mut text = String::new();
    add_serde(&mut text, &input.attrs);
    match &input.data {
        Data::Struct(data) => add_fields(&mut text, &data.fields),
        Data::Enum(data) => {
            for variant in &data.variants {
                add_serde(&mut text, &variant.attrs);
                add(&mut text, &variant.ident);
                add_fields(&mut text, &variant.fields);
            }
        }
        Data::Union(_) => {}
    }
    // FNV-1a: the standard library promises no hash that stays the same.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn add_fields(text: &mut String, fields: &Fields) {
    for field in fields {
        add_serde(text, &field.attrs);
        if let Some(ident) = &field.ident {
            add(text, ident);
        }
        add(text, &field.ty);
        text.push(';');
    }
    text.push('|');
}

fn add_serde(text: &mut String, attributes: &[Attribute]) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        add(text, &attribute.meta);
    }
}

fn add(text: &mut String, tokens: &impl ToTokens) {
    // Compilers differ in the spaces that they print.
    let printed = tokens.to_token_stream().to_string();
    text.extend(printed.chars().filter(|character| !character.is_whitespace()));
    text.push(' ');
}
