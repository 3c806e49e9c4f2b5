//! `#[derive(AggregateId)]`

use syn::{Data, DeriveInput, Fields, Type};

use crate::attribute::{AttributeKind, Attributes, Slot, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// A newtype that identifies an aggregate.
pub(crate) struct AggregateId<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) crate_path: CratePath,
    /// The type inside, if there is just one.
    pub(crate) inner: Option<&'a Type>,
}

impl<'a> AggregateId<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "aggregate_id",
        noun: "id",
        item_options: &["crate"],
        field_options: &[],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let mut crate_path = Slot::default();
        attributes.read_item(|given| match given.name().as_str() {
            "crate" => given.fill(&mut crate_path, value::path),
            _ => given.refuse(),
        });
        attributes.refuse_inside();
        Self { input, crate_path: CratePath::new(ctxt, crate_path.value()), inner: inner(input) }
    }
}

fn inner(input: &DeriveInput) -> Option<&Type> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                fields.unnamed.first().map(|field| &field.ty)
            }
            _ => None,
        },
        _ => None,
    }
}
