//! The fields of structs and the variants of enums, as what is compared by name.

use super::place::Place;
use crate::difference::Change;
use crate::difference::Compatibility::{self, Compatible, NeedsVersion};
use crate::name::{Name, is_same};
use crate::shape::{Field, Shape, Tagging, Variant, slice};

/// The fields of a struct, or the variants of an enum.
#[derive(Clone, Copy)]
pub(crate) enum Members<'a> {
    Fields(&'a [Field]),
    Variants(&'a Tagging, &'a [Variant]),
}

/// One of them.
#[derive(Clone, Copy)]
pub(crate) enum Member<'a> {
    Field(&'a Field),
    Variant(&'a Variant),
}

impl<'a> Members<'a> {
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Fields(fields) => fields.len(),
            Self::Variants(_, variants) => variants.len(),
        }
    }

    pub(super) const fn get(self, index: usize) -> Member<'a> {
        match self {
            Self::Fields(fields) => Member::Field(&fields[index]),
            Self::Variants(_, variants) => Member::Variant(&variants[index]),
        }
    }

    pub(super) const fn find(self, wanted: Member<'_>) -> Option<Member<'a>> {
        let mut index = 0;
        while index < self.len() {
            let member = self.get(index);
            if member.is_flattened() == wanted.is_flattened()
                && is_same(member.name().as_str(), wanted.name().as_str())
            {
                return Some(member);
            }
            index += 1;
        }
        None
    }

    /// What it means that there is one more at the place.
    pub(super) const fn with(self, place: Place<'_>, new: Member<'_>) -> (Change, Compatibility) {
        match (self, new) {
            (Self::Fields(_), Member::Field(field)) => {
                if !field.may_be_missing() {
                    (Change::FieldAdded, NeedsVersion)
                } else if place.is_taken(self, new) {
                    (Change::NameTaken, NeedsVersion)
                } else {
                    (Change::FieldAdded, Compatible)
                }
            }
            // What has no name comes last, and is read from what nothing else is read from.
            (Self::Variants(Tagging::Untagged, _), _) => (Change::VariantAdded, Compatible),
            _ if self.any_untagged() => (Change::VariantAdded, NeedsVersion),
            // Because of it serde reads the others out of a buffer.
            (_, Member::Variant(new)) if new.is_untagged() && self.any_holds_long(place) => {
                (Change::VariantAdded, NeedsVersion)
            }
            _ if place.is_taken(self, new) => (Change::VariantTaken, NeedsVersion),
            _ => (Change::VariantAdded, Compatible),
        }
    }

    /// What it means that one that was there is not among these.
    pub(super) const fn without(
        self,
        place: Place<'_>,
        was: Member<'_>,
    ) -> (Change, Compatibility) {
        match was {
            // Nothing of it is stored, as long as nothing else reads what it read.
            Member::Field(field) if field.is_unwritten() && !place.is_taken(self, was) => {
                (Change::FieldRemoved, Compatible)
            }
            Member::Field(_) => (Change::FieldRemoved, NeedsVersion),
            Member::Variant(_) => (Change::VariantRemoved, NeedsVersion),
        }
    }

    const fn any_holds_long(self, place: Place<'_>) -> bool {
        let mut index = 0;
        while index < self.len() {
            if place.holds_long(self.get(index).shape()) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether there is a variant without a name among those that have one.
    pub(super) const fn any_untagged(self) -> bool {
        let Self::Variants(_, variants) = self else { return false };
        let mut index = 0;
        while index < variants.len() {
            if variants[index].is_untagged() {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether what this one is not read from is read into another one.
    pub(super) const fn shares_with_others(self, index: usize) -> bool {
        match self {
            Self::Variants(Tagging::Untagged, variants) => index + 1 < variants.len(),
            Self::Variants(_, variants) => variants[index].is_untagged(),
            Self::Fields(fields) => {
                let mut other = 0;
                while other < fields.len() {
                    if other != index && fields[index].flatten && fields[other].takes_the_rest() {
                        return true;
                    }
                    other += 1;
                }
                false
            }
        }
    }
}

impl<'a> Member<'a> {
    pub(super) const fn name(self) -> &'a Name {
        match self {
            Self::Field(field) => &field.name,
            Self::Variant(variant) => &variant.name,
        }
    }

    pub(super) const fn shape(self) -> &'a Shape {
        match self {
            Self::Field(field) => &field.shape,
            Self::Variant(variant) => &variant.shape,
        }
    }

    pub(super) const fn aliases(self) -> &'a [Name] {
        match self {
            Self::Field(field) => slice(&field.aliases),
            Self::Variant(variant) => slice(&variant.aliases),
        }
    }

    pub(super) const fn is_flattened(self) -> bool {
        matches!(self, Self::Field(Field { flatten: true, .. }))
    }
}

impl Field {
    /// Whether it is flattened and takes every name that no other field has.
    pub const fn takes_the_rest(&self) -> bool {
        self.flatten
            && matches!(self.shape.present().0, Shape::Map(_) | Shape::Json | Shape::Opaque(_))
    }
}

pub(super) const fn has(names: &[Name], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if is_same(names[index].as_str(), name) {
            return true;
        }
        index += 1;
    }
    false
}
