//! `impl Projection`

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use super::dispatch::Dispatch;
use super::fingerprint::fingerprint;
use super::name_checks::name_checks;
use super::{event_set, registration, stored};
use crate::model::{EventSet, Projection};

/// ```text
/// pub enum BalancesEvent { .. }
/// impl EventSet for BalancesEvent { .. }
/// impl Projection for Balances { .. }
/// const _: () = { stored_name_is_unique(..); };
/// const _: () = { inventory::submit!(..); };
/// ```
pub(crate) fn projection(projection: &Projection<'_>) -> TokenStream {
    let events = events(projection, &projection.events.set);
    let implementation = implementation(projection, &dispatch(&projection.events.set));
    let checks = name_checks(&projection.events.set);
    let registration = registration::projection(projection);
    quote! {
        #events
        #implementation
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
    let fingerprint = fingerprint(input, es_core, &version);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::Projection for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            const VERSION: ::core::primitive::u32 = #version;
            type Event = #events;
            #fingerprint

            fn project_event(
                &mut self,
                __event: &#events,
                __recorded: &#es_core::Recorded<'_>,
            ) -> ::core::result::Result<(), #es_core::ProjectError> {
                #project
            }
        }
    }
}

fn dispatch(set: &EventSet) -> TokenStream {
    let dispatch = Dispatch {
        enumeration: set.ident.clone(),
        handling: ("Project", "project"),
        handler: "Self",
        arguments: quote!(self, __event, __recorded),
    };
    dispatch.over(set)
}
