//! The shape of a value as it is written: names, types, and what may be missing.

use std::borrow::Cow;

use crate::name::Name;
use crate::scalar::Scalar;
use crate::text::Text;

/// The shape of a value as serde writes it.
///
/// Fields and variants are sorted by name, so that their order in the source does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Not known here: a derive sees the types of its own item by name only. It differs from nothing.
    Unknown,
    /// A value without parts.
    Scalar(Scalar),
    /// Anything that JSON can hold.
    Json,
    /// A type that keeps its shape to itself, known by a label.
    Opaque(Name),
    /// The type around this place that is said to hold itself; if none is, the struct or enum.
    Itself,
    /// What stands so many steps above this place.
    Above(u64),
    /// A type that holds itself: one part, in which it is meant by `Itself`.
    Holder(Parts),
    /// A value or none, which is null or left out.
    Optional(Parts),
    /// A value or null, which is never left out.
    Nullable(Parts),
    /// Any number of values in an order.
    List(Parts),
    /// Any number of different values.
    Set(Parts),
    /// So many values.
    Array(u64, Parts),
    /// Keys with values: the two parts.
    Map(Parts),
    /// Values at fixed places.
    Tuple(Parts),
    /// Values with names.
    Struct(Cow<'static, [Field]>),
    /// Values with names, where no other name may stand.
    Closed(Cow<'static, [Field]>),
    /// One of several.
    Enum(Tagging, Cow<'static, [Variant]>),
    /// The content of a variant that has none.
    Unit,
    /// What is in a field that is read and not written: nothing that is stored.
    Unwritten,
}

/// The shapes that a shape is made of.
type Parts = Cow<'static, [Shape]>;

/// A field of a struct.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// The name that is written; that of the Rust field if it is flattened.
    pub name: Name,
    /// What it holds.
    pub shape: Shape,
    /// Whether a missing one is read as a default.
    pub default: bool,
    /// Whether it may be left out when it is written.
    pub omittable: bool,
    /// Whether its own fields are written in its place.
    pub flatten: bool,
    /// The other names that it is read by.
    pub aliases: Cow<'static, [Name]>,
}

/// A variant of an enum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variant {
    /// The name that is written. One without a name is known by its place: `0`, `1`.
    pub name: Name,
    /// What it holds.
    pub shape: Shape,
    /// Whether unknown names are read as this one.
    pub other: bool,
    /// The other names that it is read by.
    pub aliases: Cow<'static, [Name]>,
}

/// How the name of a variant is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tagging {
    /// `{"name": content}`, or `"name"` if there is none.
    External,
    /// As one more field of the content.
    Internal(Name),
    /// In one field, and the content in another.
    Adjacent(Name, Name),
    /// Not at all.
    Untagged,
}

impl Shape {
    /// Text.
    pub const TEXT: Self = Self::Scalar(Scalar::Text);
    /// Nothing.
    pub const NULL: Self = Self::Scalar(Scalar::Null);

    /// A type that keeps its shape to itself.
    pub const fn opaque(label: &'static str) -> Self {
        Self::Opaque(Name::new(label))
    }

    /// A value or none: one part.
    pub const fn optional(parts: &'static [Self]) -> Self {
        Self::Optional(Cow::Borrowed(parts))
    }

    /// A value or null: one part.
    pub const fn nullable(parts: &'static [Self]) -> Self {
        Self::Nullable(Cow::Borrowed(parts))
    }

    /// The shape where serde does not take what is missing for none: behind a newtype, and behind a
    /// function that reads.
    #[must_use]
    pub const fn never_missing(self) -> Self {
        match &self {
            Self::Optional(Cow::Borrowed(parts)) => {
                let parts = *parts;
                std::mem::forget(self);
                Self::nullable(parts)
            }
            _ => self,
        }
    }

    /// A type that holds itself: one part.
    pub const fn holder(parts: &'static [Self]) -> Self {
        Self::Holder(Cow::Borrowed(parts))
    }

    /// Any number of values in an order: one part.
    pub const fn list(parts: &'static [Self]) -> Self {
        Self::List(Cow::Borrowed(parts))
    }

    /// Any number of different values: one part.
    pub const fn set(parts: &'static [Self]) -> Self {
        Self::Set(Cow::Borrowed(parts))
    }

