//! Sets of events: the enum, `impl EventSet`, the conversions and the checks of its names.
//!
//! One mechanism for `#[derive(EventSet)]` and for the enums of aggregates and projections.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Type};

use crate::model::{EventSet, GeneratedSet, OwnEventSet, Variant};
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
    generated: &GeneratedSet,
    owner: &DeriveInput,
    description: &str,
) -> TokenStream {
    let EventSet { ident, variants, .. } = &generated.set;
    let visibility = &owner.vis;
    let derives = &generated.derives;
    let derives = (!derives.is_empty()).then(|| quote!(#[derive(#(#derives),*)]));
    let variants = variants.iter().map(|Variant { ident, event }| {
        let documentation = format!("The event {}.", link(event));
        quote! {
            #[doc = #documentation]
            #ident(#event)
        }
    });
    quote! {
        #[doc = #description]
        #derives
        #[allow(deprecated, clippy::large_enum_variant)]
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
    let EventSet { crate_path: es_core, ident, variants } = set;
    let events: Vec<_> = variants.iter().map(|variant| &variant.event).collect();
    let names: Vec<_> = variants.iter().map(|variant| &variant.ident).collect();
    let indices = (0..variants.len()).map(Literal::usize_unsuffixed);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unreachable_patterns, unused_qualifications)]
        impl #es_core::EventSet for #ident {
            const EVENTS: &'static [#es_core::EventType] = &[
                #(#es_core::EventType::of::<#events>()),*
            ];

            fn event_type(&self) -> &'static #es_core::EventType {
                match self {
                    #(Self::#names(_) => &<Self as #es_core::EventSet>::EVENTS[#indices],)*
                }
            }

            fn encode(
                &self,
                __buffer: &mut ::std::vec::Vec<::core::primitive::u8>,
            ) -> ::core::result::Result<#es_core::EncodedEvent, #es_core::EncodeError> {
                match self {
                    #(Self::#names(__event) => #es_core::__private::encode::<#events>(__event, __buffer),)*
                }
            }

            fn decode(
                __recorded: &#es_core::Recorded<'_>,
            ) -> ::core::result::Result<Self, #es_core::DecodeError> {
                match __recorded.name {
                    #(<#events as #es_core::Event>::NAME => {
                        #es_core::__private::decode::<#events>(__recorded).map(Self::#names)
                    })*
                    _ => ::core::result::Result::Err(
                        #es_core::__private::unknown_event::<Self>(__recorded)
                    ),
                }
            }
        }

        #(
            #[automatically_derived]
            #[allow(deprecated, unused_qualifications)]
            impl ::core::convert::From<#events> for #ident {
                fn from(__event: #events) -> Self {
                    Self::#names(__event)
                }
            }
        )*
    }
}

/// Lets a decision answer with a value of the enum.
fn answer(set: &EventSet) -> TokenStream {
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
    let EventSet { crate_path: es_core, ident, variants } = set;
    let events: Vec<_> = variants.iter().map(|variant| &variant.event).collect();
    let names = variants.iter().map(|variant| &variant.ident);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unused_qualifications)]
        impl<__State> #es_core::ApplyTo<__State> for #ident
        where
            __State: #(#es_core::Apply<#events>)+*,
        {
            fn apply_to(&self, __state: &mut __State) {
                match self {
                    #(Self::#names(__event) => {
                        <__State as #es_core::Apply<#events>>::apply(__state, __event)
                    })*
                }
            }
        }
    }
}

/// Checks that need the constants of the events: no two of a set have one stored name.
///
/// Each is a constant of its own, so that all that fail are reported.
pub(super) fn name_checks(set: &EventSet) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants } = set;
    if variants.len() < 2 {
        return TokenStream::new();
    }
    let listed = variants.iter().map(Variant::written);
    let checks = variants.iter().enumerate().skip(1).map(|(index, variant)| {
        let span = variant.span();
        let es_core = es_core.at(span);
        let index = Literal::usize_unsuffixed(index);
        let check = quote_spanned!(span=> #es_core::__private::check::stored_name_is_unique(EVENTS, LISTED, #index));
        quote!(const _: () = #check;)
    });
    quote! {
        #[allow(unused_qualifications)]
        const _: () = {
            const EVENTS: &[#es_core::EventType] = <#ident as #es_core::EventSet>::EVENTS;
            const LISTED: &[&::core::primitive::str] = &[#(#listed),*];
            #(#checks)*
        };
    }
}
