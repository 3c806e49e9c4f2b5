//! `#[derive(EventSet)]`, and the enum that aggregates and projections generate.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Type};

use crate::attribute::{AttributeKind, Attributes, Slot, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;
use crate::written::written;

/// An enum with one variant for each event.
pub(crate) struct EventSet {
    pub(crate) crate_path: CratePath,
    pub(crate) ident: Ident,
    pub(crate) variants: Vec<Variant>,
}

/// One event of a set.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) event: Type,
}

impl Variant {
    /// The event's type as it is written.
    pub(crate) fn written(&self) -> String {
        written(&self.event)
    }

    /// The smallest token that names the event: where its errors are reported.
    pub(crate) fn span(&self) -> Span {
        match &self.event {
            Type::Path(path) => match path.path.segments.last() {
                Some(last) => last.ident.span(),
                None => path.span(),
            },
            other => other.span(),
        }
    }
}

/// An enum that the user wrote.
pub(crate) struct OwnEventSet<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) set: EventSet,
}

impl<'a> OwnEventSet<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "event_set",
        noun: "set of events",
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
        let set = EventSet {
            crate_path: CratePath::new(ctxt, crate_path.value()),
            ident: input.ident.clone(),
            variants: variants(input),
        };
        Self { input, set }
    }
}

/// The variants that hold one event; others are refused by the rules.
fn variants(input: &DeriveInput) -> Vec<Variant> {
    let Data::Enum(data) = &input.data else { return Vec::new() };
    let mut variants = Vec::new();
    for variant in &data.variants {
        if let Fields::Unnamed(fields) = &variant.fields
            && let (Some(field), 1) = (fields.unnamed.first(), fields.unnamed.len())
        {
            variants.push(Variant { ident: variant.ident.clone(), event: field.ty.clone() });
        }
    }
    variants
}
