//! The table of the steps of an event, and how an older version is read.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type};

use super::span::ends;
use crate::attribute::operation::{Assigned, LiteralKind, NewValue, Removed, Renamed};
use crate::attribute::{FieldPath, Segment};
use crate::crate_path::CratePath;
use crate::model::{Event, EventForm, Operation, Step};

/// What `impl Event` says about older versions; nothing for an event that has none.
///
/// ```text
/// const UPCASTS: &Upcasts = &Upcasts { oldest: 1, steps: &[Step { .. }], object: Some(..) };
/// fn read_older<S>(reading: &Reading) -> Result<Decoded<S>, DecodeError> {
///     read_from_object::<Self, S>(reading)
/// }
/// ```
pub(super) fn older_versions(event: &Event<'_>) -> TokenStream {
    let es_core = &event.crate_path;
    let oldest = event.oldest();
    let steps = &event.upcasts.steps;
    let Some(last) = steps.last() else {
        return match event.oldest.value() {
            Some(_) => quote! {
                const UPCASTS: &'static #es_core::__private::Upcasts =
                    &#es_core::__private::Upcasts::since(#oldest);
            },
            None => TokenStream::new(),
        };
    };
    let codec = codec(event);
    let over_objects = steps.iter().any(|step| step.via().is_none() && step.split().is_none());
    let object = if over_objects {
        // A codec that can not do it is reported at the first step that asks for it.
        let span = steps
            .iter()
            .find(|step| step.via().is_none() && step.split().is_none())
            .and_then(|step| step.operations.first())
            .map_or_else(proc_macro2::Span::call_site, |operation| ends(operation).0);
        let object_of = quote_spanned!(span=> object_of::<#codec>);
        quote!(::core::option::Option::Some(#es_core::__private::#object_of))
    } else {
        quote!(::core::option::Option::None)
    };
    let table = steps.iter().map(|one| step(event, one));
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
    quote! {
        const UPCASTS: &'static #es_core::__private::Upcasts = &#es_core::__private::Upcasts {
            oldest: #oldest,
            steps: &[#(#table),*],
            object: #object,
        };

        fn read_older<__Set: #es_core::EventSet + ::core::convert::From<Self>>(
            __reading: &#es_core::__private::Reading<'_>,
        ) -> ::core::result::Result<#es_core::Decoded<__Set>, #es_core::DecodeError> {
            #es_core::__private::#read::<Self, __Set>(__reading)
        }

        #write
    }
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
            let (_, arguments, _) = generics.split_for_impl();
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
        NewValue::Literal(literal) => match &literal.kind {
            LiteralKind::Null => quote!(Null),
            LiteralKind::Boolean(boolean) => quote!(Boolean(#boolean)),
            LiteralKind::Text(text) => quote!(Text(#text)),
            LiteralKind::Integer(number) => match u64::try_from(*number) {
                Ok(number) => {
                    let number = Literal::u64_unsuffixed(number);
                    quote!(Unsigned(#number))
                }
                Err(_) => {
                    let number = i64::try_from(*number).unwrap_or(i64::MIN);
                    quote!(Negative(#number))
                }
            },
            LiteralKind::Float(number) => quote!(Float(#number)),
        },
    };
    quote!(#es_core::__private::NewValue::#value)
}
