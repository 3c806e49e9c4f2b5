//! Rules of `#[upcast(..)]`: a step for each version, and each says what can be.

use std::collections::BTreeMap;

use syn::ext::IdentExt;
use syn::{Data, Fields, Type};

use super::step_order;
use crate::attribute::operation::{JsonLiteral, LiteralKind, Renamed};
use crate::attribute::{FieldPath, nearest};
use crate::ctxt::Ctxt;
use crate::model::{
    Contradiction, Event, EventForm, Operation, Rules, SerdeField, SerdeItem, Step, VersionFields,
    optional, ungrouped,
};
use crate::written::written;

/// Checks the steps of an event whose versions make sense.
pub(crate) fn check(ctxt: &Ctxt, event: &Event<'_>) {
    let mut sound = true;
    for (index, step) in event.upcasts.steps.iter().enumerate() {
        let before = event.upcasts.steps.get(..index).and_then(<[_]>::last);
        sound &= has_its_place(ctxt, event, step, before);
        sound &= operations_fit_together(ctxt, event, step);
        sound &= step_order::check(ctxt, step);
    }
    sound &= has_every_step(ctxt, event);
    sound &= typed_steps_come_last(ctxt, event);
    if sound {
        steps_lead_to_the_struct(ctxt, event);
        steps_can_be_undone(ctxt, event);
    }
}

/// The step begins with a version that is read, is not the newest, and has no other step.
fn has_its_place(
    ctxt: &Ctxt,
    event: &Event<'_>,
    step: &Step<'_>,
    before: Option<&Step<'_>>,
) -> bool {
    let (ident, from) = (&event.input.ident, step.from);
    let (newest, oldest) = (event.newest(), event.oldest());
    if from == 0 {
        ctxt.error(
            &step.from_token,
            "the versions of an event start at 1\nhelp: write `from = 1` for the step to version 2",
        );
    } else if from >= newest {
        let next = u64::from(from) + 1;
        ctxt.error(
            &step.from_token,
            format_args!(
                "`{ident}` is version {newest}, so nothing can be upcast from version {from}\nhelp: write `version = {next}` in `#[event(...)]`"
            ),
        );
    } else if from < oldest {
        ctxt.error(
            &step.from_token,
            format_args!(
                "the oldest version of `{ident}` that is read is {oldest}, so nothing is upcast from version {from}\nhelp: remove the step, or write `oldest = {from}`"
            ),
        );
    } else if let Some(before) = before
        && before.from == from
    {
        ctxt.error(
            &step.from_token,
            format_args!(
                "two steps begin with version {from} of `{ident}`\nhelp: put what both do into one `#[upcast(from = {from}, ...)]`, in the order in which it shall happen"
            ),
        );
        ctxt.error(&before.from_token, format_args!("the first step from version {from} is here"));
    } else {
        return true;
    }
    false
}

/// Every version from the oldest to the newest has a step.
fn has_every_step(ctxt: &Ctxt, event: &Event<'_>) -> bool {
    let Some(version) = event.version.value().filter(|_| event.upcasts.complete) else {
        return true;
    };
    let (ident, newest, oldest) = (&event.input.ident, event.newest(), event.oldest());
    let missing = || (oldest..newest).filter(|from| event.upcasts.from(*from).is_none());
    let count = missing().count();
    if count == 0 {
        return true;
    }
    let shown: Vec<u32> = missing().take(3).collect();
    let more = if count > shown.len() { ", .." } else { "" };
    let versions = shown.iter().map(|from| from.to_string()).collect::<Vec<_>>().join(" or ");
    let steps = shown.iter().map(|from| format!("`#[upcast(from = {from}, ...)]`"));
    let steps = steps.collect::<Vec<_>>().join(" and ");
    // Whether all that is missing comes before the first step.
    let first = missing().next_back().map_or(newest, |last| last + 1);
    let leading = count == first.abs_diff(oldest) as usize;
    let missing = format!(
        "`{ident}` is version {newest}, but no step begins with version {versions}{more}\nhelp: add {steps} and say what changed, such as `rename(\"old\" => \"new\")`, `add(field = value)` or `remove(field)`"
    );
    if leading {
        let start = format!(
            "help: or write `oldest = {first}` in `#[event(...)]` if no older event is stored"
        );
        ctxt.error(version, format_args!("{missing}\n{start}"));
    } else {
        ctxt.error(version, missing);
    }
    false
}

