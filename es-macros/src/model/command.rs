//! `#[derive(Command)]`

use quote::ToTokens;
use syn::{Attribute, Data, DeriveInput, Field, LitStr, Member, Path};

use crate::attribute::{AttributeKind, Attributes, Slot, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// One command.
pub(crate) struct Command<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attribute: Option<&'a Attribute>,
    pub(crate) crate_path: CratePath,
    pub(crate) aggregate: Slot<Path>,
    pub(crate) name: Slot<LitStr>,
    pub(crate) creates: bool,
    /// The fields that are marked as the id; the rules want one.
    pub(crate) ids: Vec<IdField<'a>>,
    /// The fields that tell the command from another one under its id.
    pub(crate) telling: Vec<Member>,
}

/// A field that is marked as the id of the aggregate.
pub(crate) struct IdField<'a> {
    pub(crate) field: &'a Field,
    pub(crate) member: Member,
}

impl IdField<'_> {
    /// The token that names the field.
    pub(crate) fn name(&self) -> &dyn ToTokens {
        match &self.field.ident {
            Some(ident) => ident,
            None => &self.field.ty,
        }
    }
}

impl<'a> Command<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "command",
        noun: "command",
        item_options: &["aggregate", "creates", "name", "crate"],
        field_options: &["id", "varies"],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut aggregate, mut name) = (Slot::default(), Slot::default());
        let (mut creates, mut crate_path) = (Slot::default(), Slot::default());
        attributes.read_item(|given| match given.name() {
            "aggregate" => given.fill(&mut aggregate, value::path),
            "creates" => given.fill(&mut creates, value::flag),
            "name" => given.fill(&mut name, value::string),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
        let (ids, telling) = read_fields(&attributes, input);
        Self {
            input,
            attribute: Self::ATTRIBUTE.first_on(input),
            crate_path: CratePath::new(ctxt, crate_path.value()),
            aggregate,
            name,
            creates: creates.value().is_some(),
            ids,
            telling,
        }
    }
}

fn read_fields<'a>(
    attributes: &Attributes<'_>,
    input: &'a DeriveInput,
) -> (Vec<IdField<'a>>, Vec<Member>) {
    let (mut ids, mut telling) = (Vec::new(), Vec::new());
    let Data::Struct(data) = &input.data else { return (ids, telling) };
    for (field, member) in data.fields.iter().zip(data.fields.members()) {
        let (mut id, mut varies) = (Slot::default(), Slot::default());
        attributes.read_field(field, |given| match given.name() {
            "varies" => given.fill(&mut varies, value::flag),
            "id" => given.fill(&mut id, value::flag),
            _ => {}
        });
        // With a value it does not take, it still says which field is the id.
        if id.key().is_some() {
            ids.push(IdField { field, member });
        } else if varies.key().is_none() {
            telling.push(member);
        }
    }
    (ids, telling)
}
