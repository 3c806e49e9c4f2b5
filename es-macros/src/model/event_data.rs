//! `#[derive(EventData)]`

use syn::{Data, DeriveInput, Field};

use super::shape::{self, ItemShape, SaidShape};
use crate::attribute::{AttributeKind, Attributes, Given, Slot, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// A type that stands in events.
pub(crate) struct EventData<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) crate_path: CratePath,
    pub(crate) shape: ItemShape<'a>,
    /// Whether an attribute says the shape, and not the item.
    pub(crate) is_said: bool,
}

impl<'a> EventData<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "event_data",
        noun: "type",
        item_options: &["opaque", "like", "crate"],
        field_options: &["opaque", "like"],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut said, mut crate_path) = (SaidOptions::default(), Slot::default());
        attributes.read_item(|given| match given.name() {
            "crate" => given.fill(&mut crate_path, value::path),
            _ => said.fill(given),
        });
        let said_of_fields: Vec<_> = fields(input)
            .filter_map(|field| {
                let mut said = SaidOptions::default();
                attributes.read_field(field, |given| said.fill(given));
                Some((field, said.shape()?))
            })
            .collect();
        let said_of = |wanted: &Field| said_of_field(&said_of_fields, wanted);
        let said = said.shape();
        Self {
            input,
            crate_path: CratePath::new(ctxt, crate_path.value()),
            shape: shape::read(input, said.as_ref(), &said_of),
            is_said: said.is_some(),
        }
    }
}

/// What was said of a field; a field is known by its place.
pub(super) fn said_of_field(said: &[(&Field, SaidShape)], wanted: &Field) -> Option<SaidShape> {
    let (_, said) = said.iter().find(|(field, _)| std::ptr::eq(*field, wanted))?;
    Some(said.clone())
}

/// All fields of an item, those of variants too.
fn fields(input: &DeriveInput) -> Box<dyn Iterator<Item = &Field> + '_> {
    match &input.data {
        Data::Struct(data) => Box::new(data.fields.iter()),
        Data::Enum(data) => Box::new(data.variants.iter().flat_map(|variant| &variant.fields)),
        Data::Union(_) => Box::new(std::iter::empty()),
    }
}

/// `opaque` and `like` of a field or an item.
#[derive(Default)]
pub(super) struct SaidOptions {
    opaque: Slot<Option<syn::LitStr>>,
    like: Slot<syn::Type>,
}

impl SaidOptions {
    pub(super) fn fill(&mut self, given: Given<'_>) {
        match given.name() {
            "opaque" => given.fill(&mut self.opaque, value::label),
            "like" => given.fill(&mut self.like, value::ty),
            _ => {}
        }
    }

    pub(super) fn shape(self) -> Option<SaidShape> {
        if let Some(ty) = self.like.into_value() {
            return Some(SaidShape::Like(ty));
        }
        self.opaque.into_value().map(SaidShape::Opaque)
    }
}
