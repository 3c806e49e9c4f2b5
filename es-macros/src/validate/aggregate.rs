//! Rules of `#[derive(Aggregate)]`.

use syn::{Data, Expr, Field, Path, Type};

use super::event_set::listed_events;
use super::item;
use super::missing::Required;
use super::released;
use super::stored_name::{self, NameRule};
use crate::attribute::SnapshotOption;
use crate::ctxt::Ctxt;
use crate::model::{Aggregate, AggregateEvents};
use crate::written::written;

const NAME: NameRule = NameRule {
    of: "an aggregate",
    purpose: "its streams are found by it",
    bytes: 256,
    begins_stream: true,
};

/// Checks everything that one aggregate says.
pub(crate) fn aggregate(ctxt: &Ctxt, aggregate: &Aggregate<'_>) {
    if let Data::Union(_) = aggregate.input.data {
        ctxt.error(item::keyword(aggregate.input), "an aggregate is a struct or an enum");
        return;
    }
    item::is_concrete(
        ctxt,
        aggregate.input,
        "an aggregate",
        "an aggregate can not be generic: one stored name stands for one type\nhelp: list concrete events, such as `events(Priced<Eur>)`, or put the generic type in a field of a concrete aggregate",
    );
    has_required_options(ctxt, aggregate);
    id_owns_its_data(ctxt, aggregate);
    stored_name::check(ctxt, aggregate.input, aggregate.name.value(), &NAME);
    has_events(ctxt, aggregate);
    snapshots_make_sense(ctxt, aggregate);
    // What it must read only the compiler knows.
    released::lock(ctxt, &aggregate.input.ident, &aggregate.released);
}

fn has_required_options(ctxt: &Ctxt, aggregate: &Aggregate<'_>) {
    let Aggregate { input, attribute, .. } = *aggregate;
    let required = Required { ctxt, kind: &Aggregate::ATTRIBUTE, input, attribute };
    let name = stored_name::suggestion(input);
    let example = format!("name = \"{name}\", id = ..., events(...)");
    let Some(attribute) = required.attribute(&example) else { return };
    if aggregate.name.is_missing() {
        required.option(
            attribute,
            "name",
            &format!("`name = \"{name}\"`, under which it is stored,"),
        );
    }
    if aggregate.id.is_missing() {
        required.option(
            attribute,
            "id",
            &format!("`id = {}Id`, the type that tells one from the other,", input.ident),
        );
    }
    if aggregate.events_key.is_none() {
        required.option(attribute, "events", "the list of its events, `events(...)`,");
    }
}

/// An id is read from the name of a stream, of which nothing is kept.
fn id_owns_its_data(ctxt: &Ctxt, aggregate: &Aggregate<'_>) {
    let Some(Type::Reference(reference)) = aggregate.id.value() else { return };
    let inner = match written(&reference.elem).as_str() {
        "str" => "String".to_owned(),
        other => other.to_owned(),
    };
    ctxt.error(
        reference,
        format_args!(
            "an id owns its data: a reference can not be read back from the name of a stream\nhelp: write `id = {inner}`"
        ),
    );
}

fn has_events(ctxt: &Ctxt, aggregate: &Aggregate<'_>) {
    match &aggregate.events {
        AggregateEvents::Generated(generated) => {
            if let Some(key) = &aggregate.events_key
                && aggregate.events_are_empty
            {
                ctxt.error(
                    key,
                    format_args!(
                        "aggregate `{}` has no events, so nothing could ever happen to it\nhelp: list them: `events(Opened, ...)`",
                        aggregate.input.ident
                    ),
                );
            }
            listed_events(ctxt, &generated.set, &aggregate.input.ident);
        }
        AggregateEvents::Own(own) => {
            for option in &aggregate.idle_options {
                let own = written(own);
                if option == "retired" {
                    ctxt.error(
                        option,
                        format_args!(
                            "`retired` is about the events of `{own}`, which is your own enum\nhelp: write `#[event_set(retired(...))]` above `enum {own}`"
                        ),
                    );
                    continue;
                }
                ctxt.error(
                    option,
                    format_args!(
                        "`{option}` is about the enum that `events(...)` makes, but `events = {own}` is your own\nhelp: remove it here"
                    ),
                );
            }
        }
    }
}

fn snapshots_make_sense(ctxt: &Ctxt, aggregate: &Aggregate<'_>) {
    let Some(SnapshotOption { key, every }) = aggregate.snapshot.value() else { return };
    if every.is_missing() {
        ctxt.error(key, "`snapshot` does not say how often\nhelp: write `snapshot(every = 100)`");
    }
    if let Some(number) = every.value()
        && number.base10_digits() == "0"
    {
        ctxt.error(
            number,
            "`every` can not be 0: a snapshot is taken after every so many events\nhelp: write `every = 100`",
        );
    }
    for field in fields(&aggregate.input.data) {
        if let Some(skip) = skipped_by_serde(field) {
            ctxt.error(
                skip,
                "a snapshot would lose this field: serde does not write it\nhelp: let serde write it, compute it where it is used, or take no snapshots",
            );
        }
    }
}

fn fields(data: &Data) -> Vec<&Field> {
    match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    }
}

/// The word that makes serde leave the field out, in writing or in reading.
fn skipped_by_serde(field: &Field) -> Option<Path> {
    let mut found = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What serde would not understand it reports itself.
        let _ = attribute.parse_nested_meta(|meta| {
            let skips = ["skip", "skip_serializing", "skip_deserializing"];
            if skips.iter().any(|skip| meta.path.is_ident(skip)) {
                found = Some(meta.path);
            } else if let Ok(value) = meta.value() {
                value.parse::<Expr>()?;
            }
            Ok(())
        });
    }
    found
}