    /// So many values: one part.
    pub const fn array(length: u64, parts: &'static [Self]) -> Self {
        Self::Array(length, Cow::Borrowed(parts))
    }

    /// Keys with values: two parts.
    pub const fn map(parts: &'static [Self]) -> Self {
        Self::Map(Cow::Borrowed(parts))
    }

    /// Values at fixed places.
    pub const fn tuple(parts: &'static [Self]) -> Self {
        Self::Tuple(Cow::Borrowed(parts))
    }

    /// Values with names, sorted by them.
    pub const fn structure(fields: &'static [Field]) -> Self {
        Self::Struct(Cow::Borrowed(fields))
    }

    /// Values with names, sorted by them, where no other name may stand.
    pub const fn closed(fields: &'static [Field]) -> Self {
        Self::Closed(Cow::Borrowed(fields))
    }

    /// The fields of a struct.
    pub const fn fields(&self) -> Option<&[Field]> {
        match self {
            Self::Struct(fields) | Self::Closed(fields) => Some(slice(fields)),
            _ => None,
        }
    }

    /// One of several, sorted by their names, or in their order if they have none.
    pub const fn choice(tagging: Tagging, variants: &'static [Variant]) -> Self {
        Self::Enum(tagging, Cow::Borrowed(variants))
    }

    /// Whether everything in it is known.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Optional(parts)
            | Self::Nullable(parts)
            | Self::Holder(parts)
            | Self::List(parts)
            | Self::Set(parts)
            | Self::Array(_, parts)
            | Self::Map(parts)
            | Self::Tuple(parts) => parts.iter().all(Self::is_known),
            Self::Struct(fields) | Self::Closed(fields) => {
                fields.iter().all(|field| field.shape.is_known())
            }
            Self::Enum(_, variants) => variants.iter().all(|variant| variant.shape.is_known()),
            _ => true,
        }
    }

    /// The shapes that it is made of, one after the other, also while compiling.
    pub(crate) const fn child(&self, index: usize) -> Option<&Self> {
        match self {
            Self::Optional(parts)
            | Self::Nullable(parts)
            | Self::Holder(parts)
            | Self::List(parts)
            | Self::Set(parts)
            | Self::Array(_, parts)
            | Self::Map(parts)
            | Self::Tuple(parts) => {
                let parts = slice(parts);
                if index < parts.len() { Some(&parts[index]) } else { None }
            }
            Self::Struct(fields) | Self::Closed(fields) => {
                let fields = slice(fields);
                if index < fields.len() { Some(&fields[index].shape) } else { None }
            }
            Self::Enum(_, variants) => {
                let variants = slice(variants);
                if index < variants.len() { Some(&variants[index].shape) } else { None }
            }
            _ => None,
        }
    }

    /// The shape without what says that there may be no value, and whether that was said.
    pub(crate) const fn present(&self) -> (&Self, bool) {
        let mut shape = self;
        let mut optional = false;
        // An option of an option is written like an option.
        while let Self::Optional(parts) | Self::Nullable(parts) | Self::Holder(parts) = shape {
            optional = optional || !matches!(shape, Self::Holder(_));
            shape = part(parts, 0);
        }
        (shape, optional)
    }

    /// Whether it stands for a type around it.
    pub(crate) const fn is_itself(&self) -> bool {
        matches!(self.present().0, Self::Itself | Self::Above(_))
    }

    /// Whether it is said to hold itself.
    pub(crate) const fn is_holder(&self) -> bool {
        let mut shape = self;
        while let Self::Optional(parts) | Self::Nullable(parts) = shape {
            shape = part(parts, 0);
        }
        matches!(shape, Self::Holder(_))
    }

    /// Whether there may be no value.
    pub const fn is_optional(&self) -> bool {
        self.present().1
    }

    /// Whether serde reads it where nothing is: not so if a newtype stands around the option.
    pub(crate) const fn may_be_missing(&self) -> bool {
        match self {
            Self::Holder(parts) => part(parts, 0).may_be_missing(),
            _ => matches!(self, Self::Optional(_)),
        }
    }

    /// What it is, in a word or two: `text`, `a list`, `u64`.
    pub const fn describe(&self, mut text: Text) -> Text {
        let (shape, optional) = self.present();
        if optional {
            text.push("an optional ");
        }
        match shape {
            Self::Unknown => text.push("something else"),
            Self::Scalar(scalar) => text.push(scalar.name()),
            Self::Json => text.push("any JSON"),
            Self::Opaque(label) => {
                text.push("the opaque ");
                text.push(label.as_str());
            }
            Self::Itself | Self::Above(_) => text.push("the type itself"),
            Self::Optional(_) | Self::Nullable(_) | Self::Holder(_) => {}
            Self::List(_) => text.push(if optional { "list" } else { "a list" }),
            Self::Set(_) => text.push(if optional { "set" } else { "a set" }),
            Self::Array(length, _) => {
                text.push(if optional { "array of " } else { "an array of " });
                text = text.number(*length);
            }
            Self::Map(_) => text.push(if optional { "map" } else { "a map" }),
            Self::Tuple(parts) => {
                text.push(if optional { "tuple of " } else { "a tuple of " });
                text = text.number(slice(parts).len() as u64);
            }
            Self::Struct(_) | Self::Closed(_) => {
                text.push(if optional { "struct" } else { "a struct" })
            }
            Self::Enum(..) => text.push(if optional { "enum" } else { "an enum" }),
            Self::Unit => text.push("without content"),
            Self::Unwritten => text.push("never written"),
        }
        text
    }
}

