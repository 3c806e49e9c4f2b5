//! What the lock of released events asks for: comparisons that only the compiler can make, and for
//! the test of the crate the event itself.

use es_lock::{Field, Shape};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use super::shape::Shapes;
use super::span::ends;
use crate::model::shape::{ValueKind, without_itself};
use crate::model::{Aggregate, Event, Expected, Released, speaks_for_crate};

/// ```text
/// const _: Option<&str> = option_env!("ES_LOCK");
/// const _: &[u8] = include_bytes!("/path/events.lock");
/// const _: () = check::field_is_released::<Money>(const { &Shape::.. }, &Released { .. });
/// #[cfg(test)]
/// const _: () = { inventory::submit!(LockedEvent::of::<Deposited>(..)); };
/// ```
pub(super) fn released(event: &Event<'_>) -> TokenStream {
    let dependencies = dependencies(&event.released, &event.input.ident);
    let Released::Lock { of_crate, .. } = &event.released else { return dependencies };
    let comparisons = comparisons(event);
    let registration = of_crate.then(|| registration(event));
    quote! {
        #dependencies
        #comparisons
        #registration
    }
}

/// An aggregate reads what its streams may hold. The check stands at the option that names the events.
///
/// ```text
/// const _: () = released_events_are_read::<Account>(&["account.opened"]);
/// #[cfg(test)]
/// const _: () = { inventory::submit!(LockedAggregate::of::<Account>(..)); };
/// ```
pub(super) fn what_is_read(aggregate: &Aggregate<'_>, events: Span) -> TokenStream {
    let Aggregate { input, crate_path: es_core, .. } = aggregate;
    let ident = &input.ident;
    let dependencies = dependencies(&aggregate.released, ident);
    let Released::Lock { lock, of_crate, .. } = &aggregate.released else { return dependencies };
    let read = aggregate.name.value().and_then(|name| lock.aggregates.get(&name.value()));
    let check = read.map(|read| {
        let (at, read) = (es_core.at(events), read.iter());
        let check = quote_spanned! {events=>
            #at::__private::check::released_events_are_read::<#ident>(&[#(#read),*])
        };
        quote! {
            #[allow(unused_qualifications)]
            const _: () = #check;
        }
    });
    let registration = of_crate.then(|| {
        quote! {
            #[cfg(test)]
            #[allow(deprecated, unused_qualifications)]
            const _: () = {
                #es_core::__private::inventory::submit! {
                    #es_core::__private::LockedAggregate::of::<#ident>(
                        ::core::concat!(::core::file!(), ":", ::core::line!()),
                    )
                }
            };
        }
    });
    quote! {
        #dependencies
        #check
        #registration
    }
}

/// What the build depends on: the lock, and whether one is being made. `item` is the event or the
/// aggregate that asks.
fn dependencies(released: &Released, item: &Ident) -> TokenStream {
    match released {
        Released::Off | Released::Unreadable { .. } => TokenStream::new(),
        // The build is repeated when a lock is made.
        Released::Nothing => made(item),
        Released::Malformed { file, .. } => rebuilt(item, file),
        Released::Lock { file, of_crate, .. } => {
            let rebuilt = file.as_deref().map(|file| {
                // A path that the item names is seen from its own source file.
                if *of_crate { rebuilt(item, file) } else { included(file) }
            });
            let made = of_crate.then(|| made(item));
            quote! {
                #made
                #rebuilt
            }
        }
    }
}

/// The dependency on the variable that asks for a lock.
fn made(item: &Ident) -> TokenStream {
    if !speaks_for_crate(&item.to_string(), "ES_LOCK") {
        return TokenStream::new();
    }
    quote! {
        const _: ::core::option::Option<&'static ::core::primitive::str> =
            ::core::option_env!("ES_LOCK");
    }
}

/// The dependency on the lock of the crate.
fn rebuilt(item: &Ident, file: &str) -> TokenStream {
    if speaks_for_crate(&item.to_string(), file) { included(file) } else { TokenStream::new() }
}

