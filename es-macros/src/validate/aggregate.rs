//! Rules of `#[derive(Aggregate)]`.

use super::event_set::listed_events;
use super::item;
use super::missing::Required;
use super::stored_name::{self, NameRule};
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
    if let syn::Data::Union(_) = aggregate.input.data {
        ctxt.error(item::keyword(aggregate.input), "an aggregate is a struct or an enum");
        return;
    }
    item::is_concrete(
        ctxt,
        aggregate.input,
        "an aggregate can not be generic: one stored name stands for one type\nhelp: list concrete events, such as `events(Priced<Eur>)`, or put the generic type in a field of a concrete aggregate",
    );
    has_required_options(ctxt, aggregate);
    stored_name::check(ctxt, aggregate.input, aggregate.name.value(), &NAME);
    has_events(ctxt, aggregate);
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
            listed_events(ctxt, &generated.set);
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
