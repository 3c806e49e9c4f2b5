//! What the lock of released events asks for: comparisons that only the compiler can make, and for
//! the test of the crate the event itself.

use es_lock::{Field, Shape};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use super::shape::Shapes;
use super::span::ends;
use crate::model::shape::{ValueKind, without_itself};
use crate::model::{Event, Expected, Released, speaks_for_crate};

/// ```text
/// const _: Option<&str> = option_env!("ES_LOCK");
/// const _: &[u8] = include_bytes!("/path/events.lock");
/// const _: () = check::field_is_released::<Money>(const { &Shape::.. }, &Released { .. });
/// #[cfg(test)]
/// const _: () = { inventory::submit!(LockedEvent::of::<Deposited>(..)); };
/// ```
pub(super) fn released(event: &Event<'_>) -> TokenStream {
    match &event.released {
        Released::Off => TokenStream::new(),
        // The build depends on it that a lock is being made, and so is repeated when one is.
        Released::Nothing => made(event),
        Released::Malformed { file, .. } => rebuilt(event, file),
        Released::Unreadable { .. } => TokenStream::new(),
        Released::Lock { file, of_crate, .. } => {
            let rebuilt = file.as_deref().map(|file| {
                // A path that the event names is seen from its own source file.
                if *of_crate { rebuilt(event, file) } else { included(file) }
            });
            let made = of_crate.then(|| made(event));
            let comparisons = comparisons(event);
            let registration = of_crate.then(|| registration(event));
            quote! {
                #made
                #rebuilt
                #comparisons
                #registration
            }
        }
    }
}

/// The dependency on the variable that asks for a lock.
fn made(event: &Event<'_>) -> TokenStream {
    if !speaks_for_crate(&event.input.ident.to_string(), "ES_LOCK") {
        return TokenStream::new();
    }
    quote! {
        const _: ::core::option::Option<&'static ::core::primitive::str> =
            ::core::option_env!("ES_LOCK");
    }
}

/// The dependency on the lock of the crate.
fn rebuilt(event: &Event<'_>, file: &str) -> TokenStream {
    if speaks_for_crate(&event.input.ident.to_string(), file) {
        included(file)
    } else {
        TokenStream::new()
    }
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
    let Shape::Struct(fields) = shape else { return None };
    fields.iter().find(|field| field.name.as_str() == name).map(|field| &field.shape)
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
    let Shape::Struct(fields) = shape else { return false };
    let takes_the_rest = |field: &Field| field.name.as_str() != name && field.takes_the_rest();
    is_flattened(shape, name) && fields.iter().any(takes_the_rest)
}

fn is_flattened(shape: &Shape, name: &str) -> bool {
    let Shape::Struct(fields) = shape else { return false };
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
    let shape = Shapes { es_core, item: ident }.item(&event.shape);
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
