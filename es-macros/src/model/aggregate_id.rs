//! `#[derive(AggregateId)]`

use syn::{Data, DeriveInput, Fields, Type};

use super::shape::{self, ItemShape};
use crate::attribute::{AttributeKind, Attributes, Slot, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// A newtype that identifies an aggregate.
pub(crate) struct AggregateId<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) crate_path: CratePath,
    /// The type inside, if there is just one.
    pub(crate) inner: Option<&'a Type>,
    pub(crate) shape: ItemShape<'a>,
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
        attributes.read_item(|given| given.fill(&mut crate_path, value::path));
        attributes.refuse_inside();
        let inner = match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first(),
                _ => None,
            },
            _ => None,
        };
        Self {
            input,
            crate_path: CratePath::new(ctxt, crate_path.value()),
            inner: inner.map(|field| &field.ty),
            shape: shape::read(input, None, &|_| None),
        }
    }
}
