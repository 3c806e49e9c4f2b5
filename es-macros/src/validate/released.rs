//! What an event must not change because it was released.

use es_lock::{Change, Difference, Lock, Shape, Text, differences};
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;

use super::event_data::shape_is_said;
use super::read_back;
use crate::ctxt::Ctxt;
use crate::model::{Event, Expected, Released};
use crate::written::written;

/// Compares the event with its lock, as far as the tokens of the event tell. What stands in the
/// types of its fields is compared by the compiler, in constants.
pub(super) fn check(ctxt: &Ctxt, event: &Event<'_>) {
    let ident = &event.input.ident;
    let Some(lock) = lock(ctxt, ident, &event.released) else { return };
    if !event.input.generics.params.is_empty() {
        ctxt.error(
            &event.input.generics,
            format_args!(
                "event `{ident}` has type parameters: it has no shape that could be locked\nhelp: write `lock = false` in `#[event(...)]`, or one struct without parameters for each type"
            ),
        );
        return;
    }
    shape_is_said(ctxt, event.input, &event.shape, "event");
    read_back::check(ctxt, event.input);
    let newest = event.newest();
    let names = event.stored_names();
    let versions =
        || names.iter().flat_map(|name| lock.versions_of(name).map(move |it| (name, it.0)));
    let (oldest, latest) = (versions().min_by_key(|it| it.1), versions().max_by_key(|it| it.1));
    if let (Some((name, locked)), Some(given)) = (oldest, event.oldest.value())
        && locked < event.oldest()
    {
        ctxt.error(
            given,
            format_args!(
                "version {locked} of event `{name}` is released, but the oldest that is read here is version {given}: what is stored as version {locked} could not be read\nhelp: write `oldest = {locked}`, and the steps from there"
            ),
        );
        return;
    }
    if let Some((name, locked)) = latest
        && locked > newest
    {
        let tokens = match event.version.value() {
            Some(version) => version.to_token_stream(),
            None => ident.to_token_stream(),
        };
        ctxt.error(
            tokens,
            format_args!(
                "version {locked} of event `{name}` is released, but this is version {newest}: what was stored as version {locked} could not be read\nhelp: write `version = {locked}`, or `lock = false` if this struct is one of old"
            ),
        );
        return;
    }
    for name in &names {
        codec_is_released(ctxt, event, name);
    }
    let now = event.shape.known();
    for expected in event.expected() {
        differs(ctxt, event, &expected, &now);
    }
}

/// The lock to compare `item` with, if there is one. What is wrong with the file is said once.
pub(super) fn lock<'a>(ctxt: &Ctxt, item: &Ident, released: &'a Released) -> Option<&'a Lock> {
    match released {
        Released::Off | Released::Nothing => None,
        Released::Lock { lock, .. } => Some(lock),
        Released::Malformed { file, error, report } => {
            if *report {
                ctxt.error(
                    item,
                    format_args!(
                        "the lock of released events can not be read: {error}\nhelp: bring `{file}` back from version control"
                    ),
                );
            }
            None
        }
        Released::Unreadable { file, problem } => {
            ctxt.error(
                file,
                format_args!(
                    "there is no lock to read: {problem}\nhelp: write the path as it is seen from this source file"
                ),
            );
            None
        }
    }
}

/// The bytes of a version are a part of it.
fn codec_is_released(ctxt: &Ctxt, event: &Event<'_>, name: &str) {
    let Released::Lock { lock, .. } = &event.released else { return };
    let newest = event.newest();
    let Some(entry) = lock.entries.get(&(name.to_owned(), newest)) else { return };
    let now = event.codec_name();
    // What is called `Json` here may be another type than the codec that everybody has. The test knows.
    let by_name = now.is_none() && entry.codec.as_deref() == Some("Json");
    if entry.codec != now && !by_name {
        let codec = |codec: &Option<String>| codec.clone().unwrap_or_else(|| "Json".to_owned());
        let (was, is, next) = (codec(&entry.codec), codec(&now), newest + 1);
        let tokens = match event.codec.value() {
            Some(codec) => codec.to_token_stream(),
            None => event.input.ident.to_token_stream(),
        };
        ctxt.error(
            tokens,
            format_args!(
                "released event `{name}` has changed: version {newest} is written by the codec `{was}`, but here by `{is}`\nhelp: write `version = {next}` and `#[upcast(from = {newest}, via = OldStruct, codec = {was})]`"
            ),
        );
    }
}

