//! The history of an event: other names, the table of its steps, and how an older version is read.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type};

use super::arguments::arguments;
use super::span::ends;
use crate::attribute::operation::{Assigned, NewValue, Removed, Renamed};
use crate::attribute::{FieldPath, Segment};
use crate::crate_path::CratePath;
use crate::model::{Event, EventForm, Operation, Step};

/// What `impl Event` says about other names and versions; nothing for an event that has none.
///
/// ```text
/// const HISTORY: &EventHistory = &EventHistory {
///     aliases: &["account.paid_in"],
///     written_version: None,
///     upcasts: Upcasts { oldest: 1, steps: &[Step { .. }], object: Some(..) },
///     split_from: &[SplitSource::of::<Moved>()],
/// };
/// fn read_older<S>(reading: &Reading) -> Result<Decoded<S>, DecodeError> {
///     read_from_object::<Self, S>(reading)
/// }
/// ```
pub(super) fn history(event: &Event<'_>) -> TokenStream {
    let es_core = &event.crate_path;
    let Event { aliases, oldest, write_version, split_from, upcasts, .. } = event;
    if aliases.is_empty()
        && oldest.value().is_none()
        && split_from.value().is_none()
        && upcasts.steps.is_empty()
    {
        return TokenStream::new();
    }
    let written_version = match write_version.value() {
        Some(version) => {
            let version = quote!(#es_core::__private::schema_version(#version));
            quote!(::core::option::Option::Some(#version))
        }
        None => quote!(::core::option::Option::None),
    };
    let sources = split_from.value().into_iter().flatten().map(|source| {
        let (first, _) = ends(source);
        let es_core = es_core.at(first);
        quote_spanned!(first=> #es_core::__private::SplitSource::of::<#source>())
    });
    let (oldest, object) = (event.oldest(), object_reader(event));
    let table = upcasts.steps.iter().map(|one| step(event, one));
    let functions = functions(event);
    quote! {
        const HISTORY: &'static #es_core::__private::EventHistory =
            &#es_core::__private::EventHistory {
                aliases: &[#(#aliases),*],
                written_version: #written_version,
                upcasts: #es_core::__private::Upcasts {
                    oldest: #oldest,
                    steps: &[#(#table),*],
                    object: #object,
                },
                split_from: &[#(#sources),*],
            };

        #functions
    }
}

/// What reads a payload as an object, if a step works on that. A codec that can not do it is
/// reported at the first step that asks for it.
fn object_reader(event: &Event<'_>) -> TokenStream {
    let mut steps = event.upcasts.steps.iter();
    let over_the_object = steps.find(|step| step.via().is_none() && step.split().is_none());
    let Some(operation) = over_the_object.and_then(|step| step.operations.first()) else {
        return quote!(::core::option::Option::None);
    };
    let (es_core, codec) = (&event.crate_path, codec(event));
    let object_of = quote_spanned!(ends(operation).0=> object_of::<#codec>);
    quote!(::core::option::Option::Some(#es_core::__private::#object_of))
}

/// How an older version is read, and written if it is.
fn functions(event: &Event<'_>) -> Option<TokenStream> {
    let es_core = &event.crate_path;
    let last = event.upcasts.steps.last()?;
    let read = if last.via().is_some() || last.split().is_some() {
        quote!(read_from_struct)
    } else if event.form() == EventForm::Unit {
        quote!(read_without_fields)
    } else {
        quote!(read_from_object)
    };
    let write = event.write_version.value().map(|_| {
        quote! {
            fn write_older(
                &self,
                __buffer: &mut ::std::vec::Vec<::core::primitive::u8>,
            ) -> ::core::result::Result<(), #es_core::CodecError> {
                #es_core::__private::write_older(self, __buffer)
            }
        }
    });
    Some(quote! {
        fn read_older<__Set: #es_core::EventSet + ::core::convert::From<Self>>(
            __reading: &#es_core::__private::Reading<'_>,
        ) -> ::core::result::Result<#es_core::Decoded<__Set>, #es_core::DecodeError> {
            #es_core::__private::#read::<Self, __Set>(__reading)
        }

        #write
    })
}

fn codec(event: &Event<'_>) -> TokenStream {
    let es_core = &event.crate_path;
    match event.codec.value() {
        Some(codec) => codec.to_token_stream(),
        None => quote!(#es_core::Json),
    }
}

fn step(event: &Event<'_>, step: &Step<'_>) -> TokenStream {
    let es_core = &event.crate_path;
    let text = step.text();
    let kind = if let Some(old) = step.via() {
        via(event, step, old)
    } else if let Some(split) = step.split() {
        let codec = codec(event);
        let names = split.into.iter().map(|event| {
            let (first, _) = ends(event);
            let es_core = es_core.at(first);
            quote_spanned!(first=> <#event as #es_core::Event>::NAME)
        });
        let function = &split.function;
        let (first, _) = ends(function);
        let at = es_core.at(first);
        let run =
            quote_spanned!(first=> &#at::__private::Splitting::<_, _, #codec>::with(#function));
        quote! {
            #es_core::__private::StepKind::Split { into: &[#(#names),*], run: #run }
        }
    } else {
        let operations = step.operations.iter().map(|one| operation(es_core, one));
        let inverse = inverse(es_core, step.inverse.value());
        quote! {
            #es_core::__private::StepKind::Object {
                operations: &[#(#operations),*],
                inverse: #inverse,
            }
        }
    };
    quote!(#es_core::__private::Step { text: #text, kind: #kind })
}

/// The old struct with what it becomes, where the old struct is written.
fn via(event: &Event<'_>, step: &Step<'_>, old: &Type) -> TokenStream {
    let es_core = &event.crate_path;
    let next = match event.upcasts.from(step.from + 1).and_then(Step::via) {
        Some(next) => next.to_token_stream(),
        None => {
            let (ident, generics) = (&event.input.ident, &event.input.generics);
            let arguments = arguments(generics);
            quote!(#ident #arguments)
        }
    };
    let codec = match step.codec.value() {
        Some(codec) => codec.to_token_stream(),
        None => codec(event),
    };
    let (first, _) = ends(old);
    let at = es_core.at(first);
    let inverse = inverse(es_core, step.inverse.value());
    quote_spanned!(first=> #at::__private::via::<#old, #next, #codec>(#inverse))
}

fn inverse(es_core: &CratePath, function: Option<&Path>) -> TokenStream {
    let Some(function) = function else { return quote!(::core::option::Option::None) };
    let (first, _) = ends(function);
    let at = es_core.at(first);
    let call = quote_spanned!(first=> &#at::__private::NamedFunction::inverse(#function));
    quote!({
        const __INVERSE: &'static dyn #es_core::__private::CalledInverse = #call;
        ::core::option::Option::Some(__INVERSE)
    })
}

fn operation(es_core: &CratePath, operation: &Operation) -> TokenStream {
    match operation {
        Operation::Rename(Renamed { old, new }) => {
            let (path, parent) = (old.text(), segments(es_core, old));
            let (old, new) = (old.name(), new.name());
            quote! {
                #es_core::__private::Operation::Rename {
                    path: #path, parent: #parent, old: #old, new: #new,
                }
            }
        }
        Operation::Add(Assigned { field, value }) => {
            let (path, parent, name) = (field.text(), segments(es_core, field), field.name());
            let value = new_value(es_core, value);
            quote! {
                #es_core::__private::Operation::Add {
                    path: #path, parent: #parent, name: #name, value: #value,
                }
            }
        }
        Operation::Remove(Removed { field, undone }) => {
            let (path, parent, name) = (field.text(), segments(es_core, field), field.name());
            let undone = match undone {
                Some(value) => {
                    let value = new_value(es_core, value);
                    quote!({
                        const __UNDONE: #es_core::__private::NewValue = #value;
                        ::core::option::Option::Some(__UNDONE)
                    })
                }
                None => quote!(::core::option::Option::None),
            };
            quote! {
                #es_core::__private::Operation::Remove {
                    path: #path, parent: #parent, name: #name, undone: #undone,
                }
            }
        }
        Operation::With(function) => {
            let (first, _) = ends(function);
            let at = es_core.at(first);
            let run = quote_spanned!(first=> &#at::__private::NamedFunction::with(#function));
            quote!(#es_core::__private::Operation::With { run: #run })
        }
        // Steps of their own.
        Operation::Via(_) | Operation::Split(_) => TokenStream::new(),
    }
}

fn segments(es_core: &CratePath, path: &FieldPath) -> TokenStream {
    let segments = path.parent().iter().map(|segment| match segment {
        Segment::Field(name) => quote!(#es_core::__private::Segment::Field(#name)),
        Segment::Elements => quote!(#es_core::__private::Segment::Elements),
    });
    quote!(&[#(#segments),*])
}

fn new_value(es_core: &CratePath, value: &NewValue) -> TokenStream {
    let value = match value {
        NewValue::Function(function) => {
            let (first, _) = ends(function);
            let at = es_core.at(first);
            let make = quote_spanned!(first=> &#at::__private::NamedFunction::add(#function));
            quote!(Function { make: #make })
        }
        NewValue::Literal(literal) => {
            let json = literal.kind.json();
            quote!(Json(#json))
        }
    };
    quote!(#es_core::__private::NewValue::#value)
}
