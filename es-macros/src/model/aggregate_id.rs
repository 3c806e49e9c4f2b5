//! `#[derive(AggregateId)]`

use syn::{Data, DeriveInput, Fields, Type};

use crate::ctxt::Ctxt;

/// A newtype that identifies an aggregate. The derive has no options.
pub(crate) struct AggregateId<'a> {
    pub(crate) input: &'a DeriveInput,
    /// The type inside, if there is just one.
    pub(crate) inner: Option<&'a Type>,
}

impl<'a> AggregateId<'a> {
    pub(crate) fn read(_: &Ctxt, input: &'a DeriveInput) -> Self {
        let inner = match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first(),
                _ => None,
            },
            _ => None,
        };
        Self { input, inner: inner.map(|field| &field.ty) }
    }
}
