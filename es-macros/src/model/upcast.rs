//! `#[upcast(from = n, ..)]`: the steps from one version of an event to the next.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, DeriveInput, LitInt, Path, Type};

use crate::attribute::operation::{self, Assigned, NewValue, Removed, Renamed, SplitInto};
use crate::attribute::{AttributeKind, Attributes, Slot, value};
use crate::ctxt::Ctxt;
use crate::written::written;

/// The steps of one event, sorted by the version that they begin with. Whatever the order of the
/// attributes: the steps are the same.
pub(crate) struct Upcasts<'a> {
    pub(crate) steps: Vec<Step<'a>>,
    /// Whether all that was written could be read.
    pub(crate) complete: bool,
}

/// One step: what makes version `from + 1` of version `from`.
pub(crate) struct Step<'a> {
    pub(crate) attribute: &'a Attribute,
    /// `from`: at least 1 where the rules are kept.
    pub(crate) from: u32,
    /// The token that says `from`.
    pub(crate) from_token: LitInt,
    /// In the order in which they are written, which is the order in which they work.
    pub(crate) operations: Vec<Operation>,
    /// How the payload of the old struct was written, if not like today.
    pub(crate) codec: Slot<Path>,
    /// How the step is undone, where that can not be derived.
    pub(crate) inverse: Slot<Path>,
}

/// One thing that a step does.
#[derive(Clone)]
pub(crate) enum Operation {
    Rename(Renamed),
    Add(Assigned),
    Remove(Removed),
    /// A function over the stored object.
    With(Path),
    /// Version `from` is read as this struct, which then becomes the next one.
    Via(Type),
    /// One stored event becomes several.
    Split(SplitInto),
}

impl<'a> Upcasts<'a> {
    pub(crate) const ATTRIBUTE: AttributeKind = AttributeKind {
        name: "upcast",
        noun: "event",
        item_options: &[
            "from", "rename", "add", "remove", "with", "via", "split", "codec", "inverse",
        ],
        field_options: &[],
    };

    /// Reads the steps above an item. One without a version is reported and left out.
    pub(crate) fn read(ctxt: &Ctxt, input: &'a DeriveInput) -> Self {
        let attributes = Attributes::new(ctxt, &Self::ATTRIBUTE, input);
        let steps = attributes.read_each(|step: &mut Unfinished, given| {
            let operation = match given.name() {
                "from" => return given.fill(&mut step.from, value::number),
                "codec" => return given.fill(&mut step.codec, value::path),
                "inverse" => return given.fill(&mut step.inverse, value::path),
                "rename" => given.read(operation::renamed).map(each(Operation::Rename)),
                "add" => given.read(operation::added).map(each(Operation::Add)),
                "remove" => given.read(operation::removed).map(each(Operation::Remove)),
                "with" => given.read(value::path).map(|path| vec![Operation::With(path)]),
                "via" => given.read(operation::old_struct).map(|ty| vec![Operation::Via(ty)]),
                "split" => given.read(operation::split_into).map(|it| vec![Operation::Split(it)]),
                _ => return,
            };
            step.mistaken |= operation.is_none();
            step.operations.extend(operation.into_iter().flatten());
        });
        attributes.refuse_inside();
        let written = steps.len();
        let mut steps: Vec<Step<'a>> = Self::ATTRIBUTE
            .all_on(input)
            .zip(steps)
            .filter_map(|(attribute, step)| step.finish(ctxt, attribute))
            .collect();
        steps.sort_by_key(|step| step.from);
        let complete = steps.len() == written;
        Self { steps, complete }
    }

    /// The step that begins with a version.
    pub(crate) fn from(&self, version: u32) -> Option<&Step<'a>> {
        self.steps.iter().find(|step| step.from == version)
    }
}

fn each<T>(make: fn(T) -> Operation) -> impl Fn(Vec<T>) -> Vec<Operation> {
    move |entries| entries.into_iter().map(make).collect()
}

/// A step whose options are still read.
#[derive(Default)]
struct Unfinished {
    from: Slot<LitInt>,
    operations: Vec<Operation>,
    codec: Slot<Path>,
    inverse: Slot<Path>,
    /// Whether an operation was given that could not be read, which is reported.
    mistaken: bool,
}

impl Unfinished {
    fn finish<'a>(self, ctxt: &Ctxt, attribute: &'a Attribute) -> Option<Step<'a>> {
        let Self { from, operations, codec, inverse, mistaken } = self;
        if from.is_missing() {
            ctxt.error(
                attribute.path(),
                "the step does not say which version it begins with\nhelp: write `#[upcast(from = 1, ...)]`: it makes version 2 of version 1",
            );
        } else if operations.is_empty() && !mistaken && from.value().is_some() {
            let from = from.value().map_or("1", LitInt::base10_digits);
            ctxt.error(
                attribute.path(),
                format_args!(
                    "the step does nothing\nhelp: write what changed, such as `#[upcast(from = {from}, rename(\"old\" => \"new\"))]`, or `add(field = value)`, `remove(field)`, `with = path::to::function`, `via = OldStruct`"
                ),
            );
        }
        let from_token = from.into_value()?;
        let from = from_token.base10_parse().ok()?;
        Some(Step { attribute, from, from_token, operations, codec, inverse })
    }
}

impl Step<'_> {
    /// The attribute as it is written, for messages.
    pub(crate) fn text(&self) -> String {
        written(self.attribute)
    }

    /// The old struct of a typed step.
    pub(crate) fn via(&self) -> Option<&Type> {
        self.operations.iter().find_map(|operation| match operation {
            Operation::Via(ty) => Some(ty),
            _ => None,
        })
    }

    /// What a step that splits makes.
    pub(crate) fn split(&self) -> Option<&SplitInto> {
        self.operations.iter().find_map(|operation| match operation {
            Operation::Split(split) => Some(split),
            _ => None,
        })
    }
}

impl ToTokens for Operation {
    /// The tokens under which a mistake in the operation is reported.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Rename(Renamed { new, .. }) => new.to_tokens(tokens),
            Self::Add(Assigned { field, .. }) | Self::Remove(Removed { field, .. }) => {
                field.to_tokens(tokens);
            }
            Self::With(function) => function.to_tokens(tokens),
            Self::Via(ty) => ty.to_tokens(tokens),
            Self::Split(SplitInto { function, .. }) => function.to_tokens(tokens),
        }
    }
}

impl Operation {
    /// Why the operation can not be undone by itself, if it can not.
    pub(crate) fn is_derivable(&self) -> bool {
        match self {
            Self::Rename(_) | Self::Add(_) => true,
            Self::Remove(removed) => removed.undone.is_some(),
            Self::With(_) | Self::Via(_) | Self::Split(_) => false,
        }
    }
}

impl NewValue {
    /// The literal, if it is one.
    pub(crate) fn literal(&self) -> Option<&operation::JsonLiteral> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Function(_) => None,
        }
    }
}
