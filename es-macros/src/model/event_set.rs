//! `#[derive(EventSet)]`, and the enum that aggregates and projections generate.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, LitStr, Type};

use crate::attribute::{AttributeKind, Attributes, Slot, listed_names, value};
use crate::crate_path::CratePath;
use crate::ctxt::Ctxt;
use crate::written::written;

/// An enum with one variant for each event.
pub(crate) struct EventSet {
    pub(crate) crate_path: CratePath,
    pub(crate) ident: Ident,
    pub(crate) variants: Vec<Variant>,
    /// The stored names of events that are no longer read.
    pub(crate) retired: Vec<LitStr>,
}

impl EventSet {
    /// Every variant with the first one before it that it can not stand beside: it has the same
    /// event or the same name.
    pub(crate) fn repetitions(&self) -> impl Iterator<Item = (&Variant, &Variant)> {
        self.variants.iter().enumerate().filter_map(|(index, second)| {
            let first = self.variants.iter().take(index).find(|first| first.repeats(second))?;
            Some((first, second))
        })
    }

    /// An event that has the name of the enum, which is generated beside it.
    pub(crate) fn namesake(&self) -> Option<&Variant> {
        self.variants.iter().find(|variant| match &variant.event {
            Type::Path(event) => event.path.get_ident().is_some_and(|event| *event == self.ident),
            _ => false,
        })
    }

    /// The set without repetitions.
    pub(crate) fn distinct(&self) -> Self {
        let mut variants: Vec<Variant> = Vec::new();
        for variant in &self.variants {
            if !variants.iter().any(|first| first.repeats(variant)) {
                variants.push(variant.clone());
            }
        }
        Self {
            crate_path: self.crate_path.clone(),
            ident: self.ident.clone(),
            variants,
            retired: self.retired.clone(),
        }
    }
}

/// One event of a set.
#[derive(Clone)]
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) event: Type,
}

impl Variant {
    fn repeats(&self, other: &Self) -> bool {
        self.ident.unraw() == other.ident.unraw() || self.written() == other.written()
    }

    /// The event's type as it is written.
    pub(crate) fn written(&self) -> String {
        written(&self.event)
    }

    /// The token that names the event: where its errors are reported.
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
        item_options: &["retired", "crate"],
        field_options: &[],
    };

    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let (mut retired, mut crate_path) = (Slot::default(), Slot::default());
        attributes.read_item(|given| match given.name() {
            "retired" => given.fill(&mut retired, listed_names),
            "crate" => given.fill(&mut crate_path, value::path),
            _ => {}
        });
        attributes.refuse_inside();
        let set = EventSet {
            crate_path: CratePath::new(ctxt, crate_path.value()),
            ident: input.ident.clone(),
            variants: variants(input),
            retired: retired.into_value().unwrap_or_default(),
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
