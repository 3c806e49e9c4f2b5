//! From the enum to the `Apply` or `Project` of each event.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::listed::listed;
use crate::model::EventSet;

/// Gives each event to the `Apply` or `Project` that the type `handler` has for it.
///
/// ```text
/// match event {
///     Self::Opened(event) => <Account as Apply<Opened>>::apply(self, event),
/// }
/// ```
pub(super) struct Dispatch<'a> {
    /// What each variant begins with: the enum.
    pub(super) enumeration: Ident,
    /// `Apply` and `apply`, or `Project` and `project`.
    pub(super) handling: (&'static str, &'static str),
    /// What is called instead of the second if `__REPLAY` says so.
    pub(super) replaying: Option<&'static str>,
    /// The family of rows that the trait is for, if it is for one.
    pub(super) family: Option<&'a Type>,
    /// The type that handles the events.
    pub(super) handler: &'a str,
    /// Whether what the handler answers is a future, each of another type.
    pub(super) boxed: bool,
    /// The arguments, of which the event is called `__event`.
    pub(super) arguments: TokenStream,
}

impl Dispatch<'_> {
    pub(super) fn over(&self, set: &EventSet) -> TokenStream {
        let Self { enumeration, handling, replaying, family, handler, arguments, boxed } = self;
        let family = family.map(|family| quote!(#family,));
        let arms = set.variants.iter().map(|variant| {
            let name = &variant.ident;
            let span = variant.span();
            let es_core = set.crate_path.at(span);
            // What is missing is reported under the type that lacks it, the first of the path.
            let [handler, handles, handle] =
                [handler, handling.0, handling.1].map(|name| Ident::new(name, span));
            // Through `Itself`, so that a type that is no event is reported by the set alone.
            let event = listed(&set.crate_path, variant, "Itself");
            let call =
                quote_spanned!(span=> <#handler as #es_core::#handles<#family #event>>::#handle);
            let handled = match boxed {
                true => quote_spanned!(span=> #es_core::__private::boxed(#call(#arguments))),
                false => quote!(#call(#arguments)),
            };
            // One of both is compiled.
            let handled = replaying.map_or(handled.clone(), |replay| {
                let replay = Ident::new(replay, span);
                let replay =
                    quote_spanned!(span=> <#handler as #es_core::#handles<#family #event>>::#replay);
                quote!(if __REPLAY { #replay(#arguments) } else { #handled })
            });
            quote!(#enumeration::#name(__event) => #handled,)
        });
        quote! {
            match __event {
                #(#arms)*
            }
        }
    }
}
