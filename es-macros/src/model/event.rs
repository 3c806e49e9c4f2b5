//! `#[derive(Event)]`

use syn::{
    Attribute, Data, DeriveInput, Field, Fields, GenericArgument, LitInt, LitStr, Member, Path,
    PathArguments, Type,
};

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
            "crate",
        ],
        field_options: &["tag"],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut name, mut version) = (Slot::default(), Slot::default());
        let (mut oldest, mut write_version) = (Slot::default(), Slot::default());
        let (mut aliases, mut split_from) = (Vec::new(), Slot::default());
        let (mut codec, mut crate_path) = (Slot::default(), Slot::default());
        attributes.read_item(|given| match given.name() {
            "name" => given.fill(&mut name, value::string),
            "version" => given.fill(&mut version, value::number),
            "oldest" => given.fill(&mut oldest, value::number),
            "write_version" => given.fill(&mut write_version, value::number),
            "alias" => aliases.extend(given.read(value::string)),
            "split_from" => given.fill(&mut split_from, listed_event_types),
            "codec" => given.fill(&mut codec, value::path),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
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
            upcasts: Upcasts::read(ctxt, input),
            tags: read_tags(&attributes, input),
        }
    }
}

impl Event<'_> {
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

fn read_tags<'a>(attributes: &Attributes<'_>, input: &'a DeriveInput) -> Vec<Tag<'a>> {
    let Data::Struct(data) = &input.data else { return Vec::new() };
    let mut tags = Vec::new();
    for (field, member) in data.fields.iter().zip(data.fields.members()) {
        let mut key = Slot::default();
        attributes.read_field(field, |given| given.fill(&mut key, tag_key));
        if let Some(key) = key.into_value() {
            tags.push(Tag { field, member, key });
        }
    }
    tags
}

impl Tag<'_> {
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

/// A type that came through a `macro_rules!` stands in an invisible group.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
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