/// A struct of old and a split stand alone, and what stands beside an operation belongs to it.
fn operations_fit_together(ctxt: &Ctxt, event: &Event<'_>, step: &Step<'_>) -> bool {
    let (ident, from) = (&event.input.ident, step.from);
    let mut sound = true;
    let mut refuse = |tokens: &dyn quote::ToTokens, message: &dyn std::fmt::Display| {
        ctxt.error(tokens, message);
        sound = false;
    };
    let alone =
        step.operations.iter().find(|it| matches!(it, Operation::Via(_) | Operation::Split(_)));
    if let Some(alone) = alone
        && step.operations.len() > 1
    {
        let (option, place) = match alone {
            Operation::Via(_) => ("via", "the `From` of the old struct"),
            _ => ("split", "the function that splits"),
        };
        refuse(
            alone,
            &format_args!(
                "`{option}` takes the whole of version {from}, so nothing can stand beside it\nhelp: move the rest of the step into {place}"
            ),
        );
    }
    if let Some(codec) = step.codec.key()
        && alone.is_none_or(|alone| matches!(alone, Operation::Split(_)))
    {
        refuse(
            codec,
            &"`codec` says how the struct of `via` was written, and there is no `via`\nhelp: remove it, or read the old payload with `via = OldStruct, codec = path::to::OldCodec`",
        );
    }
    if let Some(inverse) = step.inverse.key()
        && step.split().is_some()
    {
        refuse(
            inverse,
            &"several events can not become one again: `split` has no inverse\nhelp: remove `inverse`",
        );
    }
    let becomes_a_struct =
        event.upcasts.steps.iter().any(|later| later.from > from && later.via().is_some());
    if event.form() == EventForm::Newtype
        && !becomes_a_struct
        && let Some(operation) = step.operations.first()
        && step.via().is_none()
        && step.split().is_none()
    {
        refuse(
            operation,
            &format_args!(
                "`{ident}` is stored as its field, not as an object with named fields\nhelp: use a typed step: `#[upcast(from = {from}, via = {}V{from})]`",
                ident.unraw()
            ),
        );
    }
    for operation in &step.operations {
        if let Operation::Rename(Renamed { old, new }) = operation {
            let (from, to) = (old.text(), new.text());
            if old.parent() != new.parent() {
                refuse(
                    new,
                    &format_args!(
                        "`{from}` and `{to}` stand in different places: `rename` changes a name, it does not move a field\nhelp: move it with a function: `with = path::to::function`"
                    ),
                );
            } else if old.name() == new.name() {
                refuse(
                    new,
                    &format_args!(
                        "`{to}` has this name already\nhelp: write the old name first: `rename(\"old\" => \"{to}\")`"
                    ),
                );
            }
        }
    }
    sound
}

/// Behind a struct of old come only structs: nothing else knows what it becomes.
fn typed_steps_come_last(ctxt: &Ctxt, event: &Event<'_>) -> bool {
    let ident = event.input.ident.unraw();
    let mut typed = None;
    for step in &event.upcasts.steps {
        if step.via().is_some() {
            typed = Some(step.from);
        } else if let Some(first) = typed
            && let Some(operation) = step.operations.first()
        {
            let from = step.from;
            ctxt.error(
                operation,
                format_args!(
                    "the step from version {first} makes a struct, so this one must begin with a struct too\nhelp: keep `{ident}` as it was in version {from} under another name and write `#[upcast(from = {from}, via = {ident}V{from})]`"
                ),
            );
            return false;
        }
    }
    true
}

/// What is known of a field: its type, unless serde stores it by other means.
type FieldType<'a> = &'a Type;