fn differs(ctxt: &Ctxt, event: &Event<'_>, expected: &Expected, now: &Shape) {
    let Expected { version, shape, by_steps, .. } = expected;
    // Compatible is what reads by names, which JSON has and not every codec.
    let strict = event.codec_name().is_some();
    let refused = |found: &Difference<'_>| found.is_refused(strict);
    let found: Vec<_> = differences(shape, now).filter(refused).collect();
    if let Some((old, new)) = renamed(&found, shape, now) {
        if is_flattened(shape, old.path()) && is_flattened(now, new.path()) {
            return flattened_under_another_name(ctxt, event, expected, &old, &new);
        }
        let what = format!("field `{}` is called `{}` here", old.path(), new.path());
        let step = format!("rename({:?} => {:?})", old.path(), new.path());
        return report(ctxt, event, expected, &at(event, &new), Report { what, step });
    }
    let locked = match by_steps {
        true => "what the steps make of it".to_owned(),
        false => format!("version {version}"),
    };
    for difference in found {
        let what = difference.describe(Text::new(), &locked).as_str().to_owned();
        let step = difference.step(Text::new()).as_str().to_owned();
        report(ctxt, event, expected, &at(event, &difference), Report { what, step });
    }
}

struct Report {
    what: String,
    step: String,
}

fn report(
    ctxt: &Ctxt,
    event: &Event<'_>,
    expected: &Expected,
    tokens: &TokenStream,
    Report { what, step }: Report,
) {
    let Expected { name, version, .. } = expected;
    let newest = event.newest();
    if expected.by_steps {
        let from = newest - 1;
        ctxt.error(
            tokens,
            format_args!(
                "version {version} of released event `{name}` can not be read: {what}\nhelp: add `{step}` to `#[upcast(from = {from}, ...)]`"
            ),
        );
    } else {
        let next = newest + 1;
        ctxt.error(
            tokens,
            format_args!(
                "released event `{name}` has changed: {what}\nhelp: write `version = {next}` and `#[upcast(from = {newest}, {step})]`"
            ),
        );
    }
}

fn is_flattened(shape: &Shape, field: &str) -> bool {
    let Shape::Struct(fields) = shape else { return false };
    fields.iter().any(|one| one.flatten && one.name.as_str() == field)
}

/// The lock knows a flattened field by its name in the struct, which is not stored: no step renames it.
fn flattened_under_another_name(
    ctxt: &Ctxt,
    event: &Event<'_>,
    expected: &Expected,
    old: &Difference<'_>,
    new: &Difference<'_>,
) {
    let (name, old, is) = (&expected.name, old.path(), new.path());
    ctxt.error(
        at(event, new),
        format_args!(
            "released event `{name}` has changed: the flattened field `{old}` is called `{is}` here\nhelp: write `{old}`: the lock knows the field by that name, and nothing is stored under it"
        ),
    );
}

/// A field less and a field more of the same shape are one that got another name.
fn renamed<'a>(
    found: &[Difference<'a>],
    locked: &'a Shape,
    now: &'a Shape,
) -> Option<(Difference<'a>, Difference<'a>)> {
    let only = |change: Change| {
        let mut all = differences(locked, now).filter(|one| one.change == change);
        all.next().filter(|_| all.next().is_none())
    };
    let (old, new) = (only(Change::FieldRemoved)?, only(Change::FieldAdded)?);
    let nothing_else =
        found.iter().all(|one| matches!(one.change, Change::FieldRemoved | Change::FieldAdded));
    let was_stored = !matches!(old.locked, Shape::Unwritten);
    let same =
        was_stored && differences(old.locked, new.now).all(|difference| difference.is_compatible());
    let top = !old.path().contains('.') && !new.path().contains('.');
    (nothing_else && same && top).then_some((old, new))
}

/// What must change: the name or the type of the field that the path leads through, or the struct.
fn at(event: &Event<'_>, difference: &Difference<'_>) -> TokenStream {
    let path = difference.path();
    for (name, value) in event.shape.values() {
        let Some(field) = value.field else { continue };
        let Some(name) = name else { return field.ty.to_token_stream() };
        let Some(rest) = path.strip_prefix(name) else { continue };
        let of_type = matches!(difference.change, Change::Retyped | Change::NoLongerOptional);
        match (&field.ident, rest) {
            (Some(ident), "") if !of_type => return ident.to_token_stream(),
            (_, "") => return field.ty.to_token_stream(),
            _ if rest.starts_with(['.', '[', '{', ':']) => return field.ty.to_token_stream(),
            _ => {}
        }
    }
    event.input.ident.to_token_stream()
}

impl Event<'_> {
    /// The last word of the codec's path, if it is not that of JSON.
    pub(crate) fn codec_name(&self) -> Option<String> {
        let last = self.codec.value()?.segments.last()?;
        let name = written(last);
        (name != "Json").then_some(name)
    }
}
