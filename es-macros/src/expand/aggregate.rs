//! `impl Aggregate`

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Path, Type};

use super::dispatch::Dispatch;
use super::fingerprint::fingerprint;
use super::name_checks::{name_checks, parts_check};
use super::released::what_is_read;
use super::{event_set, registration, stored};
use crate::attribute::SnapshotOption;
use crate::model::{Aggregate, AggregateEvents, EventSet, GeneratedSet};

/// ```text
/// pub enum AccountEvent { .. }
/// impl EventSet for AccountEvent { .. }
/// impl<A: Aggregate<Event = AccountEvent>> IntoEvents<A> for AccountEvent { .. }
/// impl Aggregate for Account { .. }
/// const _: () = { stored_name_is_unique(..); };
/// const _: () = released_events_are_read::<Account>(..);
/// const _: () = { inventory::submit!(..); };
/// ```
pub(crate) fn aggregate(aggregate: &Aggregate<'_>) -> TokenStream {
    let registration = registration::aggregate(aggregate);
    let es_core = &aggregate.crate_path;
    let ident = &aggregate.input.ident;
    let events_key = aggregate.events_key.as_ref().map_or_else(|| ident.span(), Ident::span);
    let parts = parts_check(es_core, ident, events_key);
    let released = what_is_read(aggregate, events_key);
    match &aggregate.events {
        AggregateEvents::Generated(GeneratedSet { set, derives, .. }) => {
            let EventSet { ident, .. } = set;
            let events = events(aggregate, set, derives);
            let implementation = implementation(
                aggregate,
                &ident.to_token_stream(),
                None,
                &dispatch(set),
                snapshot(aggregate),
            );
            let checks = name_checks(set);
            quote! {
                #events
                #implementation
                #checks
                #parts
                #released
                #registration
            }
        }
        AggregateEvents::Own(own) => {
            let apply = quote! {
                <#own as #es_core::ApplyTo<Self>>::apply_to(__event, self)
            };
            let implementation = implementation(
                aggregate,
                &own.to_token_stream(),
                None,
                &apply,
                snapshot(aggregate),
            );
            quote! {
                #implementation
                #parts
                #released
                #registration
            }
        }
    }
}

/// The generated enum with everything that makes it the aggregate's set of events.
pub(super) fn events(aggregate: &Aggregate<'_>, set: &EventSet, derives: &[Path]) -> TokenStream {
    let description = format!(" Every event of [`{}`].", aggregate.input.ident.unraw());
    let declaration = event_set::declaration(set, derives, aggregate.input, &description);
    let implementation = event_set::implementation(set);
    let answer = event_set::answer(set);
    quote! {
        #declaration
        #implementation
        #answer
    }
}

/// `const SNAPSHOT: Option<SnapshotType<Self>> = snapshot(100);`
fn snapshot(aggregate: &Aggregate<'_>) -> Option<TokenStream> {
    let SnapshotOption { every, .. } = aggregate.snapshot.value()?;
    let es_core = &aggregate.crate_path;
    let every = every.value()?;
    // A state that serde can not write is reported at the struct.
    let at_struct = es_core.at(aggregate.input.ident.span());
    let ident = &aggregate.input.ident;
    let span = ident.span();
    let made = quote_spanned!(span=> #at_struct::__private::snapshot::<#ident>(#every));
    Some(quote! {
        const SNAPSHOT: ::core::option::Option<#es_core::SnapshotType<Self>> = #made;
    })
}

/// `apply` is the body of `apply_event`, `unknown` what stands beside errors for an id that nobody knows.
pub(super) fn implementation(
    aggregate: &Aggregate<'_>,
    events: &TokenStream,
    unknown: Option<&TokenStream>,
    apply: &TokenStream,
    snapshot: Option<TokenStream>,
) -> TokenStream {
    let Aggregate { input, crate_path: es_core, .. } = aggregate;
    let ident = &input.ident;
    let name = stored::name(&aggregate.name, aggregate.input);
    let version = stored::version(&aggregate.state_version);
    let fingerprint = fingerprint(input, es_core, version);
    // An id that others do not see is reported where it is named.
    let id = match (aggregate.id.value(), unknown) {
        (None | Some(Type::Reference(_)), unknown) => quote!(type Id = #unknown;),
        (Some(id), _) => quote_spanned!(id.span()=> type Id = #id;),
    };
    // A state without `Default` is reported at the struct.
    let span = ident.span();
    let at_struct = es_core.at(span);
    let initial = quote_spanned!(span=> <Self as #at_struct::__private::InitialState>::initial());
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::Aggregate for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            #id
            type Event = #events;
            #snapshot
            #fingerprint

            fn initial() -> Self {
                #initial
            }

            fn apply_event(&mut self, __event: &#events) {
                #apply
            }
        }
    }
}

fn dispatch(set: &EventSet) -> TokenStream {
    let dispatch = Dispatch {
        enumeration: set.ident.clone(),
        handling: ("Apply", "apply"),
        replaying: None,
        family: None,
        handler: "Self",
        boxed: false,
        arguments: quote!(self, __event),
    };
    dispatch.over(set)
}
