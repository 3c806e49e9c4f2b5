//! The shape of an item, as far as its own tokens and serde's attributes say it.

use es_lock::{Field, Name, Scalar, Shape, Tagging, Variant};
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, GenericArgument, LitStr, PathArguments, Type};

use super::serde_names::{Rules, SerdeField, SerdeItem};
use crate::crate_path::CratePath;
use crate::written::written;

/// What serde writes of an item.
pub(crate) enum ItemShape<'a> {
    /// One value in the place of the item: a newtype, and what another type stands for.
    Value(ValueShape<'a>),
    Tuple(Vec<ValueShape<'a>>),
    /// Sorted by the name that is written.
    Struct(Vec<FieldShape<'a>>),
    /// The same, where no other name may stand.
    Closed(Vec<FieldShape<'a>>),
    /// Sorted by the name that is written, or in their order where none is.
    Enum(Tagging, Vec<VariantShape<'a>>),
    /// The content of a variant that has none.
    Unit,
    /// Another type stands for it, and nobody says which.
    Foreign,
}

/// What serde writes of a value.
pub(crate) struct ValueShape<'a> {
    /// The field that holds it, if one does.
    pub(crate) field: Option<&'a syn::Field>,
    pub(crate) kind: ValueKind,
    /// Serde does not take what is missing for none, even if it is an option.
    pub(crate) never_missing: bool,
}

impl ValueShape<'_> {
    /// One that no field holds.
    fn alone(kind: ValueKind, never_missing: bool) -> Self {
        Self { field: None, kind, never_missing }
    }
}

pub(crate) enum ValueKind {
    /// Like a value of the type.
    Type(Box<Type>),
    /// Nobody knows how: it is known by a label.
    Opaque(String),
    /// Only that it is nothing, or the name of the item.
    Known(Shape),
    /// By a function of its own, and nobody says how.
    Foreign,
}

/// What serde writes of a field.
pub(crate) struct FieldShape<'a> {
    pub(crate) name: String,
    pub(crate) value: ValueShape<'a>,
    pub(crate) default: bool,
    pub(crate) omittable: bool,
    pub(crate) flatten: bool,
    pub(crate) aliases: Vec<String>,
}

/// What serde writes of a variant.
pub(crate) struct VariantShape<'a> {
    pub(crate) name: String,
    pub(crate) content: ItemShape<'a>,
    pub(crate) other: bool,
    pub(crate) aliases: Vec<String>,
}

/// What an attribute says about the shape of a field or an item whose type does not.
#[derive(Clone)]
pub(crate) enum SaidShape {
    /// `opaque`, or `opaque = "label"`
    Opaque(Option<LitStr>),
    /// `like = String`
    Like(Type),
}

/// Reads the shape of an item. `said` is what the derive's own attribute says of a field.
pub(crate) fn read<'a>(
    input: &'a DeriveInput,
    said_of_item: Option<&SaidShape>,
    said: &dyn Fn(&syn::Field) -> Option<SaidShape>,
) -> ItemShape<'a> {
    if let Some(said) = said_of_item {
        let ident = input.ident.unraw().to_string();
        return ItemShape::Value(ValueShape::alone(said.kind(&ident), true));
    }
    let item = SerdeItem::read(&input.attrs);
    if item.foreign {
        return ItemShape::Foreign;
    }
    let reader = Reader { input, said };
    match &input.data {
        Data::Struct(data) => reader.structure(&item, &data.fields),
        Data::Enum(data) => reader.choice(&item, data),
        Data::Union(_) => ItemShape::Foreign,
    }
}

impl SaidShape {
    fn kind(&self, written: &str) -> ValueKind {
        match self {
            Self::Opaque(Some(label)) => ValueKind::Opaque(label.value()),
            Self::Opaque(None) => ValueKind::Opaque(written.to_owned()),
            Self::Like(ty) => ValueKind::Type(Box::new(ty.clone())),
        }
    }
}

struct Reader<'a, 'r> {
    input: &'a DeriveInput,
    said: &'r dyn Fn(&syn::Field) -> Option<SaidShape>,
}