/// The dependency on a file.
fn included(file: &str) -> TokenStream {
    quote! {
        const _: &[::core::primitive::u8] = ::core::include_bytes!(#file);
    }
}

/// One comparison for each field whose type the derive does not see through and each shape that it
/// must be able to read.
fn comparisons(event: &Event<'_>) -> TokenStream {
    let expected = event.expected();
    let mut comparisons = TokenStream::new();
    for (name, value) in event.shape.values() {
        let ValueKind::Type(ty) = &value.kind else { continue };
        if value.known().is_known() {
            continue;
        }
        let ty = without_itself(ty, &event.input.ident, &event.crate_path);
        let released = expected.iter().filter_map(|expected| {
            let shape = match name {
                Some(name) => field(&expected.shape, name)?,
                None => &expected.shape,
            };
            shape
                .is_known()
                .then(|| comparison(event, &ty, name.unwrap_or_default(), shape, expected))
        });
        let released: Vec<_> = released.collect();
        if released.is_empty() {
            comparisons.extend(is_said(event, &ty));
        }
        comparisons.extend(released);
    }
    comparisons
}

/// The released shape of a field.
fn field<'s>(shape: &'s Shape, name: &str) -> Option<&'s Shape> {
    shape.fields()?.iter().find(|field| field.name.as_str() == name).map(|field| &field.shape)
}

fn comparison(
    event: &Event<'_>,
    ty: &TokenStream,
    at: &str,
    shape: &Shape,
    expected: &Expected,
) -> TokenStream {
    let shapes = Shapes { es_core: &event.crate_path, item: &event.input.ident };
    let shape = shapes.shape(shape);
    let (first, last) = ends(ty);
    let es_core = event.crate_path.at(first);
    let Expected { name, version, by_steps, .. } = expected;
    let newest = event.newest();
    let strict = event.codec_name().is_some() || beside_the_rest(&expected.shape, at);
    let flattened = is_flattened(&expected.shape, at);
    let private = quote_spanned!(first=> #es_core::__private::check);
    let function = Ident::new("field_is_released", last);
    let call = quote_spanned! {last=>
        #private::#function::<#ty>(
            const { &#shape },
            &#private::Released {
                event: #name,
                version: #version,
                newest: #newest,
                by_steps: #by_steps,
                strict: #strict,
                flattened: #flattened,
                field: #at,
            },
        )
    };
    quote! {
        #[allow(deprecated, unused_qualifications)]
        const _: () = #call;
    }
}

/// Whether the field is flattened beside one that takes the names that it does not have.
fn beside_the_rest(shape: &Shape, name: &str) -> bool {
    let Some(fields) = shape.fields() else { return false };
    let takes_the_rest = |field: &Field| field.name.as_str() != name && field.takes_the_rest();
    is_flattened(shape, name) && fields.iter().any(takes_the_rest)
}

fn is_flattened(shape: &Shape, name: &str) -> bool {
    let Some(fields) = shape.fields() else { return false };
    fields.iter().any(|field| field.name.as_str() == name && field.flatten)
}

/// A new field must say its shape too: it is released next.
fn is_said(event: &Event<'_>, ty: &TokenStream) -> TokenStream {
    let (first, last) = ends(ty);
    let es_core = event.crate_path.at(first);
    let private = quote_spanned!(first=> #es_core::__private::check);
    let function = Ident::new("shape_is_said", last);
    let call = quote_spanned!(last=> #private::#function::<#ty>());
    quote! {
        #[allow(deprecated, unused_qualifications)]
        const _: () = #call;
    }
}

/// The event, for the test of the crate.
fn registration(event: &Event<'_>) -> TokenStream {
    let (es_core, ident) = (&event.crate_path, &event.input.ident);
    let shape = Shapes { es_core, item: ident }.whole(&event.shape);
    let codec = event.codec_name().unwrap_or_else(|| "Json".to_owned());
    let private = quote!(#es_core::__private);
    let sample = match event.sample.value() {
        Some(path) => {
            let path = path.to_token_stream();
            quote!(::core::option::Option::Some(|| #private::encoded::<#ident>(#path())))
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #[cfg(test)]
        #[allow(deprecated, unused_qualifications)]
        const _: () = {
            #private::inventory::submit! {
                #private::LockedEvent::of::<#ident>(
                    const { &#shape },
                    #codec,
                    #sample,
                    ::core::concat!(::core::file!(), ":", ::core::line!()),
                )
            }
        };
    }
}
