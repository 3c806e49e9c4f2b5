//! Sets of events: the enum, `impl EventSet`, the conversions and the checks of its names.
//!
//! One mechanism for `#[derive(EventSet)]` and for the enums of aggregates and projections.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Path, Type};

use crate::crate_path::CratePath;
use crate::model::{EventSet, OwnEventSet, Variant, ends};
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
    let listed = |item| variants.iter().map(move |variant| listed(es_core, variant, item));
    let (event_types, stored_names) = (listed("TYPE"), listed("NAME"));
    let (encode, decode) = (listed("encode"), listed("decode"));
    let indices = (0..variants.len()).map(Literal::usize_unsuffixed);
    quote! {
        #[automatically_derived]
        #[allow(deprecated, unreachable_patterns, unused_qualifications)]
        impl #es_core::EventSet for #ident {
            const EVENTS: &'static [#es_core::EventType] = &[#(#event_types),*];

            fn event_type(&self) -> &'static #es_core::EventType {
                let __index = match self {
                    #(Self::#names(_) => #indices,)*
                };
                &<Self as #es_core::EventSet>::EVENTS[__index]
            }

            fn encode(
                &self,
                __buffer: &mut ::std::vec::Vec<::core::primitive::u8>,
            ) -> ::core::result::Result<#es_core::EncodedEvent, #es_core::EncodeError> {
                match self {
                    #(Self::#names(__event) => #encode(__event, __buffer),)*
                }
            }

            fn decode(
                __recorded: &#es_core::Recorded<'_>,
            ) -> ::core::result::Result<Self, #es_core::DecodeError> {
                match __recorded.name {
                    #(#stored_names => #decode(__recorded),)*
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

/// `<Opened as ListedEvent>::NAME`, which begins and ends where the event is listed.
///
/// All errors about a type that is no event underline the same text that way, and the compiler
/// prints only the first.
fn listed(es_core: &CratePath, variant: &Variant, item: &str) -> TokenStream {
    let (first, last) = ends(&variant.event);
    let (event, es_core, item) = (&variant.event, es_core.at(first), Ident::new(item, last));
    let open = quote_spanned!(first=> <);
    quote_spanned!(last=> #open #event as #es_core::__private::ListedEvent>::#item)
}

/// Gives each event to the method `item` of `ListedEvent`, for the type `Self`.
///
/// ```text
/// match event {
///     AccountEvent::Opened(event) => <Opened as ListedEvent>::apply::<Self>(event, self),
/// }
/// ```
pub(super) fn dispatch(set: &EventSet, item: &str, further_arguments: &TokenStream) -> TokenStream {
    let EventSet { crate_path: es_core, ident, variants } = set;
    let arms = variants.iter().map(|variant| {
        let (name, function) = (&variant.ident, listed(es_core, variant, item));
        let arguments = quote!(__event, self #further_arguments);
        // What is missing is reported under the type that lacks it, which is `Self`.
        let call = quote_spanned!(variant.span()=> #function::<Self>(#arguments));
        quote!(#ident::#name(__event) => #call,)
    });
    quote! {
        match __event {
            #(#arms)*
        }
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
