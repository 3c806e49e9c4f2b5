//! `#[derive(Event)]`

use syn::ext::IdentExt;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, GenericArgument, LitInt, LitStr, Member, Path,
    PathArguments, Type,
};

use super::event_data::{SaidOptions, said_of_field};
use super::released::{self, Expected, Released};
use super::shape::{self, ItemShape, SaidShape, ungrouped};
use super::upcast::Upcasts;
use crate::attribute::{AttributeKind, Attributes, Slot, listed_event_types, tag_key, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// One event.
pub(crate) struct Event<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attribute: Option<&'a Attribute>,
    pub(crate) crate_path: CratePath,
    pub(crate) name: Slot<LitStr>,
    pub(crate) version: Slot<LitInt>,
    /// The oldest version that is read.
    pub(crate) oldest: Slot<LitInt>,
    /// The version that is written, if it is not the newest.
    pub(crate) write_version: Slot<LitInt>,
    /// The names under which it was stored before.
    pub(crate) aliases: Vec<LitStr>,
    /// The events of which older versions split into this one.
    pub(crate) split_from: Slot<Vec<Path>>,
    pub(crate) codec: Slot<Path>,
    pub(crate) upcasts: Upcasts<'a>,
    pub(crate) tags: Vec<Tag<'a>>,
    /// Makes a value for the golden payload.
    pub(crate) sample: Slot<Path>,
    pub(crate) shape: ItemShape<'a>,
    pub(crate) released: Released,
}

/// A field that becomes a tag.
pub(crate) struct Tag<'a> {
    pub(crate) field: &'a Field,
    pub(crate) member: Member,
    /// The key, if the attribute names one.
    pub(crate) key: Option<LitStr>,
}

impl<'a> Event<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "event",
        noun: "event",
        item_options: &[
            "name",
            "version",
            "oldest",
            "write_version",
            "alias",
            "split_from",
            "codec",
            "lock",
            "sample",
            "opaque",
            "like",
            "crate",
        ],
        field_options: &["tag", "opaque", "like"],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut name, mut version) = (Slot::default(), Slot::default());
        let (mut oldest, mut write_version) = (Slot::default(), Slot::default());
        let (mut aliases, mut split_from) = (Vec::new(), Slot::default());
        let (mut codec, mut crate_path) = (Slot::default(), Slot::default());
        let (mut lock, mut sample) = (Slot::default(), Slot::default());
        let mut said = SaidOptions::default();
        attributes.read_item(|given| match given.name() {
            "name" => given.fill(&mut name, value::string),
            "version" => given.fill(&mut version, value::number),
            "oldest" => given.fill(&mut oldest, value::number),
            "write_version" => given.fill(&mut write_version, value::number),
            "alias" => aliases.extend(given.read(value::string)),
            "split_from" => given.fill(&mut split_from, listed_event_types),
            "codec" => given.fill(&mut codec, value::path),
            "lock" => given.fill(&mut lock, value::lock),
            "sample" => given.fill(&mut sample, value::path),
            "opaque" | "like" => said.fill(given),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
        let (tags, said_of_fields) = read_fields(&attributes, input);
        let said_of = |wanted: &Field| said_of_field(&said_of_fields, wanted);
        let shape = shape::read(input, said.shape().as_ref(), &said_of);
        Self {
            input,
            attribute: Self::ATTRIBUTE.first_on(input),
            crate_path: CratePath::new(ctxt, crate_path.value()),
            name,
            version,
            oldest,
            write_version,
            aliases,
            split_from,
            codec,
            tags,
            upcasts: Upcasts::read(ctxt, input),
            sample,
            shape,
            released: Released::read(lock.value(), &input.ident.to_string()),
        }
    }

    /// The released versions that the event must be able to read, if there is a lock.
    pub(crate) fn expected(&self) -> Vec<Expected> {
        let Released::Lock { lock, .. } = &self.released else { return Vec::new() };
        released::expected(lock, &self.stored_names(), self.newest(), &self.upcasts)
    }
}

impl Event<'_> {
    /// The names under which events are stored that become this one.
    pub(crate) fn stored_names(&self) -> Vec<String> {
        self.name.value().into_iter().chain(&self.aliases).map(LitStr::value).collect()
    }

    /// The newest version.
    pub(crate) fn newest(&self) -> u32 {
        number(self.version.value()).unwrap_or(1)
    }

    /// The oldest version that is read.
    pub(crate) fn oldest(&self) -> u32 {
        number(self.oldest.value()).unwrap_or(1)
    }

    /// The version that is written.
    pub(crate) fn written_version(&self) -> u32 {
        number(self.write_version.value()).unwrap_or_else(|| self.newest())
    }

    /// How the event is stored, as far as that decides what steps can do.
    pub(crate) fn form(&self) -> EventForm {
        match &self.input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(_) => EventForm::Fields,
                Fields::Unnamed(_) => EventForm::Newtype,
                Fields::Unit => EventForm::Unit,
            },
            _ => EventForm::Fields,
        }
    }
}

/// How an event is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventForm {
    /// As an object.
    Fields,
    /// As its one field.
    Newtype,
    /// As `null`.
    Unit,
}

fn number(literal: Option<&LitInt>) -> Option<u32> {
    literal?.base10_parse().ok()
}

/// What stands on the fields: tags, and what their types do not say of their shape.
fn read_fields<'a>(
    attributes: &Attributes<'_>,
    input: &'a DeriveInput,
) -> (Vec<Tag<'a>>, Vec<(&'a Field, SaidShape)>) {
    let (mut tags, mut shapes) = (Vec::new(), Vec::new());
    let Data::Struct(data) = &input.data else { return (tags, shapes) };
    for (field, member) in data.fields.iter().zip(data.fields.members()) {
        let (mut key, mut said) = (Slot::default(), SaidOptions::default());
        attributes.read_field(field, |given| match given.name() {
            "tag" => given.fill(&mut key, tag_key),
            _ => said.fill(given),
        });
        if let Some(key) = key.into_value() {
            tags.push(Tag { field, member, key });
        }
        shapes.extend(said.shape().map(|shape| (field, shape)));
    }
    (tags, shapes)
}

impl Tag<'_> {
    /// The key: the one that the attribute names, or the name of the field.
    pub(crate) fn key_text(&self) -> String {
        match (&self.key, &self.member) {
            (Some(key), _) => key.value(),
            (None, Member::Named(field)) => field.unraw().to_string(),
            (None, Member::Unnamed(index)) => index.index.to_string(),
        }
    }

    /// The type whose value is the tag, and whether the field may have none.
    ///
    /// A macro sees no types, only their names: what is called `Option` is taken for one.
    pub(crate) fn value_type(&self) -> (&Type, bool) {
        let ty = ungrouped(&self.field.ty);
        match optional(ty) {
            Some(value) => (value, true),
            None => (ty, false),
        }
    }
}

/// The `T` of `Option<T>`.
pub(crate) fn optional(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(value) => Some(value),
        _ => None,
    }
}
