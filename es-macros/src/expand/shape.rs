//! Shapes as constants: of an item, which asks the types in it for theirs, and of what was released.

use es_lock::{Field, Name, Scalar, Shape, Tagging, Variant};
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::span::ends;
use crate::crate_path::CratePath;
use crate::model::shape::{FieldShape, ItemShape, ValueKind, ValueShape, holds, without_itself};

/// Writes shapes as tokens.
pub(super) struct Shapes<'a> {
    pub(super) es_core: &'a CratePath,
    /// The item whose shape is written, which may hold itself.
    pub(super) item: &'a Ident,
}

impl Shapes<'_> {
    /// The shape of the item, which says of itself that it holds itself if it does.
    pub(super) fn whole(&self, shape: &ItemShape<'_>) -> TokenStream {
        let tokens = self.item(shape);
        let holds_itself = shape.values().iter().any(|(_, value)| match &value.kind {
            ValueKind::Type(ty) => holds(ty, self.item),
            _ => false,
        });
        if holds_itself { self.made_of("holder", &[tokens]) } else { tokens }
    }

    /// The shape of an item, or of the content of a variant.
    fn item(&self, shape: &ItemShape<'_>) -> TokenStream {
        match shape {
            ItemShape::Value(value) => self.value(value),
            ItemShape::Tuple(values) => {
                let values = values.iter().map(|value| self.value(value));
                self.made_of("tuple", &values.collect::<Vec<_>>())
            }
            ItemShape::Struct(fields) => {
                let fields = fields.iter().map(|field| self.field(field));
                self.made_of("structure", &fields.collect::<Vec<_>>())
            }
            ItemShape::Closed(fields) => {
                let fields = fields.iter().map(|field| self.field(field));
                self.made_of("closed", &fields.collect::<Vec<_>>())
            }
            ItemShape::Enum(tagging, variants) => {
                let module = self.module();
                let variants = variants.iter().map(|variant| {
                    let shape = self.item(&variant.content);
                    let aliases = self.names(variant.aliases.iter().map(String::as_str));
                    let (name, other) = (&variant.name, variant.other);
                    quote!(#module::Variant::with(#name, #shape, #other, #aliases))
                });
                let variants = constant(quote!(&[#(#variants),*]));
                let tagging = self.tagging(tagging);
                quote!(#module::Shape::choice(#tagging, #variants))
            }
            ItemShape::Unit => self.shape(&Shape::Unit),
            // Refused before.
            ItemShape::Foreign => self.shape(&Shape::Unknown),
        }
    }

    fn field(&self, field: &FieldShape<'_>) -> TokenStream {
        let (module, shape) = (self.module(), self.value(&field.value));
        let aliases = self.names(field.aliases.iter().map(String::as_str));
        let FieldShape { name, default, omittable, flatten, .. } = field;
        quote!(#module::Field::with(#name, #shape, [#default, #omittable, #flatten], #aliases))
    }

    fn value(&self, value: &ValueShape<'_>) -> TokenStream {
        let shape = match &value.kind {
            ValueKind::Type(ty) => {
                let ty = without_itself(ty, self.item, self.es_core);
                let (first, last) = ends(&ty);
                let es_core = self.es_core.at(first);
                let open = quote_spanned!(first=> <);
                quote_spanned!(last=> #open #ty as #es_core::EventData>::SHAPE)
            }
            ValueKind::Opaque(label) => {
                let module = self.module();
                quote!(#module::Shape::opaque(#label))
            }
            ValueKind::Known(shape) => self.shape(shape),
            ValueKind::Foreign => self.shape(&Shape::Unknown),
        };
        if !value.never_missing || is_plain(value) {
            return shape;
        }
        let module = self.module();
        quote!(#module::Shape::never_missing(#shape))
    }

    /// A shape that was released.
    pub(super) fn shape(&self, shape: &Shape) -> TokenStream {
        let module = self.module();
        let parts = |function: &str, parts: &[Shape]| {
            let parts = parts.iter().map(|part| self.shape(part)).collect::<Vec<_>>();
            self.made_of(function, &parts)
        };
        match shape {
            Shape::Unknown => quote!(#module::Shape::Unknown),
            Shape::Json => quote!(#module::Shape::Json),
            Shape::Itself => quote!(#module::Shape::Itself),
            Shape::Above(steps) => quote!(#module::Shape::Above(#steps)),
            Shape::Unit => quote!(#module::Shape::Unit),
            Shape::Unwritten => quote!(#module::Shape::Unwritten),
            Shape::Scalar(scalar) => {
                let scalar = self.scalar(*scalar);
                quote!(#module::Shape::Scalar(#scalar))
            }
            Shape::Opaque(label) => {
                let label = label.as_str();
                quote!(#module::Shape::opaque(#label))
            }
            Shape::Holder(inner) => parts("holder", inner),
            Shape::Optional(inner) => parts("optional", inner),
            Shape::Nullable(inner) => parts("nullable", inner),
            Shape::List(inner) => parts("list", inner),
            Shape::Set(inner) => parts("set", inner),
            Shape::Map(inner) => parts("map", inner),
            Shape::Tuple(inner) => parts("tuple", inner),
            Shape::Array(length, inner) => {
                let inner = inner.iter().map(|part| self.shape(part));
                let inner = constant(quote!(&[#(#inner),*]));
                quote!(#module::Shape::array(#length, #inner))
            }
            Shape::Struct(fields) => {
                let fields = fields.iter().map(|field| self.released_field(field));
                self.made_of("structure", &fields.collect::<Vec<_>>())
            }
            Shape::Closed(fields) => {
                let fields = fields.iter().map(|field| self.released_field(field));
                self.made_of("closed", &fields.collect::<Vec<_>>())
            }
            Shape::Enum(tagging, variants) => {
                let variants = variants.iter().map(|variant| self.released_variant(variant));
                let variants = constant(quote!(&[#(#variants),*]));
                let tagging = self.tagging(tagging);
                quote!(#module::Shape::choice(#tagging, #variants))
            }
        }
    }

    fn released_field(&self, field: &Field) -> TokenStream {
        let (module, shape) = (self.module(), self.shape(&field.shape));
        let aliases = self.names(field.aliases.iter().map(Name::as_str));
        let name = field.name.as_str();
        let Field { default, omittable, flatten, .. } = field;
        quote!(#module::Field::with(#name, #shape, [#default, #omittable, #flatten], #aliases))
    }

    fn released_variant(&self, variant: &Variant) -> TokenStream {
        let (module, shape) = (self.module(), self.shape(&variant.shape));
        let aliases = self.names(variant.aliases.iter().map(Name::as_str));
        let (name, other) = (variant.name.as_str(), variant.other);
        quote!(#module::Variant::with(#name, #shape, #other, #aliases))
    }

    fn scalar(&self, scalar: Scalar) -> TokenStream {
        let module = self.module();
        match scalar {
            Scalar::Integer { signed, bits, zero: true } => {
                quote!(#module::Scalar::integer(#signed, #bits))
            }
            Scalar::Integer { signed, bits, zero: false } => {
                quote!(#module::Scalar::nonzero(#signed, #bits))
            }
            Scalar::Float { bits } => quote!(#module::Scalar::Float { bits: #bits }),
            _ => {
                // The variants without parts print as they are called.
                let name = Ident::new(&format!("{scalar:?}"), proc_macro2::Span::call_site());
                quote!(#module::Scalar::#name)
            }
        }
    }

    fn tagging(&self, tagging: &Tagging) -> TokenStream {
        let module = self.module();
        let name = |name: &Name| {
            let name = name.as_str();
            quote!(#module::Name::new(#name))
        };
        match tagging {
            Tagging::External => quote!(#module::Tagging::External),
            Tagging::Untagged => quote!(#module::Tagging::Untagged),
            Tagging::Internal(tag) => {
                let tag = name(tag);
                quote!(#module::Tagging::Internal(#tag))
            }
            Tagging::Adjacent(tag, content) => {
                let (tag, content) = (name(tag), name(content));
                quote!(#module::Tagging::Adjacent(#tag, #content))
            }
        }
    }

    fn made_of(&self, function: &str, parts: &[TokenStream]) -> TokenStream {
        let module = self.module();
        let function = Ident::new(function, proc_macro2::Span::call_site());
        let parts = constant(quote!(&[#(#parts),*]));
        quote!(#module::Shape::#function(#parts))
    }

    fn names<'n>(&self, names: impl Iterator<Item = &'n str>) -> TokenStream {
        let module = self.module();
        let names = names.map(|name| quote!(#module::Name::new(#name))).collect::<Vec<_>>();
        if names.is_empty() { quote!(&[]) } else { constant(quote!(&[#(#names),*])) }
    }

    fn module(&self) -> TokenStream {
        let es_core = self.es_core;
        quote!(#es_core::__private::shape)
    }
}

/// Whether it is known here that it is no option.
fn is_plain(value: &ValueShape<'_>) -> bool {
    let known = value.known();
    known.is_known() && !known.is_optional()
}

/// What lives for ever although it is made where it is used.
fn constant(value: TokenStream) -> TokenStream {
    quote!(const { #value })
}
