//! `impl Aggregate`

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

use super::{event_set, registration};
use crate::model::{Aggregate, AggregateEvents, EventSet, GeneratedSet, Variant};

/// ```text
/// pub enum AccountEvent { .. }
/// impl EventSet for AccountEvent { .. }
/// impl IntoEvents<Account> for AccountEvent { .. }
/// impl Aggregate for Account { .. }
/// const _: () = { stored_name_is_unique(..); };
/// const _: () = { inventory::submit!(..); };
/// ```
pub(crate) fn aggregate(aggregate: &Aggregate<'_>) -> TokenStream {
    let registration = registration::aggregate(aggregate);
    let Aggregate { input, crate_path: es_core, .. } = aggregate;
    match &aggregate.events {
        AggregateEvents::Generated(generated) => {
            let EventSet { ident, .. } = &generated.set;
            let events = events(aggregate, generated);
            let implementation =
                implementation(aggregate, &ident.to_token_stream(), &dispatch(&generated.set));
            let checks = event_set::name_checks(&generated.set);
            quote! {
                #events
                #implementation
                #checks
                #registration
            }
        }
        AggregateEvents::Own(own) => {
            let _ = input;
            let apply = quote! {
                <#own as #es_core::ApplyTo<Self>>::apply_to(__event, self)
            };
            let implementation = implementation(aggregate, &own.to_token_stream(), &apply);
            quote! {
                #implementation
                #registration
            }
        }
    }
}

/// The generated enum with everything that makes it the aggregate's set of events.
pub(super) fn events(aggregate: &Aggregate<'_>, generated: &GeneratedSet) -> TokenStream {
    let Aggregate { input, crate_path: es_core, .. } = aggregate;
    let owner = &input.ident;
    let description = format!("Every event of [`{}`].", owner.unraw());
    let declaration = event_set::declaration(generated, input, &description);
    let implementation = event_set::implementation(&generated.set);
    let events = &generated.set.ident;
    quote! {
        #declaration
        #implementation

        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::IntoEvents<#owner> for #events {
            fn into_events(self, __events: &mut #es_core::Events<#owner>) {
                __events.push_event(self);
            }
        }
    }
}

/// `apply` is the body of `apply_event`.
pub(super) fn implementation(
    aggregate: &Aggregate<'_>,
    events: &TokenStream,
    apply: &TokenStream,
) -> TokenStream {
    let Aggregate { input, crate_path: es_core, .. } = aggregate;
    let ident = &input.ident;
    let name = match aggregate.name.value() {
        Some(name) => name.to_token_stream(),
        None => ident.unraw().to_string().into_token_stream(),
    };
    let id = match aggregate.id.value() {
        Some(id) => id.to_token_stream(),
        None => quote!(::std::string::String),
    };
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl #es_core::Aggregate for #ident {
            const NAME: &'static ::core::primitive::str = #name;
            type Id = #id;
            type Event = #events;

            fn apply_event(&mut self, __event: &#events) {
                #apply
            }
        }
    }
}

fn dispatch(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants } = set;
    let arms = variants.iter().map(|variant| {
        let Variant { ident: name, event } = variant;
        // A missing `Apply` is reported under the type that lacks it, which is `Self`.
        let state = Ident::new("Self", variant.span());
        quote! {
            #ident::#name(__event) => <#state as #es_core::Apply<#event>>::apply(self, __event),
        }
    });
    quote! {
        match __event {
            #(#arms)*
        }
    }
}
