//! `#[derive(Projection)]`

use proc_macro2::Ident;
use syn::{Attribute, DeriveInput, LitInt, LitStr};

use super::generated_set::{GeneratedSet, SetOptions};
use crate::attribute::{AttributeKind, Attributes, Slot, listed_events, value};
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
    pub(crate) register: bool,
}

impl<'a> Projection<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "projection",
        noun: "projection",
        item_options: &[
            "name", "version", "events", "retired", "enum", "derive", "register", "crate",
        ],
        field_options: &[],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut name, mut version) = (Slot::default(), Slot::default());
        let (mut events, mut register) = (Slot::default(), Slot::default());
        let mut crate_path = Slot::default();
        let mut options = SetOptions::default();
        attributes.read_item(|given| match given.name() {
            "name" => given.fill(&mut name, value::string),
            "version" => given.fill(&mut version, value::number),
            "events" => given.fill(&mut events, listed_events),
            "enum" | "derive" | "retired" => options.take(given),
            "register" => given.fill(&mut register, value::boolean),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
        attributes.refuse_inside();
        let crate_path = CratePath::new(ctxt, crate_path.value());
        let events_key = events.key().cloned();
        let events_are_empty = events.value().is_some_and(Vec::is_empty);
        let events = events.into_value().unwrap_or_default();
        Self {
            input,
            attribute: Self::ATTRIBUTE.first_on(input),
            events: GeneratedSet::new(input, crate_path.clone(), events, options),
            crate_path,
            name,
            version,
            events_key,
            events_are_empty,
            register: register.into_value().unwrap_or(true),
        }
    }
}
