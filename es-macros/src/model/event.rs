//! `#[derive(Event)]`

use syn::{
    Attribute, Data, DeriveInput, Field, GenericArgument, LitInt, LitStr, Member, Path,
    PathArguments, Type,
};

use crate::attribute::{AttributeKind, Attributes, Slot, tag_key, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// One event.
pub(crate) struct Event<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attribute: Option<&'a Attribute>,
    pub(crate) crate_path: CratePath,
    pub(crate) name: Slot<LitStr>,
    pub(crate) version: Slot<LitInt>,
    pub(crate) codec: Slot<Path>,
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
        item_options: &["name", "version", "codec", "crate"],
        field_options: &["tag"],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut name, mut version) = (Slot::default(), Slot::default());
        let (mut codec, mut crate_path) = (Slot::default(), Slot::default());
        attributes.read_item(|given| match given.name() {
            "name" => given.fill(&mut name, value::string),
            "version" => given.fill(&mut version, value::number),
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
            codec,
            tags: read_tags(&attributes, input),
        }
    }
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
fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

/// The `T` of `Option<T>`.
fn optional(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(value) => Some(value),
        _ => None,
    }
}
