//! The enum that `events(..)` of an aggregate or a projection becomes.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{DeriveInput, LitStr, Path, Type, TypePath};

use super::event_set::{EventSet, Variant};
use crate::attribute::{Given, ListedEvents, Slot, listed_names, listed_paths, value};
use crate::crate_path::CratePath;

/// The options about the enum, which aggregates and projections share.
#[derive(Default)]
pub(crate) struct SetOptions {
    pub(crate) name: Slot<Ident>,
    pub(crate) derives: Slot<Vec<Path>>,
    pub(crate) retired: Slot<Vec<LitStr>>,
}

impl SetOptions {
    /// Reads `enum`, `derive` or `retired`.
    pub(crate) fn take(&mut self, given: Given<'_>) {
        match given.name() {
            "enum" => given.fill(&mut self.name, value::ident),
            "derive" => given.fill(&mut self.derives, listed_paths),
            "retired" => given.fill(&mut self.retired, listed_names),
            _ => {}
        }
    }
}

/// An enum that a derive generates.
pub(crate) struct GeneratedSet {
    pub(crate) set: EventSet,
    pub(crate) derives: Vec<Path>,
    /// Whether there are events, and every entry of the list could be read.
    pub(crate) is_whole: bool,
}

impl GeneratedSet {
    /// The enum of the events that `input` lists.
    pub(crate) fn new(
        input: &DeriveInput,
        crate_path: CratePath,
        events: Option<ListedEvents>,
        options: SetOptions,
    ) -> Self {
        let ident = options.name.into_value().unwrap_or_else(|| {
            format_ident!("{}Event", input.ident.unraw(), span = input.ident.span())
        });
        let is_whole =
            events.as_ref().is_some_and(|listed| !listed.mistaken && !listed.events.is_empty());
        let events = events.map(|listed| listed.events).unwrap_or_default();
        let variants = events.into_iter().filter_map(variant).collect();
        let retired = options.retired.into_value().unwrap_or_default();
        Self {
            set: EventSet { crate_path, ident, variants, retired },
            derives: options.derives.into_value().unwrap_or_default(),
            is_whole,
        }
    }
}

/// A variant has the name of its event unless the list gives another.
fn variant((path, alias): (Path, Option<Ident>)) -> Option<Variant> {
    let named = alias.as_ref().or_else(|| path.segments.last().map(|last| &last.ident))?;
    let mut ident = named.clone();
    // An editor goes from the variant to the entry in the list; lints see the macro.
    ident.set_span(named.span().resolved_at(Span::call_site()));
    let event = Type::Path(TypePath { attrs: Vec::new(), qself: None, path });
    Some(Variant { ident, event })
}