impl<'a> Reader<'a, '_> {
    fn structure(&self, item: &SerdeItem, fields: &'a Fields) -> ItemShape<'a> {
        let read = item.fields(fields, Rules::default());
        if item.transparent {
            let only = read.iter().find(|field| field.may_be_transparent());
            return only.map_or(ItemShape::Foreign, |only| ItemShape::Value(self.value(only)));
        }
        let mut shape = match self.content(item, &read, fields) {
            ItemShape::Unit => {
                ItemShape::Value(ValueShape::alone(ValueKind::Known(Shape::NULL), false))
            }
            ItemShape::Value(only) => ItemShape::Value(ValueShape { never_missing: true, ..only }),
            shape => shape,
        };
        if let (Some(tag), ItemShape::Struct(fields) | ItemShape::Closed(fields)) =
            (&item.tag, &mut shape)
        {
            let names = item.variant_names(&self.input.ident, &SerdeItem::default());
            fields
                .push(tag_field(tag, item.rename.serialize.as_ref().or(names.serialize.as_ref())));
            sort(fields);
        }
        shape
    }

    fn choice(&self, item: &SerdeItem, data: &'a syn::DataEnum) -> ItemShape<'a> {
        let tagging = match (&item.tag, &item.content) {
            _ if item.untagged => Tagging::Untagged,
            (Some(tag), Some(content)) => {
                Tagging::Adjacent(tag.clone().into(), content.clone().into())
            }
            (Some(tag), None) => Tagging::Internal(tag.clone().into()),
            _ => Tagging::External,
        };
        let mut variants = Vec::new();
        let mut untagged = 0_usize..;
        for variant in &data.variants {
            let serde = SerdeItem::read(&variant.attrs);
            if serde.skip_deserializing {
                continue;
            }
            let names = item.variant_names(&variant.ident, &serde);
            let fields = serde.fields(&variant.fields, item.rename_all_fields);
            let content = match fields.as_slice() {
                _ if serde.foreign => ItemShape::Foreign,
                // Serde takes a variant around nothing but a skipped value for one without content.
                [only] if only.field.ident.is_none() && only.written_as().is_none() => {
                    ItemShape::Unit
                }
                fields => self.content(item, fields, &variant.fields),
            };
            let mut aliases = serde.aliases;
            let name = match tagging {
                Tagging::Untagged => variants.len().to_string(),
                _ if serde.untagged => {
                    format!("{}{}", Variant::UNTAGGED, untagged.next().unwrap_or_default())
                }
                _ => written_name(names.serialize, names.deserialize, &mut aliases),
            };
            variants.push(VariantShape { name, content, other: serde.other, aliases });
        }
        if tagging != Tagging::Untagged {
            variants.sort_by(|one, other| one.name.cmp(&other.name));
        }
        ItemShape::Enum(tagging, variants)
    }

    /// What the fields are written as that stand in the item.
    fn content(&self, item: &SerdeItem, read: &[SerdeField<'a>], fields: &Fields) -> ItemShape<'a> {
        match fields {
            Fields::Unit => ItemShape::Unit,
            Fields::Named(_) => {
                let mut fields: Vec<_> =
                    read.iter().filter_map(|field| self.field(field)).collect();
                sort(&mut fields);
                if item.deny_unknown_fields {
                    ItemShape::Closed(fields)
                } else {
                    ItemShape::Struct(fields)
                }
            }
            Fields::Unnamed(_) => {
                let written = read.iter().filter(|field| field.written_as().is_some());
                match (read, written.collect::<Vec<_>>().as_slice()) {
                    ([_], [only]) => ItemShape::Value(self.value(only)),
                    (_, written) => {
                        ItemShape::Tuple(written.iter().map(|field| self.value(field)).collect())
                    }
                }
            }
        }
    }

    /// The field, if it is written or read.
    fn field(&self, field: &SerdeField<'a>) -> Option<FieldShape<'a>> {
        let mut aliases = field.aliases.clone();
        let name = if field.flatten {
            field.field.ident.as_ref()?.unraw().to_string()
        } else if field.written_as().is_none() {
            return self.unwritten(field);
        } else {
            let names = field.names.clone();
            // One that is written and not read is read as its default.
            let read = names.deserialize.filter(|_| !field.skip_deserializing);
            written_name(names.serialize, read, &mut aliases)
        };
        Some(FieldShape {
            name,
            value: self.value(field),
            default: field.has_own_default() || field.skip_deserializing,
            omittable: field.skip_serializing_if,
            flatten: field.flatten,
            aliases,
        })
    }

    /// A field that is read and not written takes what is stored by its names. What it is read as does
    /// not matter, since it is not stored.
    fn unwritten(&self, field: &SerdeField<'a>) -> Option<FieldShape<'a>> {
        let name = field.read_as()?.to_owned();
        let mut aliases = field.aliases.clone();
        aliases.sort();
        aliases.dedup();
        let kind = ValueKind::Known(Shape::Unwritten);
        Some(FieldShape {
            name,
            value: ValueShape { field: Some(field.field), kind, never_missing: false },
            default: false,
            omittable: false,
            flatten: false,
            aliases,
        })
    }

    fn value(&self, field: &SerdeField<'a>) -> ValueShape<'a> {
        let SerdeField { field, foreign, read_by_function, .. } = *field;
        let kind = match (self.said)(field) {
            Some(said) => said.kind(&last_name(&field.ty)),
            None if foreign => ValueKind::Foreign,
            None => ValueKind::Type(Box::new(ungrouped(&field.ty).clone())),
        };
        ValueShape { field: Some(field), kind, never_missing: read_by_function }
    }
}

/// The name that is written; one that is read and differs is an alias.
fn written_name(
    serialize: Option<String>,
    deserialize: Option<String>,
    aliases: &mut Vec<String>,
) -> String {
    let name = serialize.or_else(|| deserialize.clone()).unwrap_or_default();
    aliases.extend(deserialize.filter(|read| *read != name));
    aliases.sort();
    aliases.dedup();
    name
}

/// What `#[serde(tag = "..")]` adds to a struct: its name.
fn tag_field<'a>(tag: &str, name: Option<&String>) -> FieldShape<'a> {
    let name = name.cloned().unwrap_or_default();
    let only = Variant::new(Name::from(name), Shape::Unit);
    let shape = Shape::Enum(Tagging::External, vec![only].into());
    FieldShape {
        name: tag.to_owned(),
        value: ValueShape::alone(ValueKind::Known(shape), false),
        // Serde does not look at it.
        default: true,
        omittable: false,
        flatten: false,
        aliases: Vec::new(),
    }
}

fn sort(fields: &mut [FieldShape<'_>]) {
    fields.sort_by(|one, other| (&one.name, one.flatten).cmp(&(&other.name, other.flatten)));
}

/// `Decimal` of `rust_decimal::Decimal`: where a type is imported from is not a part of its name.
fn last_name(ty: &Type) -> String {
    match ungrouped(ty) {
        Type::Path(path) => match path.path.segments.last() {
            Some(last) => written(last),
            None => written(ty),
        },
        ty => written(ty),
    }
}

/// A type that came through a `macro_rules!` stands in an invisible group.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

// --- what is known ---

impl ItemShape<'_> {
    /// The shape as far as it is known here; types of other items are not.
    pub(crate) fn known(&self) -> Shape {
        match self {
            Self::Value(value) => value.known(),
            Self::Tuple(values) => {
                Shape::Tuple(values.iter().map(ValueShape::known).collect::<Vec<_>>().into())
            }
            Self::Closed(fields) => {
                Shape::Closed(fields.iter().map(FieldShape::known).collect::<Vec<_>>().into())
            }
            Self::Struct(fields) => {
                Shape::Struct(fields.iter().map(FieldShape::known).collect::<Vec<_>>().into())
            }
            Self::Enum(tagging, variants) => {
                let variants = variants.iter().map(|variant| Variant {
                    name: variant.name.clone().into(),
                    shape: variant.content.known(),
                    other: variant.other,
                    aliases: names(&variant.aliases).into(),
                });
                Shape::Enum(tagging.clone(), variants.collect::<Vec<_>>().into())
            }
            Self::Unit => Shape::Unit,
            Self::Foreign => Shape::Unknown,
        }
    }

    /// Every value in it, with the name of its field if it is that of a struct.
    pub(crate) fn values(&self) -> Vec<(Option<&str>, &ValueShape<'_>)> {
        match self {
            Self::Value(value) => vec![(None, value)],
            Self::Tuple(values) => values.iter().map(|value| (None, value)).collect(),
            Self::Struct(fields) | Self::Closed(fields) => {
                fields.iter().map(|field| (Some(field.name.as_str()), &field.value)).collect()
            }
            Self::Enum(_, variants) => {
                let values = variants.iter().flat_map(|variant| variant.content.values());
                values.map(|(_, value)| (None, value)).collect()
            }
            Self::Unit | Self::Foreign => Vec::new(),
        }
    }

    /// Whether another type stands for the item, or for a part of it, and nobody says which.
    pub(crate) fn is_foreign(&self) -> bool {
        match self {
            Self::Foreign => true,
            Self::Enum(_, variants) => variants.iter().any(|variant| variant.content.is_foreign()),
            _ => false,
        }
    }
}

impl FieldShape<'_> {
    fn known(&self) -> Field {
        Field {
            name: self.name.clone().into(),
            shape: self.value.known(),
            default: self.default,
            omittable: self.omittable,
            flatten: self.flatten,
            aliases: names(&self.aliases).into(),
        }
    }
}

impl ValueShape<'_> {
    /// The shape as far as it is known here.
    pub(crate) fn known(&self) -> Shape {
        let shape = match &self.kind {
            ValueKind::Type(ty) => known_type(ty),
            ValueKind::Opaque(label) => Shape::Opaque(label.clone().into()),
            ValueKind::Known(shape) => shape.clone(),
            ValueKind::Foreign => Shape::Unknown,
        };
        match shape {
            Shape::Optional(parts) if self.never_missing => Shape::Nullable(parts),
            shape => shape,
        }
    }
}

fn names(names: &[String]) -> Vec<Name> {
    names.iter().cloned().map(Name::from).collect()
}

/// A macro sees no types, only their names: what is called `String` is taken for one.
fn known_type(ty: &Type) -> Shape {
    let unknown = Shape::Unknown;
    let Type::Path(path) = ungrouped(ty) else { return unknown };
    let (None, Some(only)) = (&path.qself, path.path.segments.last()) else { return unknown };
    if path.path.segments.len() != 1 {
        return unknown;
    }
    let part = || match &only.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(part)) => Some(vec![known_type(part)].into()),
            _ => None,
        },
        _ => None,
    };
    let scalar = match only.ident.to_string().as_str() {
        "bool" => Scalar::Bool,
        "u8" => Scalar::integer(false, 8),
        "u16" => Scalar::integer(false, 16),
        "u32" => Scalar::integer(false, 32),
        "u64" | "usize" => Scalar::integer(false, 64),
        "u128" => Scalar::integer(false, 128),
        "i8" => Scalar::integer(true, 8),
        "i16" => Scalar::integer(true, 16),
        "i32" => Scalar::integer(true, 32),
        "i64" | "isize" => Scalar::integer(true, 64),
        "i128" => Scalar::integer(true, 128),
        "f32" => Scalar::Float { bits: 32 },
        "f64" => Scalar::Float { bits: 64 },
        "char" => Scalar::Char,
        "String" => Scalar::Text,
        "Option" => return part().map_or(unknown, Shape::Optional),
        "Vec" => return part().map_or(unknown, Shape::List),
        _ => return unknown,
    };
    Shape::Scalar(scalar)
}

/// The type with the marker for "the type itself" in the place of the item's own name: a constant
/// can not be made of itself.
pub(crate) fn without_itself(ty: &Type, item: &Ident, es_core: &CratePath) -> TokenStream {
    replace(ty.to_token_stream(), item, es_core)
}

/// Whether the type names the item.
pub(crate) fn holds(ty: &Type, item: &Ident) -> bool {
    names_item(ty.to_token_stream(), item)
}

fn names_item(tokens: TokenStream, item: &Ident) -> bool {
    let mut in_path = false;
    tokens.into_iter().any(|token| {
        let after_path = std::mem::take(&mut in_path);
        match token {
            TokenTree::Ident(ident) => !after_path && (ident == *item || ident == "Self"),
            TokenTree::Group(group) => names_item(group.stream(), item),
            TokenTree::Punct(colon) => {
                in_path = colon.as_char() == ':';
                false
            }
            TokenTree::Literal(_) => false,
        }
    })
}

fn replace(tokens: TokenStream, item: &Ident, es_core: &CratePath) -> TokenStream {
    let mut replaced = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut in_path = false;
    while let Some(token) = tokens.next() {
        let after_path = std::mem::take(&mut in_path);
        match token {
            TokenTree::Ident(ident) if !after_path && (ident == *item || ident == "Self") => {
                let es_core = es_core.at(ident.span());
                replaced.extend(quote::quote_spanned!(ident.span()=> #es_core::__private::Itself));
                if matches!(tokens.peek(), Some(TokenTree::Punct(open)) if open.as_char() == '<') {
                    skip_arguments(&mut tokens);
                }
            }
            TokenTree::Group(group) => {
                let inside = replace(group.stream(), item, es_core);
                let mut copy = proc_macro2::Group::new(group.delimiter(), inside);
                copy.set_span(group.span());
                replaced.extend([TokenTree::Group(copy)]);
            }
            token => {
                in_path = matches!(&token, TokenTree::Punct(colon) if colon.as_char() == ':');
                replaced.extend([token]);
            }
        }
    }
    replaced
}

fn skip_arguments(tokens: &mut impl Iterator<Item = TokenTree>) {
    let mut depth = 0_usize;
    for token in tokens {
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                '<' => depth += 1,
                '>' => depth -= 1,
                _ => {}
            }
        }
        if depth == 0 {
            return;
        }
    }
}