/// Replays the steps from the newest version back.
fn steps_lead_to_the_struct(ctxt: &Ctxt, event: &Event<'_>) {
    let Data::Struct(data) = &event.input.data else { return };
    let item = SerdeItem::read(&event.input.attrs);
    let serde_fields = item.fields(&data.fields, Rules::default());
    let mut fields = newest_fields(&item, &data.fields, &serde_fields);
    for step in event.upcasts.steps.iter().rev() {
        for (assigned, ty) in fields.added_by(step) {
            if let Some(literal) = assigned.value.literal() {
                literal_fits(ctxt, &assigned.field, literal, ty);
            }
        }
        let next = step.from + 1;
        fields = fields.before(step, |contradiction| match contradiction {
            Contradiction::Missing(path) => {
                if !serde_fields
                    .iter()
                    .any(|field| field.aliases.iter().any(|it| it == path.root()))
                {
                    missing_field(ctxt, event, path, next, &fields, &serde_fields);
                }
            }
            Contradiction::StillThere(path) => still_there(ctxt, event, step, path, next),
        });
    }
}

fn newest_fields<'a>(
    item: &SerdeItem,
    fields: &Fields,
    serde_fields: &[SerdeField<'a>],
) -> VersionFields<FieldType<'a>> {
    let plain = item.is_plain() && !serde_fields.iter().any(|field| field.flatten);
    if !plain || matches!(fields, Fields::Unnamed(_)) {
        return VersionFields::Unknown;
    }
    let known = serde_fields.iter().filter_map(|field| {
        let ty = (!field.foreign).then_some(&field.field.ty);
        Some((field.read_as()?.to_owned(), ty))
    });
    VersionFields::Known(known.collect::<BTreeMap<_, _>>())
}

