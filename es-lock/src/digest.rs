//! Shapes as numbers: another shape is another number.

use crate::name::Name;
use crate::shape::{Field, Shape, Tagging, Variant, slice};

/// A number that is put together of facts, the same one in every build and on every machine (FNV-1a
/// of 64 bits).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(u64);

impl Digest {
    /// Of no fact.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// With one more text. Two texts are not the same as one that is made of both.
    #[must_use]
    pub const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            self = self.byte(bytes[index]);
            index += 1;
        }
        self.number(bytes.len() as u64)
    }

    /// With one more number.
    #[must_use]
    pub const fn number(mut self, number: u64) -> Self {
        let bytes = number.to_le_bytes();
        let mut index = 0;
        while index < bytes.len() {
            self = self.byte(bytes[index]);
            index += 1;
        }
        self
    }

    /// With one more shape.
    #[must_use]
    pub const fn shape(self, shape: &Shape) -> Self {
        match shape {
            Shape::Unknown => self.byte(0),
            Shape::Scalar(scalar) => self.byte(1).text(scalar.name()),
            Shape::Json => self.byte(2),
            Shape::Opaque(label) => self.byte(3).text(label.as_str()),
            Shape::Itself => self.byte(4),
            Shape::Optional(parts) => self.byte(5).shapes(slice(parts)),
            Shape::List(parts) => self.byte(6).shapes(slice(parts)),
            Shape::Set(parts) => self.byte(7).shapes(slice(parts)),
            Shape::Array(length, parts) => self.byte(8).number(*length).shapes(slice(parts)),
            Shape::Map(parts) => self.byte(9).shapes(slice(parts)),
            Shape::Tuple(parts) => self.byte(10).shapes(slice(parts)),
            Shape::Struct(fields) => self.byte(11).fields(slice(fields)),
            Shape::Enum(tagging, variants) => {
                self.byte(12).tagging(tagging).variants(slice(variants))
            }
            Shape::Unit => self.byte(13),
            Shape::Closed(fields) => self.byte(16).fields(slice(fields)),
            Shape::Above(steps) => self.byte(17).number(*steps),
            Shape::Holder(parts) => self.byte(18).shapes(slice(parts)),
            Shape::Unwritten => self.byte(15),
            Shape::Nullable(parts) => self.byte(14).shapes(slice(parts)),
        }
    }

    const fn shapes(mut self, shapes: &[Shape]) -> Self {
        let mut index = 0;
        while index < shapes.len() {
            self = self.shape(&shapes[index]);
            index += 1;
        }
        self.number(shapes.len() as u64)
    }

    const fn fields(mut self, fields: &[Field]) -> Self {
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            self = self.text(field.name.as_str()).shape(&field.shape);
            self = self.byte(field.default as u8).byte(field.omittable as u8);
            self = self.byte(field.flatten as u8).names(slice(&field.aliases));
            index += 1;
        }
        self.number(fields.len() as u64)
    }

    const fn variants(mut self, variants: &[Variant]) -> Self {
        let mut index = 0;
        while index < variants.len() {
            let variant = &variants[index];
            self = self.text(variant.name.as_str()).shape(&variant.shape);
            self = self.byte(variant.other as u8).names(slice(&variant.aliases));
            index += 1;
        }
        self.number(variants.len() as u64)
    }

    const fn names(mut self, names: &[Name]) -> Self {
        let mut index = 0;
        while index < names.len() {
            self = self.text(names[index].as_str());
            index += 1;
        }
        self.number(names.len() as u64)
    }

    const fn tagging(self, tagging: &Tagging) -> Self {
        match tagging {
            Tagging::External => self.byte(0),
            Tagging::Internal(tag) => self.byte(1).text(tag.as_str()),
            Tagging::Adjacent(tag, content) => {
                self.byte(2).text(tag.as_str()).text(content.as_str())
            }
            Tagging::Untagged => self.byte(3),
        }
    }

    const fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}
