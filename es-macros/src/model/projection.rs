//! `#[derive(Projection)]`

use proc_macro2::Ident;
use syn::{Attribute, DeriveInput, LitInt, LitStr, Path, Type};

use super::generated_set::{GeneratedSet, SetOptions};
use crate::attribute::{
    AttributeKind, Attributes, DocumentsOption, ListedEvents, Slot, documents, listed_events, value,
};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// One projection.
pub(crate) struct Projection<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attribute: Option<&'a Attribute>,
    pub(crate) crate_path: CratePath,
    pub(crate) name: Slot<LitStr>,
    pub(crate) version: Slot<LitInt>,
    /// The key of the `events` option, if it was given.
    pub(crate) events_key: Option<Ident>,
    /// Whether the list of events is there and has nothing in it.
    pub(crate) events_are_empty: bool,
    pub(crate) events: GeneratedSet,
    /// `documents`, if it is kept in documents.
    pub(crate) documents: Slot<DocumentsOption>,
    /// The family of the rows that it is kept in.
    pub(crate) rows: Slot<Type>,
    /// How many partitions it has.
    pub(crate) partitions: Slot<LitInt>,
    /// The function that gives the key that decides the partition of an event.
    pub(crate) partition: Slot<Path>,
    /// The key of `inline`, if it is changed in the step that appends its events.
    pub(crate) inline_key: Option<Ident>,
    pub(crate) inline: bool,
    /// The key of `effects`, if it is what the program does outside.
    pub(crate) effects_key: Option<Ident>,
    pub(crate) effects: bool,
    pub(crate) register: bool,
}

impl<'a> Projection<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "projection",
        noun: "projection",
        item_options: &[
            "name",
            "version",
            "events",
            "retired",
            "documents",
            "rows",
            "partitions",
            "partition",
            "inline",
            "effects",
            "enum",
            "derive",
            "register",
            "crate",
        ],
        field_options: &[],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut name, mut version) = (Slot::default(), Slot::default());
        let (mut events, mut register) = (Slot::default(), Slot::default());
        let (mut kept_in_documents, mut rows) = (Slot::default(), Slot::default());
        let (mut partitions, mut partition) = (Slot::default(), Slot::default());
        let (mut crate_path, mut inline) = (Slot::default(), Slot::default());
        let mut effects = Slot::default();
        let mut options = SetOptions::default();
        attributes.read_item(|given| match given.name() {
            "name" => given.fill(&mut name, value::string),
            "version" => given.fill(&mut version, value::number),
            "events" => given.fill(&mut events, listed_events),
            "documents" => given.fill(&mut kept_in_documents, documents),
            "rows" => given.fill(&mut rows, value::ty),
            "partitions" => given.fill(&mut partitions, value::partitions),
            "partition" => given.fill(&mut partition, value::path),
            "inline" => given.fill(&mut inline, value::flag),
            "effects" => given.fill(&mut effects, value::flag),
            "enum" | "derive" | "retired" => options.take(given),
            "register" => given.fill(&mut register, value::boolean),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
        attributes.refuse_inside();
        let crate_path = CratePath::new(ctxt, crate_path.value());
        let events_key = events.key().cloned();
        let events_are_empty = events.value().is_some_and(ListedEvents::is_empty);
        Self {
            input,
            attribute: Self::ATTRIBUTE.first_on(input),
            events: GeneratedSet::new(input, crate_path.clone(), events.into_value(), options),
            crate_path,
            name,
            version,
            events_key,
            events_are_empty,
            documents: kept_in_documents,
            inline_key: inline.key().cloned(),
            inline: inline.value().is_some(),
            effects_key: effects.key().cloned(),
            effects: effects.value().is_some(),
            rows,
            partitions,
            partition,
            register: register.into_value().unwrap_or(true),
        }
    }

    /// The family of the rows that it is kept in. One that is kept in documents too is refused, and
    /// taken for one in documents.
    pub(crate) fn rows(&self) -> Option<&Type> {
        self.rows.value().filter(|_| self.documents.is_missing())
    }
}
