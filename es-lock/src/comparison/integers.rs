//! Integers of more than 64 bits, which not everything reads that reads the others.

use super::place::{Around, Place};
use crate::scalar::Scalar;
use crate::shape::{Shape, slice};

impl Scalar {
    /// Whether it is an integer of more than 64 bits.
    pub(super) const fn is_long(self) -> bool {
        matches!(self, Self::Integer { bits, .. } if bits > 64)
    }
}

impl Place<'_> {
    /// Whether serde reads what stands here out of a buffer, here or where the type holds itself.
    pub(super) const fn is_ever_buffered(self) -> bool {
        let mut around = self.around;
        while let Some(Around { shape, further }) = around {
            if buffers_itself(shape) {
                return true;
            }
            around = *further;
        }
        self.buffered
    }

    /// Whether a value of the shape, which stands here, can hold an integer of more than 64 bits.
    pub(super) const fn holds_long(self, shape: &Shape) -> bool {
        match (shape, self.around) {
            (Shape::Scalar(scalar), _) => scalar.is_long(),
            // It is not asked again what the type itself is inside of itself.
            (Shape::Itself | Shape::Above(_), Some(Around { shape, .. })) => {
                Self { around: None, ..self }.holds_long(shape)
            }
            _ => {
                let mut index = 0;
                while let Some(child) = shape.child(index) {
                    if self.holds_long(child) {
                        return true;
                    }
                    index += 1;
                }
                false
            }
        }
    }
}

/// Whether a struct, or a variant of an enum, holds itself in a flattened field.
const fn buffers_itself(shape: &Shape) -> bool {
    match shape {
        Shape::Struct(fields) | Shape::Closed(fields) => {
            let mut fields = slice(fields);
            while let [field, rest @ ..] = fields {
                if field.flatten && holds_itself(&field.shape) {
                    return true;
                }
                fields = rest;
            }
            false
        }
        Shape::Enum(_, variants) => {
            let mut variants = slice(variants);
            while let [variant, rest @ ..] = variants {
                if !matches!(variant.shape, Shape::Enum(..)) && buffers_itself(&variant.shape) {
                    return true;
                }
                variants = rest;
            }
            false
        }
        _ => false,
    }
}

/// Whether it says somewhere that it is the type around, and means the one around this.
const fn holds_itself(shape: &Shape) -> bool {
    match shape {
        Shape::Itself | Shape::Above(_) => true,
        Shape::Struct(_) | Shape::Closed(_) | Shape::Enum(..) => false,
        _ => {
            let mut index = 0;
            while let Some(child) = shape.child(index) {
                if holds_itself(child) {
                    return true;
                }
                index += 1;
            }
            false
        }
    }
}
