//! What stands in one object although it is declared in several types: flattened fields, and the
//! content of variants beside their tag.

use super::members::{Member, Members, has};
use super::place::Place;
use crate::name::{Name, is_same};
use crate::shape::{Field, Shape, Tagging, slice};

/// What else is stored in the object of a flattened field, or of a variant, as it was released.
pub(crate) struct Beside<'p> {
    /// The members of the type around.
    pub(super) members: Members<'p>,
    /// The one of them that it stands beside.
    pub(super) except: usize,
    /// What that type stands beside.
    pub(super) further: Option<&'p Beside<'p>>,
}

impl Place<'_> {
    /// Whether what is stored by the name in the same object is read by something around.
    pub(super) const fn is_read_beside(self, name: &str) -> bool {
        let mut beside = self.beside;
        while let Some(Beside { members, except, further }) = beside {
            if members.read_beside(*except, name) {
                return true;
            }
            beside = *further;
        }
        false
    }

    /// Whether other fields are flattened into the same object.
    pub(super) const fn is_shared(self) -> bool {
        let mut beside = self.beside;
        while let Some(Beside { members, except, further }) = beside {
            if members.any_flattened(*except) {
                return true;
            }
            beside = *further;
        }
        false
    }

    /// Whether a new member reads what was read by one that was there, or by something around.
    pub(super) const fn is_taken(self, there: Members<'_>, new: Member<'_>) -> bool {
        match new {
            Member::Field(Field { flatten: true, shape, .. }) => self.overlaps(there, shape),
            _ => self.is_name_taken(there, new.name().as_str()) || self.is_any_taken(there, new),
        }
    }

    const fn is_any_taken(self, there: Members<'_>, new: Member<'_>) -> bool {
        let mut aliases = new.aliases();
        while let [alias, rest @ ..] = aliases {
            if self.is_name_taken(there, alias.as_str()) {
                return true;
            }
            aliases = rest;
        }
        false
    }

    /// Whether what is stored by the name is read by one of those that were there, or by something
    /// around.
    pub(super) const fn is_name_taken(self, there: Members<'_>, name: &str) -> bool {
        there.read(name) || (there.are_names_in_the_object() && self.is_read_beside(name))
    }

    /// Whether a new flattened value of the shape reads a name that was read by another one.
    const fn overlaps(self, there: Members<'_>, shape: &Shape) -> bool {
        match shape.present().0 {
            Shape::Struct(fields) | Shape::Closed(fields) => {
                let mut fields = slice(fields);
                while let [field, rest @ ..] = fields {
                    if self.is_taken(there, Member::Field(field)) {
                        return true;
                    }
                    fields = rest;
                }
                false
            }
            Shape::Enum(tagging, variants) => {
                let tag_is_taken = match tagging {
                    Tagging::Internal(tag) => self.is_name_taken(there, tag.as_str()),
                    Tagging::Adjacent(tag, content) => {
                        return self.is_name_taken(there, tag.as_str())
                            || self.is_name_taken(there, content.as_str());
                    }
                    Tagging::External | Tagging::Untagged => false,
                };
                if tag_is_taken {
                    return true;
                }
                let mut variants = slice(variants);
                while let [variant, rest @ ..] = variants {
                    let taken = match tagging {
                        Tagging::External if !variant.is_untagged() => {
                            self.is_taken(there, Member::Variant(variant))
                        }
                        _ => self.overlaps(there, &variant.shape),
                    };
                    if taken {
                        return true;
                    }
                    variants = rest;
                }
                false
            }
            Shape::Unit | Shape::Scalar(_) | Shape::Unknown => false,
            // It takes every name that no field has by itself.
            _ => there.any_flattened(usize::MAX) || there.any_tag() || self.is_shared(),
        }
    }
}

impl Members<'_> {
    /// Whether their names are those of what is in the object.
    const fn are_names_in_the_object(self) -> bool {
        matches!(self, Self::Fields(_) | Self::Variants(Tagging::External, _))
    }

    /// Whether what is stored by the name, in the object of the one that is excepted, is read by
    /// another one.
    const fn read_beside(self, except: usize, name: &str) -> bool {
        match self {
            Self::Fields(_) => self.read_except(except, name),
            Self::Variants(Tagging::Internal(tag), _) => is_same(tag.as_str(), name),
            Self::Variants(..) => false,
        }
    }

    /// Whether another field than the one that is excepted is flattened.
    const fn any_flattened(self, except: usize) -> bool {
        let Self::Fields(fields) = self else { return false };
        let mut index = 0;
        while index < fields.len() {
            if index != except && fields[index].flatten {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether a field can be the tag of a struct, which serde gives to what takes every name.
    const fn any_tag(self) -> bool {
        let Self::Fields(fields) = self else { return false };
        let mut fields = fields;
        while let [field, rest @ ..] = fields {
            if let (true, Shape::Enum(Tagging::External, variants)) = (field.default, &field.shape)
                && let [only] = slice(variants)
                && matches!(only.shape, Shape::Unit)
            {
                return true;
            }
            fields = rest;
        }
        false
    }

    /// Whether what is stored by the name is read into one of them.
    pub(super) const fn read(self, name: &str) -> bool {
        self.read_except(usize::MAX, name)
    }

    const fn read_except(self, except: usize, name: &str) -> bool {
        let mut index = 0;
        while index < self.len() {
            let member = self.get(index);
            let read = match member {
                _ if index == except => false,
                Member::Field(field) if field.flatten => takes(&field.shape, name),
                _ => is_same(member.name().as_str(), name) || has(member.aliases(), name),
            };
            if read {
                return true;
            }
            index += 1;
        }
        false
    }
}

/// Whether a flattened value of the shape is read from what stands under the name.
const fn takes(shape: &Shape, name: &str) -> bool {
    match shape.present().0 {
        Shape::Struct(fields) | Shape::Closed(fields) => Members::Fields(slice(fields)).read(name),
        Shape::Enum(tagging, variants) => {
            let variants = slice(variants);
            let (tag, content) = match tagging {
                Tagging::External => return Members::Variants(tagging, variants).read(name),
                Tagging::Internal(tag) => (Some(tag), None),
                Tagging::Adjacent(tag, content) => (Some(tag), Some(content)),
                Tagging::Untagged => (None, None),
            };
            if is_called(tag, name) || is_called(content, name) {
                return true;
            }
            let mut index = 0;
            while content.is_none() && index < variants.len() {
                if takes(&variants[index].shape, name) {
                    return true;
                }
                index += 1;
            }
            false
        }
        Shape::Unit | Shape::Scalar(_) => false,
        _ => true,
    }
}

const fn is_called(named: Option<&Name>, name: &str) -> bool {
    match named {
        Some(named) => is_same(named.as_str(), name),
        None => false,
    }
}