fn missing_field(
    ctxt: &Ctxt,
    event: &Event<'_>,
    path: &FieldPath,
    version: u32,
    fields: &VersionFields<FieldType<'_>>,
    serde_fields: &[SerdeField<'_>],
) {
    let (ident, root) = (&event.input.ident, path.root());
    let VersionFields::Known(known) = fields else { return };
    if known.contains_key(&path.text()) {
        ctxt.error(
            path,
            format_args!(
                "`{}` here is a path to `{}` inside of `{root}`, not the field that is stored under that name\nhelp: change a field with such a name by a function: `with = path::to::function`",
                path.text(),
                path.name()
            ),
        );
        return;
    }
    let renamed = serde_fields
        .iter()
        .find(|field| field.field.ident.as_ref().is_some_and(|ident| ident.unraw() == root));
    let stored = renamed.and_then(SerdeField::read_as).filter(|stored| known.contains_key(*stored));
    let help = if let Some(stored) = stored {
        format!("the field `{root}` is stored as `{stored}`: write that")
    } else if let Some(near) = nearest(root, known.keys().map(String::as_str)) {
        format!("there is a field `{near}`")
    } else if known.is_empty() {
        "it has no fields".to_owned()
    } else {
        let names: Vec<_> = known.keys().map(|name| format!("`{name}`")).collect();
        format!("its fields are {}", names.join(", "))
    };
    ctxt.error(
        path,
        format_args!("version {version} of `{ident}` has no field `{root}`\nhelp: {help}"),
    );
}

fn still_there(ctxt: &Ctxt, event: &Event<'_>, step: &Step<'_>, path: &FieldPath, version: u32) {
    let (ident, field) = (&event.input.ident, path.text());
    let removes = step.operations.iter().any(
        |operation| matches!(operation, Operation::Remove(removed) if removed.field.text() == field),
    );
    if removes {
        ctxt.error(
            path,
            format_args!(
                "version {version} of `{ident}` still has the field `{field}` that this step removes\nhelp: remove `{field}` from `struct {ident}`, or leave it out of the step"
            ),
        );
    } else {
        ctxt.error(
            path,
            format_args!(
                "version {version} of `{ident}` still has the field `{field}` that this step renames\nhelp: remove `{field}` from `struct {ident}`, or write `add({field} = ...)` behind the `rename`"
            ),
        );
    }
}

/// A literal of a kind that the field can be read from.
fn literal_fits(ctxt: &Ctxt, field: &FieldPath, literal: &JsonLiteral, ty: &Type) {
    let ty = ungrouped(ty);
    let (inner, may_be_null) = match optional(ty) {
        Some(inner) => (ungrouped(inner), true),
        None => (ty, false),
    };
    let Type::Path(path) = inner else { return };
    let Some(name) = path.path.get_ident().map(ToString::to_string) else { return };
    let Some((wanted, example)) = wanted(&name) else { return };
    let fits = match &literal.kind {
        LiteralKind::Null => may_be_null,
        LiteralKind::Boolean(_) => name == "bool",
        LiteralKind::Text(text) => {
            name == "String" || (name == "char" && text.chars().count() == 1)
        }
        LiteralKind::Integer(number) => integer_fits(&name, *number),
        LiteralKind::Float(_) => matches!(name.as_str(), "f32" | "f64"),
    };
    if !fits {
        let (field, found, ty) = (field.text(), written(&literal.tokens), written(ty));
        ctxt.error(
            &literal.tokens,
            format_args!(
                "`{field}` is `{ty}`, which can not hold `{found}`\nhelp: write {wanted}, such as `{field} = {example}`"
            ),
        );
    }
}

/// What a primitive type is read from, and an example.
fn wanted(ty: &str) -> Option<(&'static str, &'static str)> {
    Some(match ty {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => ("a whole number in its range", "0"),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => ("a whole number in its range", "0"),
        "f32" | "f64" => ("a number", "0.0"),
        "bool" => ("`true` or `false`", "false"),
        "String" => ("a text", "\"\""),
        "char" => ("a text of one character", "\"x\""),
        _ => return None,
    })
}

fn integer_fits(ty: &str, number: i128) -> bool {
    let range = match ty {
        "u8" => 0..=i128::from(u8::MAX),
        "u16" => 0..=i128::from(u16::MAX),
        "u32" => 0..=i128::from(u32::MAX),
        "u64" | "u128" | "usize" => 0..=i128::MAX,
        "i8" => i128::from(i8::MIN)..=i128::from(i8::MAX),
        "i16" => i128::from(i16::MIN)..=i128::from(i16::MAX),
        "i32" => i128::from(i32::MIN)..=i128::from(i32::MAX),
        "i64" | "isize" => i128::from(i64::MIN)..=i128::from(i64::MAX),
        "i128" | "f32" | "f64" => i128::MIN..=i128::MAX,
        _ => return false,
    };
    range.contains(&number)
}

/// An event that is written as an older version must find back from the newest.
fn steps_can_be_undone(ctxt: &Ctxt, event: &Event<'_>) {
    let Some(literal) = event.write_version.value() else { return };
    let ident = &event.input.ident;
    let written = event.written_version();
    if event.form() == EventForm::Newtype {
        ctxt.error(
            literal,
            format_args!(
                "`{ident}` is stored as its field, and only an event with named fields can be written as an older version\nhelp: remove `write_version`"
            ),
        );
        return;
    }
    for step in event.upcasts.steps.iter().filter(|step| step.from >= written) {
        if step.inverse.key().is_some() {
            continue;
        }
        for operation in step.operations.iter().filter(|operation| !operation.is_derivable()) {
            let (what, help) = match operation {
                Operation::Remove(removed) => (
                    format!("what `{}` held is not known any more", removed.field.text()),
                    format!(
                        "say what is written for it: `remove({} = ...)`",
                        written_path(&removed.field)
                    ),
                ),
                Operation::Split(_) => (
                    "several events can not become one again".to_owned(),
                    format!("write version {} or newer", step.from + 1),
                ),
                _ => (
                    "what a function or a `From` does can not be turned round".to_owned(),
                    "add `inverse = path::to::function` to the step, an `fn(&mut JsonObject) -> Result<(), UpcastError>` that undoes it".to_owned(),
                ),
            };
            ctxt.error(
                operation,
                format_args!(
                    "`{ident}` is to be written as version {written}, but this step can not be undone: {what}\nhelp: {help}"
                ),
            );
        }
    }
}

fn written_path(path: &FieldPath) -> String {
    written(path)
}