impl Field {
    /// A field that is always written and must be there when it is read.
    pub const fn new(name: Name, shape: Shape) -> Self {
        Self {
            name,
            shape,
            default: false,
            omittable: false,
            flatten: false,
            aliases: Cow::Borrowed(&[]),
        }
    }

    /// A field with everything that can be said about it.
    pub const fn with(
        name: &'static str,
        shape: Shape,
        [default, omittable, flatten]: [bool; 3],
        aliases: &'static [Name],
    ) -> Self {
        Self {
            name: Name::new(name),
            shape,
            default,
            omittable,
            flatten,
            aliases: Cow::Borrowed(aliases),
        }
    }

    /// Whether it is read and not written.
    pub(crate) const fn is_unwritten(&self) -> bool {
        matches!(self.shape, Shape::Unwritten)
    }

    /// Whether it is read where it is missing.
    pub const fn may_be_missing(&self) -> bool {
        self.default
            || self.is_unwritten()
            || self.shape.may_be_missing()
            || (self.flatten && matches!(self.shape, Shape::Map(_) | Shape::Json))
    }
}

impl Variant {
    /// What the name of a variant begins with that has none in an enum where others have.
    pub const UNTAGGED: &'static str = "untagged ";

    /// A variant that is read by its name alone.
    pub const fn new(name: Name, shape: Shape) -> Self {
        Self { name, shape, other: false, aliases: Cow::Borrowed(&[]) }
    }

    /// A variant with everything that can be said about it.
    pub const fn with(
        name: &'static str,
        shape: Shape,
        other: bool,
        aliases: &'static [Name],
    ) -> Self {
        Self { name: Name::new(name), shape, other, aliases: Cow::Borrowed(aliases) }
    }
}

impl Variant {
    /// Whether it is read without a name although other variants of its enum have one.
    pub(crate) const fn is_untagged(&self) -> bool {
        let (name, prefix) = (self.name.as_str().as_bytes(), Self::UNTAGGED.as_bytes());
        let mut index = 0;
        while index < prefix.len() {
            if index >= name.len() || name[index] != prefix[index] {
                return false;
            }
            index += 1;
        }
        true
    }
}

/// The items of a list, also while compiling.
#[expect(clippy::ptr_arg, reason = "to deref it is not const")]
pub(crate) const fn slice<'a, T>(items: &'a Cow<'static, [T]>) -> &'a [T]
where
    [T]: ToOwned<Owned = Vec<T>>,
{
    match items {
        Cow::Borrowed(items) => items,
        Cow::Owned(items) => items.as_slice(),
    }
}

/// One of the parts; unknown if there is none, which no shape here lacks.
pub(crate) const fn part(parts: &Parts, index: usize) -> &Shape {
    let parts = slice(parts);
    if index < parts.len() { &parts[index] } else { &Shape::Unknown }
}
