//! Rules of `#[derive(Projection)]`.

use super::event_set::listed_events;
use super::item;
use super::missing::Required;
use super::stored_name::{self, NameRule};
use crate::attribute::value;
use crate::ctxt::Ctxt;
use crate::model::Projection;

const NAME: NameRule = NameRule {
    of: "a projection",
    purpose: "its progress is found by it",
    bytes: 256,
    begins_stream: false,
};

/// Checks everything that one projection says.
pub(crate) fn projection(ctxt: &Ctxt, projection: &Projection<'_>) {
    if let syn::Data::Union(_) = projection.input.data {
        ctxt.error(item::keyword(projection.input), "a projection is a struct or an enum");
        return;
    }
    item::is_concrete(
        ctxt,
        projection.input,
        "a projection",
        "a projection can not be generic: one stored name stands for one type\nhelp: list concrete events, such as `events(Priced<Eur>)`, or put the generic type in a field of a concrete projection",
    );
    has_required_options(ctxt, projection);
    stored_name::check(ctxt, projection.input, projection.name.value(), &NAME);
    if let Some(version) = projection.version.value()
        && version.base10_digits() == "0"
    {
        ctxt.error(
            version,
            "the versions of a projection start at 1\nhelp: write `version = 1`, or leave it out",
        );
    }
    if let Some(key) = &projection.events_key
        && projection.events_are_empty
    {
        ctxt.error(
            key,
            format_args!(
                "projection `{}` has no events, so it would stay empty\nhelp: list them: `events(Opened, ...)`",
                projection.input.ident
            ),
        );
    }
    if let (Some(_), Some(rows)) = (projection.documents.key(), projection.rows.key()) {
        ctxt.error(
            rows,
            "a projection is kept in documents or in rows, not in both\nhelp: keep one of `documents` and `rows`",
        );
    }
    partitions(ctxt, projection);
    if projection.effects_key.is_some() {
        let kept = [
            projection.documents.key(),
            projection.rows.key(),
            projection.inline_key.as_ref(),
            projection.version.key(),
        ];
        for key in kept.into_iter().flatten() {
            ctxt.error(
                key,
                format_args!(
                    "nothing is kept of side effects, so `{key}` says nothing\nhelp: remove `{key}`, or remove `effects` if `{}` is a read model",
                    projection.input.ident
                ),
            );
        }
    } else if let Some(inline) = &projection.inline_key
        && projection.documents.is_missing()
        && projection.rows.is_missing()
    {
        ctxt.error(
            inline,
            "a projection in memory can not be `inline`: it is changed when its events are stored already\nhelp: keep it in the store, with `documents, inline` or `rows = ..., inline`",
        );
    }
    listed_events(ctxt, &projection.events.set, &projection.input.ident);
}

fn partitions(ctxt: &Ctxt, projection: &Projection<'_>) {
    let Projection { partitions, partition, documents, rows, .. } = projection;
    if let Some(key) = partitions.key()
        && !projection.effects
        && documents.is_missing()
        && rows.is_missing()
    {
        ctxt.error(
            key,
            "what is kept in memory is one state, which has no partitions\nhelp: keep the projection in `documents` or in `rows`, or leave `partitions` out",
        );
    }
    if let Some(number) = partitions.value()
        && !number.base10_parse().is_ok_and(|number| value::PARTITIONS.contains(&number))
    {
        ctxt.error(
            number,
            "a projection has 2 to 256 partitions, or none\nhelp: write `partitions = 8`, or leave it out",
        );
    }
    if let (Some(key), Some(_)) = (partitions.key(), &projection.inline_key) {
        ctxt.error(
            key,
            "an inline projection is changed in one step, which has no partitions\nhelp: keep one of `inline` and `partitions`",
        );
    }
    let Some(key) = partition.key() else { return };
    if documents.key().is_some() {
        ctxt.error(
            key,
            "the key of a document decides its partition\nhelp: leave `partition` out; documents get another key with `documents(key = path::to::function)`",
        );
    } else if partitions.is_missing() {
        ctxt.error(
            key,
            "`partition` says to which of several partitions an event belongs, but there is one only\nhelp: add `partitions = 8`, or leave `partition` out",
        );
    }
}

fn has_required_options(ctxt: &Ctxt, projection: &Projection<'_>) {
    let Projection { input, attribute, .. } = *projection;
    let required = Required { ctxt, kind: &Projection::ATTRIBUTE, input, attribute };
    let name = stored_name::suggestion(input);
    let Some(attribute) = required.attribute(&format!("name = \"{name}\", events(...)")) else {
        return;
    };
    if projection.name.is_missing() {
        required.option(
            attribute,
            "name",
            &format!("`name = \"{name}\"`, under which it is stored,"),
        );
    }
    if projection.events_key.is_none() {
        required.option(attribute, "events", "the list of events that it projects, `events(...)`,");
    }
}
