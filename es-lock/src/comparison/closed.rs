//! Structs that deny names which they do not know, and where such names stand.

use super::place::Place;
use crate::shape::{Field, Shape, Tagging, Variant, slice};

impl Place<'_> {
    /// Whether serde shows a struct with the fields other names than its own, of those that were
    /// stored here.
    pub(super) const fn holds_other_names(self, fields: &[Field]) -> bool {
        let mut rest = fields;
        let mut any_flattened = false;
        while let [field, behind @ ..] = rest {
            if field.flatten {
                any_flattened = true;
                if leaves_its_names(&field.shape) {
                    return true;
                }
            }
            rest = behind;
        }
        // A flattened struct is asked for its fields by their names, but not every type is.
        self.is_shared() && (any_flattened || self.whole)
    }
}

/// Whether the names of a flattened value stay with the struct around it although they were read.
const fn leaves_its_names(shape: &Shape) -> bool {
    match shape.present().0 {
        Shape::Struct(fields) | Shape::Closed(fields) => {
            let mut fields = slice(fields);
            while let [field, rest @ ..] = fields {
                if field.flatten {
                    return true;
                }
                fields = rest;
            }
            false
        }
        Shape::Enum(Tagging::External, variants) => {
            let mut variants = slice(variants);
            while let [variant, rest @ ..] = variants {
                if Variant::is_untagged(variant) {
                    return true;
                }
                variants = rest;
            }
            false
        }
        Shape::Enum(Tagging::Adjacent(..), _) | Shape::Unit | Shape::Scalar(_) => false,
        _ => true,
    }
}
