//! Where in an event a comparison is.

use super::beside::Beside;
use super::members::{Member, Members};
use super::order::is_before;
use crate::owners::Owners;
use crate::shape::{Shape, Tagging};

/// What is true of a place because of what stands around it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    /// Whether what is read in more ways here is read in fewer ways elsewhere: one variant of an
    /// untagged enum takes what the next one was read from.
    pub(crate) narrow: bool,
    /// Whether the place is stored in another object than the path says.
    pub(crate) flattened: bool,
    /// Whether serde reads it out of a buffer, where there are no integers of more than 64 bits.
    pub(crate) buffered: bool,
    /// Whether serde shows the type that stands here all of its object, and not only what it asks for.
    pub(crate) whole: bool,
    /// The structs and enums around it, as they were released.
    pub(crate) around: Option<&'p Around<'p>>,
    /// Whom the released shape means where it says that it is the type itself.
    pub(crate) was_owners: Owners,
    /// Whom today's means.
    pub(crate) is_owners: Owners,
    /// What else is stored in the same object.
    pub(crate) beside: Option<&'p Beside<'p>>,
}

/// A struct or an enum, and what stands around that.
pub(crate) struct Around<'p> {
    pub(crate) shape: &'p Shape,
    pub(crate) further: Option<&'p Around<'p>>,
}

impl<'p> Place<'p> {
    /// The payload, or a field of it.
    pub(crate) const fn new(flattened: bool) -> Self {
        Self {
            narrow: false,
            flattened,
            buffered: flattened,
            whole: false,
            around: None,
            was_owners: Owners::NONE,
            is_owners: Owners::NONE,
            beside: None,
        }
    }

    /// The place of a field or a variant, if that is stored beside what is said.
    pub(crate) const fn of_member(self, beside: &'p Beside<'p>, now: Option<Member<'_>>) -> Self {
        let (all, index) = (beside.members, beside.except);
        let member = all.get(index);
        let flattened = member.is_flattened();
        Self {
            narrow: self.narrow || all.shares_with_others(index),
            flattened: self.flattened || flattened,
            buffered: self.buffered || flattened || is_read_late(all, member),
            was_owners: owners_of(self.was_owners, member),
            is_owners: match now {
                Some(now) => owners_of(self.is_owners, now),
                None => self.is_owners.below(),
            },
            whole: !matches!(member, Member::Field(_)),
            beside: if is_in_the_same_object(member, all) { Some(beside) } else { None },
            ..self
        }
    }

    /// With the shapes that stand here.
    pub(crate) const fn at(self, locked: &Shape, now: &Shape) -> Self {
        Self { was_owners: self.was_owners.at(locked), is_owners: self.is_owners.at(now), ..self }
    }

    /// The place of what has an object for itself, if it is one.
    pub(crate) const fn of_part(self) -> Self {
        Self {
            whole: false,
            beside: None,
            was_owners: self.was_owners.below(),
            is_owners: self.is_owners.below(),
            ..self
        }
    }

    /// The place of what stands in the struct or enum.
    pub(crate) const fn within(self, around: &'p Around<'p>) -> Self {
        Self { around: Some(around), ..self }
    }
}

/// Whether serde must look at something else before it knows what to read the variant as.
const fn is_read_late(all: Members<'_>, member: Member<'_>) -> bool {
    match all {
        Members::Fields(_) => false,
        Members::Variants(Tagging::Internal(_) | Tagging::Untagged, _) => true,
        Members::Variants(Tagging::External, _) => {
            all.any_untagged() && !matches!(member.shape(), Shape::Unit)
        }
        // Serde writes the tag first, but a step writes the names in their order.
        Members::Variants(Tagging::Adjacent(tag, content), _) => {
            all.any_untagged() || is_before(content.as_str(), tag.as_str())
        }
    }
}

/// Whether what is in the member stands in the object that the type around stands in.
const fn is_in_the_same_object(member: Member<'_>, all: Members<'_>) -> bool {
    match (member, all) {
        (Member::Field(field), _) => field.flatten,
        (Member::Variant(_), Members::Variants(Tagging::Internal(_) | Tagging::Untagged, _)) => {
            true
        }
        (Member::Variant(variant), _) => variant.is_untagged(),
    }
}

const fn owners_of(owners: Owners, member: Member<'_>) -> Owners {
    match member {
        Member::Field(_) => owners.below(),
        Member::Variant(variant) => owners.of_variant(&variant.shape),
    }
}
