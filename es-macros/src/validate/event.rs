//! Rules of `#[derive(Event)]`.

use quote::ToTokens;
use syn::{Data, Fields, Type};

use super::item;
use super::missing::Required;
use super::stored_name::{self, NameRule};
use super::{released, upcast, version_range};
use crate::ctxt::Ctxt;
use crate::model::Event;

const NAME: NameRule = NameRule {
    of: "an event",
    purpose: "stored events are read by it",
    bytes: 1024,
    begins_stream: false,
};

/// The longest tag that stores take, in bytes.
const MAX_TAG_BYTES: usize = 1024;

/// Checks everything that one event says.
pub(crate) fn event(ctxt: &Ctxt, event: &Event<'_>) {
    if !is_struct(ctxt, event) {
        return;
    }
    item::owns_its_data(ctxt, event.input, "an event");
    fields_own_their_data(ctxt, event);
    has_name(ctxt, event);
    stored_name::check(ctxt, event.input, event.name.value(), &NAME);
    aliases_differ(ctxt, event);
    tags_have_keys(ctxt, event);
    if version_range::check(ctxt, event) {
        upcast::check(ctxt, event);
    }
    if !ctxt.has_errors() {
        released::check(ctxt, event);
    }
}

/// An event is a struct whose fields have names, or a newtype, or nothing but its name.
fn is_struct(ctxt: &Ctxt, event: &Event<'_>) -> bool {
    match &event.input.data {
        Data::Struct(data) => {
            if let Fields::Unnamed(fields) = &data.fields
                && fields.unnamed.len() != 1
            {
                let ident = &event.input.ident;
                ctxt.error(
                    fields,
                    format_args!(
                        "the fields of an event need names: stored data is read by them\nhelp: write `struct {ident} {{ amount: u64, .. }}`"
                    ),
                );
                return false;
            }
            true
        }
        Data::Enum(_) => {
            ctxt.error(
                item::keyword(event.input),
                "an event is a struct\nhelp: derive `Event` on one struct for each event; `#[derive(Aggregate)]` makes the enum",
            );
            false
        }
        Data::Union(_) => {
            ctxt.error(
                item::keyword(event.input),
                "an event is a struct, not a union\nhelp: write a struct, with an enum in a field for what may differ",
            );
            false
        }
    }
}

/// Serde can write a reference, and read none that outlives what was read: it says so in words that
/// help nobody. What an attribute of serde says about a field is the user's own business.
fn fields_own_their_data(ctxt: &Ctxt, event: &Event<'_>) {
    let Data::Struct(data) = &event.input.data else { return };
    for field in &data.fields {
        let by_serde = field.attrs.iter().any(|attribute| attribute.path().is_ident("serde"));
        if let Type::Reference(reference) = &field.ty
            && reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
            && !by_serde
        {
            ctxt.error(
                reference,
                "an event owns its data: a reference can not be read back\nhelp: use `String` or `Cow<'static, str>` for the field",
            );
        }
    }
}

fn has_name(ctxt: &Ctxt, event: &Event<'_>) {
    let Event { input, attribute, .. } = *event;
    let example = format!("name = \"{}\"", stored_name::suggestion(input));
    let required = Required { ctxt, kind: &Event::ATTRIBUTE, input, attribute };
    if let Some(attribute) = required.attribute(&example)
        && event.name.is_missing()
    {
        required.option(
            attribute,
            "name",
            &format!("`{example}`, under which it is stored for ever,"),
        );
    }
}

fn aliases_differ(ctxt: &Ctxt, event: &Event<'_>) {
    for (index, alias) in event.aliases.iter().enumerate() {
        stored_name::check(ctxt, event.input, Some(alias), &NAME);
        let text = alias.value();
        if event.name.value().is_some_and(|name| name.value() == text) {
            ctxt.error(
                alias,
                "an alias is a name that the event had before, and this is its name today\nhelp: write the old name here, or remove the alias",
            );
        } else if event.aliases.iter().take(index).any(|first| first.value() == text) {
            ctxt.error(
                alias,
                format_args!("alias `{text}` is given twice\nhelp: keep one of them"),
            );
        }
    }
}

fn tags_have_keys(ctxt: &Ctxt, event: &Event<'_>) {
    for tag in &event.tags {
        match &tag.key {
            None if tag.field.ident.is_none() => ctxt.error(
                &tag.field.ty,
                "the tag needs a key: a tag is the text `key:value`, and this field has no name\nhelp: write `#[event(tag = \"...\")]`",
            ),
            Some(key) if key.value().trim().is_empty() => ctxt.error(
                key,
                "the key of a tag can not be empty: a tag is the text `key:value`\nhelp: write `#[event(tag = \"...\")]`, or `#[event(tag)]` for the name of the field",
            ),
            _ => {}
        }
        // Behind the key stand a colon and the value.
        let bytes = tag.key_text().len();
        if bytes >= MAX_TAG_BYTES {
            let place: &dyn ToTokens = match (&tag.key, &tag.field.ident) {
                (Some(key), _) => key,
                (None, Some(name)) => name,
                (None, None) => &tag.field.ty,
            };
            ctxt.error(
                place,
                format_args!(
                    "the key of a tag has {bytes} bytes, but stores take {MAX_TAG_BYTES} for the whole of `key:value`\nhelp: write a shorter one: `#[event(tag = \"...\")]`"
                ),
            );
        }
    }
}
