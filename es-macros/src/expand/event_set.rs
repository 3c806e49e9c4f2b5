//! Sets of events: the enum, `impl EventSet` and the conversions.
//!
//! One mechanism for `#[derive(EventSet)]` and for the enums of aggregates and projections.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Path, Type};

use super::dispatch::Dispatch;
use super::listed::listed;
use super::name_checks::name_checks;
use crate::model::{EventSet, OwnEventSet, Variant};
use crate::written::written;

/// Everything for an enum that the user wrote.
///
/// ```text
/// impl EventSet for LampEvent { .. }
/// impl From<Lit> for LampEvent { .. }
/// impl<A: Aggregate<Event = LampEvent>> IntoEvents<A> for LampEvent { .. }
/// impl<S: Apply<Lit> + Apply<Quenched>> ApplyTo<S> for LampEvent { .. }
/// const _: () = { stored_name_is_unique(..); };
/// ```
pub(crate) fn own_event_set(own: &OwnEventSet<'_>) -> TokenStream {
    let implementation = implementation(&own.set);
    let answer = answer(&own.set);
    let application = application(&own.set);
    let checks = name_checks(&own.set);
    quote! {
        #implementation
        #answer
        #application
        #checks
    }
}

/// The enum of a list of events.
///
/// ```text
/// /// Every event of [`Account`].
/// pub enum AccountEvent {
///     /// The event [`Opened`].
///     Opened(Opened),
/// }
/// ```
pub(super) fn declaration(
    set: &EventSet,
    derives: &[Path],
    owner: &DeriveInput,
    description: &str,
) -> TokenStream {
    let EventSet { ident, variants, .. } = set;
    let visibility = &owner.vis;
    let derives = (!derives.is_empty()).then(|| quote!(#[derive(#(#derives),*)]));
    let variants = variants.iter().map(|Variant { ident, event }| {
        let documentation = format!(" The event {}.", link(event));
        quote! {
            #[doc = #documentation]
            #ident(#event)
        }
    });
    quote! {
        #[doc = #description]
        #derives
        #[allow(
            deprecated,
            non_camel_case_types,
            unused_qualifications,
            clippy::large_enum_variant
        )]
        #visibility enum #ident {
            #(#variants),*
        }
    }
}

/// A link to an event in documentation. What `$crate` stands for has no name there.
fn link(event: &Type) -> String {
    let event = written(event);
    if event.contains(['$', '#', '{']) { format!("`{event}`") } else { format!("[`{event}`]") }
}

/// `impl EventSet` and `impl From` for each event.
pub(super) fn implementation(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants, retired } = set;
    let retired = (!retired.is_empty()).then(|| {
        quote! {
            const RETIRED: &'static [&'static ::core::primitive::str] = &[#(#retired),*];
        }
    });
    let conversions = variants.iter().map(|variant| conversion(set, variant));
    let names: Vec<_> = variants.iter().map(|variant| &variant.ident).collect();
    let listed = |item| variants.iter().map(move |variant| listed(es_core, variant, item));
    let (event_types, stored_names) = (listed("TYPE"), listed("NAME"));
    let (encode, decode) = (listed("encode"), listed("decode"));
    // Only beside errors: an empty set is refused.
    let no_events = variants.is_empty().then(|| quote!(_ => ::core::unreachable!(),));
    let no_index = variants.is_empty().then(|| quote!(_ => 0,));
    let indices = (0..variants.len()).map(Literal::usize_unsuffixed);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unreachable_patterns, unused_qualifications)]
        impl #es_core::EventSet for #ident {
            const EVENTS: &'static [#es_core::EventType] = &[#(#event_types),*];
            #retired

            fn event_type(&self) -> &'static #es_core::EventType {
                let __index = match self {
                    #(Self::#names(_) => #indices,)*
                    #no_index
                };
                &<Self as #es_core::EventSet>::EVENTS[__index]
            }

            fn encode(
                &self,
                __buffer: &mut ::std::vec::Vec<::core::primitive::u8>,
            ) -> ::core::result::Result<#es_core::EncodedEvent, #es_core::EncodeError> {
                match self {
                    #(Self::#names(__event) => #encode(__event, __buffer),)*
                    #no_events
                }
            }

            fn read(
                __reading: &#es_core::__private::Reading<'_>,
            ) -> ::core::result::Result<#es_core::Decoded<Self>, #es_core::DecodeError> {
                match __reading.name {
                    #(#stored_names => #decode(__reading),)*
                    _ => #es_core::__private::read_by_other_name(__reading),
                }
            }
        }

        #(#conversions)*
    }
}

/// `impl From<Opened> for AccountEvent`
///
/// It stands where the event is listed: so does what is wrong when an event is listed under two names.
fn conversion(set: &EventSet, variant: &Variant) -> TokenStream {
    let Variant { ident: name, event } = variant;
    let span = variant.span();
    let begin = quote_spanned!(span=> impl);
    let mut ident = set.ident.clone();
    ident.set_span(ident.span().located_at(span));
    let function = quote! {
        fn from(__event: #event) -> Self {
            Self::#name(__event)
        }
    };
    let body = quote_spanned!(span=> { #function });
    // A place for type parameters that is not the user's: else the compiler would offer to declare an
    // event that it can not find there.
    let no_parameters = quote!(<>);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        #begin #no_parameters ::core::convert::From<#event> for #ident #body
    }
}

/// Lets a decision answer with a value of the enum.
///
/// For whatever aggregate has the enum, so that nothing here depends on an aggregate that may lack
/// something.
pub(super) fn answer(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, .. } = set;
    quote! {
        #[automatically_derived]
        impl<__Aggregate> #es_core::IntoEvents<__Aggregate> for #ident
        where
            __Aggregate: #es_core::Aggregate<Event = #ident>,
        {
            fn into_events(self, __events: &mut #es_core::Events<__Aggregate>) {
                __events.push_event(self);
            }
        }
    }
}

/// Lets any state that has an `Apply` for each event be changed by the enum.
fn application(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants, .. } = set;
    let conditions = variants.iter().map(|variant| {
        let span = variant.span();
        let (event, es_core) = (&variant.event, es_core.at(span));
        quote_spanned!(span=> #es_core::Apply<#event>)
    });
    let apply = Dispatch {
        enumeration: format_ident!("Self"),
        handling: ("Apply", "apply"),
        replaying: None,
        family: None,
        handler: "__State",
        boxed: false,
        arguments: quote!(__state, __event),
    };
    let apply = apply.over(set);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl<__State> #es_core::ApplyTo<__State> for #ident
        where
            __State: #(#conditions)+*,
        {
            fn apply_to(&self, __state: &mut __State) {
                let __event = self;
                #apply
            }
        }
    }
}
