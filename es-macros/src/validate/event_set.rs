//! Rules of `#[derive(EventSet)]`, and of the lists that become such an enum.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::{Data, Fields, PathArguments, Type};

use super::item;
use crate::ctxt::Ctxt;
use crate::model::{EventSet, OwnEventSet, Variant};
use crate::written::pascal_case;

/// Checks an enum that the user wrote.
pub(crate) fn own_event_set(ctxt: &Ctxt, own: &OwnEventSet<'_>) {
    let Data::Enum(data) = &own.input.data else {
        ctxt.error(
            item::keyword(own.input),
            "a set of events is an enum with one variant for each event\nhelp: for one event derive `Event`",
        );
        return;
    };
    let concrete = item::is_concrete(
        ctxt,
        own.input,
        "a set of events",
        "a set of events can not be generic: the stored names of its events must be known\nhelp: use concrete events in the variants, such as `Priced(Priced<Eur>)`",
    );
    if data.variants.is_empty() && concrete {
        let ident = &own.input.ident;
        ctxt.error(
            ident,
            format_args!(
                "`{ident}` has no events\nhelp: add a variant for each event, such as `Opened(Opened)`"
            ),
        );
    }
    for variant in &data.variants {
        let holds_one_event =
            matches!(&variant.fields, Fields::Unnamed(fields) if fields.unnamed.len() == 1);
        if !holds_one_event {
            let ident = &variant.ident;
            ctxt.error(
                ident,
                format_args!(
                    "variant `{ident}` must hold one event\nhelp: write `{ident}({ident})`, with `#[derive(Event)]` on `struct {ident}`"
                ),
            );
        }
    }
    no_event_twice(ctxt, &own.set);
    no_name_retired_twice(ctxt, &own.set);
}

/// Checks the events of a list, which become variants of an enum.
pub(crate) fn listed_events(ctxt: &Ctxt, set: &EventSet, owner: &Ident) {
    name_is_free(ctxt, set, owner);
    no_event_twice(ctxt, set);
    no_variant_twice(ctxt, set);
    no_name_retired_twice(ctxt, set);
}

/// The enum stands beside the type and, most of the time, beside its events.
fn name_is_free(ctxt: &Ctxt, set: &EventSet, owner: &Ident) {
    let name = &set.ident;
    let taken_by = if name == owner {
        "the type itself"
    } else if set.namesake().is_some() {
        "an event of the list"
    } else {
        return;
    };
    ctxt.error(
        name,
        format_args!(
            "the enum of the events can not be called `{name}`: that is the name of {taken_by}\nhelp: give it another name, such as `enum = {}Fact`",
            owner.unraw()
        ),
    );
}

fn no_name_retired_twice(ctxt: &Ctxt, set: &EventSet) {
    for (index, name) in set.retired.iter().enumerate() {
        let text = name.value();
        if set.retired.iter().take(index).any(|first| first.value() == text) {
            ctxt.error(name, format_args!("`{text}` is retired twice\nhelp: keep one of them"));
        }
    }
}

/// Says at both ends that one event is listed twice.
fn no_event_twice(ctxt: &Ctxt, set: &EventSet) {
    for (first, second) in set.repetitions() {
        let event = second.written();
        if first.written() == event {
            ctxt.error(
                &second.event,
                format_args!("event `{event}` is listed twice\nhelp: remove it here"),
            );
            ctxt.error(&first.event, format_args!("`{event}` is first listed here"));
        }
    }
}

/// Says at both ends that two events of a list would become one variant.
fn no_variant_twice(ctxt: &Ctxt, set: &EventSet) {
    for (first, second) in set.repetitions() {
        let (event, variant) = (second.written(), &second.ident);
        if first.written() != event {
            let (set, alias) = (&set.ident, alias(second));
            ctxt.error(
                &second.event,
                format_args!(
                    "two events would become the variant `{set}::{variant}`\nhelp: give one of them another name: `{event} as {alias}`"
                ),
            );
            ctxt.error(
                &first.event,
                format_args!("`{set}::{variant}` is first made of `{}` here", first.written()),
            );
        }
    }
}

/// Another name for a variant: `billing::Paid` as `BillingPaid`, `Priced<Eur>` as `PricedEur`.
fn alias(variant: &Variant) -> String {
    let name = variant.ident.unraw().to_string();
    let Type::Path(ty) = &variant.event else { return format!("Other{name}") };
    let arguments: Vec<&Ident> = match ty.path.segments.last().map(|last| &last.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                syn::GenericArgument::Type(Type::Path(ty)) => {
                    ty.path.segments.last().map(|last| &last.ident)
                }
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let module = ty.path.segments.iter().rev().nth(1).map(|segment| segment.ident.to_string());
    match (arguments.as_slice(), module.as_deref()) {
        ([], None | Some("crate" | "self" | "super")) => format!("Other{name}"),
        ([], Some(module)) => format!("{}{name}", pascal_case(module.trim_start_matches("r#"))),
        (arguments, _) => {
            arguments.iter().fold(name, |name, argument| format!("{name}{}", argument.unraw()))
        }
    }
}
