//! `impl Projection`

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::dispatch::Dispatch;
use super::fingerprint::fingerprint;
use super::name_checks::name_checks;
use super::span::ends;
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
    let implementation =
        implementation(projection, &projection.events.set.ident, &dispatch(projection));
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

/// `events` is the enum, `project` the body of `project_event`.
pub(super) fn implementation(
    projection: &Projection<'_>,
    events: &Ident,
    project: &TokenStream,
) -> TokenStream {
    let Projection { input, crate_path: es_core, .. } = projection;
    let ident = &input.ident;
    let name = stored::name(&projection.name, projection.input);
    let version = stored::version(&projection.version);
    // Nothing is kept of side effects that could look otherwise.
    let fingerprint = match projection.effects {
        true => {
            quote!(const FINGERPRINT: #es_core::Fingerprint = #es_core::Fingerprint::new(0);)
        }
        false => fingerprint(input, es_core, &version),
    };
    let home = match (projection.rows(), projection.documents.is_missing()) {
        (Some(family), _) => quote!(#es_core::InRows<#family>),
        (None, false) => quote!(#es_core::InDocuments),
        (None, true) => quote!(#es_core::InMemory),
    };
    let home = match (projection.effects, projection.inline) {
        (true, _) => quote!(#es_core::Effects),
        (false, true) => quote!(#es_core::Inlined<#home>),
        (false, false) => home,
    };
    let partitions = projection.partitions.value().map(|partitions| {
        quote! {
            const PARTITIONS: ::core::primitive::u32 = #partitions;
        }
    });
    let partition_key = partition_key(projection, events);
    let handling = handling(projection, events, project);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::Projection for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: ::core::primitive::u32 = #version;
            type Event = #events;
            #fingerprint
            #partitions
            type Home = #home;
            #partition_key
        }

        #handling
    }
}

/// How an event gets to its handler.
fn handling(projection: &Projection<'_>, events: &Ident, project: &TokenStream) -> TokenStream {
    let Projection { input, crate_path: es_core, .. } = projection;
    let ident = &input.ident;
    if projection.effects {
        return quote! {
            #[automatically_derived]
            #[allow(deprecated, unused_qualifications)]
            impl #es_core::EffectProjection for #ident {
                fn react_event<'__a>(
                    &'__a self,
                    __event: &'__a #events,
                    __occasion: &'__a #es_core::Occasion<'__a>,
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<(), #es_core::ProjectError>,
                > + ::core::marker::Send + '__a {
                    #project
                }
            }
        };
    }
    match projection.rows() {
        None => quote! {
            #[automatically_derived]
            #[allow(deprecated, unused_qualifications)]
            impl #es_core::StateProjection for #ident {
                fn project_event<const __REPLAY: ::core::primitive::bool>(
                    &mut self,
                    __event: &#events,
                    __recorded: &#es_core::Recorded<'_>,
                ) -> ::core::result::Result<(), #es_core::ProjectError> {
                    #project
                }
            }
        },
        Some(family) => {
            // A type that is no family is reported where it is named.
            let (first, last) = ends(family);
            let at_family = es_core.at(last);
            let [event, recorded, replay] =
                ["__event", "__recorded", "__REPLAY"].map(|name| given(name, last));
            let (rows, begin) = (rows(family), quote_spanned!(first=> fn));
            let method = quote_spanned! {last=>
                #begin project_event<const #replay: ::core::primitive::bool>(
                    #rows: &mut <#family as #at_family::RowFamily>::Transaction<'_>,
                    #event: &#events,
                    #recorded: &#at_family::Recorded<'_>,
                ) -> ::core::result::Result<(), #at_family::ProjectError> {
                    #project
                }
            };
            quote! {
                #[automatically_derived]
                #[allow(deprecated, unused_qualifications)]
                impl #es_core::RowProjection for #ident {
                    type Family = #family;

                    #method
                }
            }
        }
    }
}

/// Something of ours that stands where a function of the user's is named. It is ours also when a macro
/// of the user's has written that name.
fn given(name: &str, span: Span) -> Ident {
    Ident::new(name, Span::call_site().located_at(span))
}

/// The open transaction. It is the user's own token to the compiler, unlike what is [`given`]: what is wrong
/// with the family is then said once less.
fn rows(family: &Type) -> Ident {
    Ident::new("__rows", ends(family).1)
}

/// What decides the partition of an event.
fn partition_key(projection: &Projection<'_>, events: &Ident) -> Option<TokenStream> {
    let es_core = &projection.crate_path;
    // The call stands where the function is named: so does what is wrong with it.
    let function = projection.partition.value()?;
    let span = function.span();
    let [keys, event, recorded] = ["__keys", "__event", "__recorded"].map(|it| given(it, span));
    let key = quote_spanned!(span=> #keys.add(#function(#event, #recorded)));
    Some(quote! {
        const PARTITIONED_BY_STREAM: ::core::primitive::bool = false;

        fn partition_key(
            __event: &#events,
            __recorded: &#es_core::Recorded<'_>,
            __keys: &mut #es_core::Keys,
        ) {
            #key
        }
    })
}

/// Which documents an event changes.
fn documents(projection: &Projection<'_>) -> Option<TokenStream> {
    let documents = projection.documents.value().filter(|_| !projection.effects)?;
    // The call stands where the function is named: so does what is wrong with it.
    let keys = documents.key.value().map(|key| {
        let span = key.span();
        let [keys, event, recorded] = ["__keys", "__event", "__recorded"].map(|it| given(it, span));
        quote_spanned!(span=> #keys.extend(#key(#event, #recorded)))
    });
    let is_void = documents.remove_when.value().map(|function| {
        let span = function.span();
        let this = given("self", span);
        let call = quote_spanned!(span=> #function(#this));
        quote! {
            fn is_void(&self) -> ::core::primitive::bool {
                #call
            }
        }
    });
    Some(documents_implementation(projection, &projection.events.set.ident, keys, is_void))
}

/// `events` is the enum, `keys` the body of `keys` where they are not those of the streams.
pub(super) fn documents_implementation(
    projection: &Projection<'_>,
    events: &Ident,
    keys: Option<TokenStream>,
    is_void: Option<TokenStream>,
) -> TokenStream {
    let Projection { input, crate_path: es_core, .. } = projection;
    let ident = &input.ident;
    let by_stream = keys.is_none();
    let keys = keys.unwrap_or_else(|| quote!(let _ = (__event, __recorded, __keys);));
    quote! {
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
    }
}

fn dispatch(projection: &Projection<'_>) -> TokenStream {
    let set = &projection.events.set;
    let family = projection.rows().filter(|_| !projection.effects);
    let dispatch = Dispatch {
        enumeration: set.ident.clone(),
        handling: match family {
            _ if projection.effects => ("React", "react"),
            Some(_) => ("ProjectRows", "project"),
            None => ("Project", "project"),
        },
        replaying: (!projection.effects).then_some("replay"),
        family,
        handler: "Self",
        boxed: projection.effects,
        arguments: match family {
            _ if projection.effects => quote!(self, __event, __occasion),
            Some(family) => {
                let rows = rows(family);
                quote!(#rows, __event, __recorded)
            }
            None => quote!(self, __event, __recorded),
        },
    };
    dispatch.over(set)
}
