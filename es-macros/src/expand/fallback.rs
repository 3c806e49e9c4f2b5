//! What is generated beside errors: impls with which the rest of the user's crate still compiles,
//! so that one mistake gives one message and an editor keeps completing.
//!
//! Whatever could fail for a reason of its own is left out: dispatch, checks, registration. Where a type
//! would have to be guessed stands `unknown`, of which the compiler says nothing more.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput};

use super::{aggregate as of_aggregate, command as of_command, event as of_event};
use super::{event_data as of_event_data, event_set, projection as of_projection};
use crate::model::{
    Aggregate, AggregateEvents, AggregateId, Command, Event, EventData, EventSet, OwnEventSet,
    Projection,
};

/// Whether an impl for the item would be refused for a reason of its own.
fn takes_no_impl(input: &DeriveInput) -> bool {
    matches!(input.data, Data::Union(_)) || !input.generics.params.is_empty()
}

pub(crate) fn event(event: &Event<'_>, _: &TokenStream) -> TokenStream {
    // An event may have type parameters.
    let borrows = event.input.generics.lifetimes().next().is_some();
    if borrows || matches!(event.input.data, Data::Union(_)) {
        return TokenStream::new();
    }
    of_event::implementation(event, TokenStream::new())
}

pub(crate) fn event_data(data: &EventData<'_>, _: &TokenStream) -> TokenStream {
    if let Data::Union(_) = data.input.data {
        return TokenStream::new();
    }
    let es_core = &data.crate_path;
    of_event_data::implementation(data, &quote!(#es_core::__private::shape::Shape::Unknown))
}

pub(crate) fn own_event_set(own: &OwnEventSet<'_>, _: &TokenStream) -> TokenStream {
    // Only of an enum whose variants all make sense can the functions match all of them.
    let Data::Enum(data) = &own.input.data else { return TokenStream::new() };
    let complete = data.variants.len() == own.set.variants.len();
    let concrete = own.input.generics.params.is_empty();
    if complete && concrete && own.set.repetitions().next().is_none() {
        event_set::implementation(&own.set)
    } else {
        TokenStream::new()
    }
}

pub(crate) fn aggregate(aggregate: &Aggregate<'_>, unknown: &TokenStream) -> TokenStream {
    if takes_no_impl(aggregate.input) {
        return TokenStream::new();
    }
    let (events, ident) = match &aggregate.events {
        AggregateEvents::Generated(generated) => {
            let set = declarable(&generated.set, aggregate.input);
            let events = match generated.is_whole {
                true => of_aggregate::events(aggregate, &set, &generated.derives),
                false => unknown_set(aggregate.input, &set, unknown),
            };
            (Some(events), set.ident.to_token_stream())
        }
        AggregateEvents::Own(own) => (None, own.to_token_stream()),
    };
    let nothing = quote!(let _ = __event;);
    let implementation =
        of_aggregate::implementation(aggregate, &ident, Some(unknown), &nothing, None);
    quote! {
        #events
        #implementation
    }
}

/// The set as an enum that can stand here: without repetitions, and under a name of its own.
fn declarable(set: &EventSet, owner: &DeriveInput) -> EventSet {
    let mut set = set.distinct();
    if set.namesake().is_some() || set.ident == owner.ident {
        set.ident = format_ident!("__{}", set.ident.unraw());
    }
    set
}

/// The enum of a list that has mistakes: which variants and conversions it has nobody knows.
fn unknown_set(owner: &DeriveInput, set: &EventSet, unknown: &TokenStream) -> TokenStream {
    let (visibility, ident) = (&owner.vis, &set.ident);
    quote!(#visibility type #ident = #unknown;)
}

pub(crate) fn projection(projection: &Projection<'_>, unknown: &TokenStream) -> TokenStream {
    if takes_no_impl(projection.input) {
        return TokenStream::new();
    }
    let set = declarable(&projection.events.set, projection.input);
    let events = match projection.events.is_whole {
        true => of_projection::events(projection, &set),
        false => unknown_set(projection.input, &set, unknown),
    };
    let implementation = of_projection::implementation(
        projection,
        &set.ident,
        &match projection.effects {
            true => quote! {
                let _ = (__event, __occasion);
                ::core::future::ready(::core::result::Result::Ok(()))
            },
            false => quote! {
                let _ = (__event, __recorded);
                ::core::result::Result::Ok(())
            },
        },
    );
    // That it is kept in documents is known, whatever is wrong with what is said of them.
    let in_documents = !projection.documents.is_missing() && !projection.effects;
    let documents = in_documents
        .then(|| of_projection::documents_implementation(projection, &set.ident, None, None));
    quote! {
        #events
        #implementation
        #documents
    }
}

pub(crate) fn command(command: &Command<'_>, unknown: &TokenStream) -> TokenStream {
    if command.input.generics.lifetimes().next().is_some() {
        return TokenStream::new();
    }
    let aggregate: &dyn ToTokens = match command.aggregate.value() {
        Some(aggregate) => aggregate,
        None => unknown,
    };
    of_command::implementation(command, aggregate, &quote!(::core::unimplemented!()), None)
}

pub(crate) fn aggregate_id(id: &AggregateId<'_>, _: &TokenStream) -> TokenStream {
    if takes_no_impl(id.input) {
        return TokenStream::new();
    }
    let ident = &id.input.ident;
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::unimplemented!()
            }
        }

        #[automatically_derived]
        impl ::core::str::FromStr for #ident {
            type Err = ::core::convert::Infallible;

            fn from_str(
                _: &::core::primitive::str,
            ) -> ::core::result::Result<Self, ::core::convert::Infallible> {
                ::core::unimplemented!()
            }
        }
    }
}
