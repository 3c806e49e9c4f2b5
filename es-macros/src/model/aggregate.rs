//! `#[derive(Aggregate)]`

use proc_macro2::Ident;
use syn::{Attribute, DeriveInput, LitInt, LitStr, Path, Type};

use super::generated_set::{GeneratedSet, SetOptions};
use super::released::Released;
use crate::attribute::{
    AttributeKind, Attributes, EventsOption, Slot, SnapshotOption, events, snapshot, value,
};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;

/// One aggregate.
pub(crate) struct Aggregate<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attribute: Option<&'a Attribute>,
    pub(crate) crate_path: CratePath,
    pub(crate) name: Slot<LitStr>,
    pub(crate) id: Slot<Type>,
    /// The version of the state that is given by hand.
    pub(crate) state_version: Slot<LitInt>,
    /// The key of the `events` option, if it was given.
    pub(crate) events_key: Option<Ident>,
    /// Whether the list of events is there and has nothing in it.
    pub(crate) events_are_empty: bool,
    pub(crate) events: AggregateEvents,
    /// Options about a generated enum beside an enum that is not generated.
    pub(crate) idle_options: Vec<Ident>,
    /// `snapshot(every = 100)`
    pub(crate) snapshot: Slot<SnapshotOption>,
    pub(crate) register: bool,
    /// What its streams may hold.
    pub(crate) released: Released,
}

/// Where the enum of the events comes from.
pub(crate) enum AggregateEvents {
    /// `events(Opened, Paid)`: it is generated.
    Generated(GeneratedSet),
    /// `events = AccountEvent`: the user wrote it.
    Own(Path),
}

impl<'a> Aggregate<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "aggregate",
        noun: "aggregate",
        item_options: &[
            "name",
            "id",
            "events",
            "retired",
            "state_version",
            "snapshot",
            "enum",
            "derive",
            "register",
            "lock",
            "crate",
        ],
        field_options: &[],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut name, mut id, mut listed) = (Slot::default(), Slot::default(), Slot::default());
        let (mut register, mut crate_path) = (Slot::default(), Slot::default());
        let (mut state_version, mut snapshot_option) = (Slot::default(), Slot::default());
        let (mut options, mut lock) = (SetOptions::default(), Slot::default());
        attributes.read_item(|given| match given.name() {
            "name" => given.fill(&mut name, value::string),
            "id" => given.fill(&mut id, value::ty),
            "state_version" => given.fill(&mut state_version, value::number),
            "events" => given.fill(&mut listed, events),
            "enum" | "derive" | "retired" => options.take(given),
            "snapshot" => given.fill(&mut snapshot_option, snapshot),
            "register" => given.fill(&mut register, value::boolean),
            "lock" => given.fill(&mut lock, value::lock),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
        attributes.refuse_inside();
        let crate_path = CratePath::new(ctxt, crate_path.value());
        let events_key = listed.key().cloned();
        let events_are_empty =
            matches!(listed.value(), Some(EventsOption::Listed(events)) if events.is_empty());
        let mut idle_options = Vec::new();
        let events =
            match listed.into_value() {
                Some(EventsOption::Own(path)) => {
                    idle_options.extend(options.name.key().cloned());
                    idle_options.extend(options.derives.key().cloned());
                    idle_options.extend(options.retired.key().cloned());
                    AggregateEvents::Own(path)
                }
                Some(EventsOption::Listed(events)) => AggregateEvents::Generated(
                    GeneratedSet::new(input, crate_path.clone(), Some(events), options),
                ),
                None => AggregateEvents::Generated(GeneratedSet::new(
                    input,
                    crate_path.clone(),
                    None,
                    options,
                )),
            };
        Self {
            input,
            attribute: Self::ATTRIBUTE.first_on(input),
            crate_path,
            name,
            id,
            state_version,
            events_key,
            events_are_empty,
            events,
            idle_options,
            snapshot: snapshot_option,
            register: register.into_value().unwrap_or(true),
            released: Released::read(lock.value(), &input.ident.to_string()),
        }
    }
}
