//! What serde's attributes say about the stored form of a type: names, and what is left out.
//!
//! Serde reports its own mistakes; here an attribute that makes no sense is passed over.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Field, Fields, LitStr, Token, Type};

/// What `#[serde(..)]` says above a struct, an enum or a variant.
#[derive(Clone, Default, Debug)]
pub(crate) struct SerdeItem {
    /// `rename`: the name of a variant.
    pub(crate) rename: Names,
    /// `rename_all`: of the fields of a struct or a variant, of the variants of an enum.
    pub(crate) rename_all: Rules,
    /// `rename_all_fields` of an enum: of the fields of its variants.
    pub(crate) rename_all_fields: Rules,
    /// `tag = ".."`
    pub(crate) tag: Option<String>,
    /// `content = ".."`
    pub(crate) content: Option<String>,
    pub(crate) untagged: bool,
    pub(crate) transparent: bool,
    /// A missing field has a value all the same.
    pub(crate) default: bool,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) skip_serializing: bool,
    pub(crate) skip_deserializing: bool,
    /// `from`, `try_from`, `into`, `remote`, and `with` on a variant: the stored form is that of
    /// something else.
    pub(crate) foreign: bool,
    /// Other names by which a variant is read.
    pub(crate) aliases: Vec<String>,
    /// A variant that is read in the place of an unknown one.
    pub(crate) other: bool,
}

/// A field as serde sees it.
#[derive(Clone)]
pub(crate) struct SerdeField<'a> {
    pub(crate) field: &'a Field,
    /// The stored name under which it is written and read.
    pub(crate) names: Names,
    /// Other names under which it is read.
    pub(crate) aliases: Vec<String>,
    /// Its own fields stand in the place of it.
    pub(crate) flatten: bool,
    /// When it is missing it has a value all the same, whatever its type.
    pub(crate) default: bool,
    /// That value is the one that its type has.
    pub(crate) default_of_type: bool,
    pub(crate) skip_serializing: bool,
    /// `skip_serializing_if`: it is written or not.
    pub(crate) skip_serializing_if: bool,
    pub(crate) skip_deserializing: bool,
    /// `with`, `serialize_with`, `deserialize_with`: its type does not say how it is stored.
    pub(crate) foreign: bool,
    /// `with`, `deserialize_with`: it must be there, even an option.
    pub(crate) read_by_function: bool,
}

/// A name for writing and one for reading, which are almost always the same.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Names {
    pub(crate) serialize: Option<String>,
    pub(crate) deserialize: Option<String>,
}

/// A rule of renaming for writing and one for reading.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Rules {
    pub(crate) serialize: Option<Rule>,
    pub(crate) deserialize: Option<Rule>,
}

/// What `rename_all` can say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl SerdeItem {
    /// Reads what stands above an item or a variant.
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let mut item = Self::default();
        read_each(attributes, |key, meta| {
            match key {
                "rename" => item.rename = names(meta)?,
                "rename_all" => item.rename_all = rules(meta)?,
                "rename_all_fields" => item.rename_all_fields = rules(meta)?,
                "tag" => item.tag = Some(string(meta)?),
                "content" => item.content = Some(string(meta)?),
                "untagged" => item.untagged = true,
                "transparent" => item.transparent = true,
                "default" => item.default = true,
                "deny_unknown_fields" => item.deny_unknown_fields = true,
                "skip" => (item.skip_serializing, item.skip_deserializing) = (true, true),
                "skip_serializing" => item.skip_serializing = true,
                "skip_deserializing" => item.skip_deserializing = true,
                "from" | "try_from" | "into" | "remote" | "with" | "serialize_with"
                | "deserialize_with" => item.foreign = true,
                "alias" => item.aliases.push(string(meta)?),
                "other" => item.other = true,
                _ => {}
            }
            Ok(())
        });
        item
    }

    /// Whether the stored form of a struct with named fields is an object of just those fields.
    pub(crate) fn is_plain(&self) -> bool {
        !self.transparent && !self.foreign && self.tag.is_none()
    }

    /// The fields, with the names that `rename_all` gives them. `outer` are the rules of the enum
    /// around a variant.
    pub(crate) fn fields<'a>(&self, fields: &'a Fields, outer: Rules) -> Vec<SerdeField<'a>> {
        let rules = Rules {
            serialize: self.rename_all.serialize.or(outer.serialize),
            deserialize: self.rename_all.deserialize.or(outer.deserialize),
        };
        fields
            .iter()
            .enumerate()
            .map(|(index, field)| SerdeField::read(field, index, rules, self.default))
            .collect()
    }

    /// The stored names of a variant of this enum.
    pub(crate) fn variant_names(&self, ident: &syn::Ident, variant: &Self) -> Names {
        let ident = plain(ident);
        let rule = |rule: Option<Rule>| match rule {
            Some(rule) => rule.of_variant(&ident),
            None => ident.clone(),
        };
        variant.rename.clone().or(Names {
            serialize: Some(rule(self.rename_all.serialize)),
            deserialize: Some(rule(self.rename_all.deserialize)),
        })
    }
}

impl<'a> SerdeField<'a> {
    fn read(field: &'a Field, index: usize, rules: Rules, default: bool) -> Self {
        let ident = field.ident.as_ref().map_or_else(|| index.to_string(), plain);
        let rule = |rule: Option<Rule>| match rule {
            Some(rule) => rule.of_field(&ident),
            None => ident.clone(),
        };
        let mut rename = Names::default();
        let mut read = Self {
            field,
            names: Names::default(),
            aliases: Vec::new(),
            flatten: false,
            default,
            default_of_type: false,
            skip_serializing: false,
            skip_serializing_if: false,
            skip_deserializing: false,
            foreign: false,
            read_by_function: false,
        };
        read_each(&field.attrs, |key, meta| {
            match key {
                "rename" => rename = names(meta)?,
                "alias" => read.aliases.push(string(meta)?),
                "flatten" => read.flatten = true,
                "default" => {
                    read.default = true;
                    read.default_of_type = !meta.input.peek(Token![=]);
                }
                "skip" => (read.skip_serializing, read.skip_deserializing) = (true, true),
                "skip_serializing" => read.skip_serializing = true,
                "skip_deserializing" => read.skip_deserializing = true,
                "skip_serializing_if" => read.skip_serializing_if = true,
                "with" | "deserialize_with" => {
                    (read.foreign, read.read_by_function) = (true, true);
                }
                "serialize_with" => read.foreign = true,
                _ => {}
            }
            Ok(())
        });
        read.names = rename.or(Names {
            serialize: Some(rule(rules.serialize)),
            deserialize: Some(rule(rules.deserialize)),
        });
        read
    }

    /// The name under which it is read, if it is read by a name of its own.
    pub(crate) fn read_as(&self) -> Option<&str> {
        let read = !self.flatten && !self.skip_deserializing;
        self.names.deserialize.as_deref().filter(|_| read)
    }

    /// Whether it may be left out of what is read.
    pub(crate) fn may_be_missing(&self) -> bool {
        self.default || (!self.read_by_function && is_option(&self.field.ty))
    }

    /// Whether a missing one is read as something else than its type says.
    pub(crate) fn has_own_default(&self) -> bool {
        self.default
            && !(self.default_of_type && !self.read_by_function && is_option(&self.field.ty))
    }

    /// Whether it can be the one that stands for a transparent struct: serde knows `PhantomData` by the
    /// end of its path.
    pub(crate) fn may_be_transparent(&self) -> bool {
        !self.skip_serializing && !is_called(&self.field.ty, "PhantomData")
    }

    /// The name under which it is written, if it is written by a name of its own.
    pub(crate) fn written_as(&self) -> Option<&str> {
        let written = !self.flatten && !self.skip_serializing;
        self.names.serialize.as_deref().filter(|_| written)
    }
}

/// A macro sees no types, only their names: what is called `Option` is taken for one.
fn is_option(ty: &Type) -> bool {
    is_called(ty, "Option")
}

fn is_called(mut ty: &Type, name: &str) -> bool {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    match ty {
        Type::Path(path) if path.qself.is_none() => {
            path.path.segments.last().is_some_and(|last| last.ident == name)
        }
        _ => false,
    }
}

impl Names {
    fn or(self, other: Self) -> Self {
        Self {
            serialize: self.serialize.or(other.serialize),
            deserialize: self.deserialize.or(other.deserialize),
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return None,
        })
    }

    /// The stored name of a field, which is `snake_case` in the source.
    fn of_field(self, field: &str) -> String {
        match self {
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::ScreamingSnake => field.to_ascii_uppercase(),
            Self::Pascal => {
                let mut name = String::new();
                let mut capital = true;
                for character in field.chars() {
                    if character == '_' {
                        capital = true;
                    } else if std::mem::take(&mut capital) {
                        name.push(character.to_ascii_uppercase());
                    } else {
                        name.push(character);
                    }
                }
                name
            }
            Self::Camel => lower_first(&Self::Pascal.of_field(field)),
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// The stored name of a variant, which is `PascalCase` in the source.
    fn of_variant(self, variant: &str) -> String {
        match self {
            Self::Pascal => variant.to_owned(),
            Self::Lower => variant.to_ascii_lowercase(),
            Self::Upper => variant.to_ascii_uppercase(),
            Self::Camel => lower_first(variant),
            Self::Snake => {
                let mut name = String::new();
                for (index, character) in variant.char_indices() {
                    if index > 0 && character.is_uppercase() {
                        name.push('_');
                    }
                    name.push(character.to_ascii_lowercase());
                }
                name
            }
            Self::ScreamingSnake => Self::Snake.of_variant(variant).to_ascii_uppercase(),
            Self::Kebab => Self::Snake.of_variant(variant).replace('_', "-"),
            Self::ScreamingKebab => Self::ScreamingSnake.of_variant(variant).replace('_', "-"),
        }
    }
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

/// The identifier without `r#`.
fn plain(ident: &syn::Ident) -> String {
    use syn::ext::IdentExt;
    ident.unraw().to_string()
}

/// Gives each option of each `#[serde(..)]` to `read`.
fn read_each(
    attributes: &[Attribute],
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What makes no sense is for serde to report.
        let _ = attribute.parse_nested_meta(|meta| {
            if let Some(key) = meta.path.get_ident() {
                read(&key.to_string(), &meta)?;
            }
            skip_rest(&meta)
        });
    }
}

/// Whatever of an option was not read, up to the next comma.
fn skip_rest(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        meta.input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

fn string(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

/// `rename = ".."` or `rename(serialize = "..", deserialize = "..")`
fn names(meta: &ParseNestedMeta<'_>) -> syn::Result<Names> {
    if meta.input.peek(Token![=]) {
        let name = string(meta)?;
        return Ok(Names { serialize: Some(name.clone()), deserialize: Some(name) });
    }
    let mut names = Names::default();
    meta.parse_nested_meta(|meta| {
        let name = string(&meta)?;
        if meta.path.is_ident("serialize") {
            names.serialize = Some(name);
        } else {
            names.deserialize = Some(name);
        }
        Ok(())
    })?;
    Ok(names)
}

fn rules(meta: &ParseNestedMeta<'_>) -> syn::Result<Rules> {
    let Names { serialize, deserialize } = names(meta)?;
    let rule = |text: Option<String>| text.and_then(|text| Rule::parse(&text));
    Ok(Rules { serialize: rule(serialize), deserialize: rule(deserialize) })
}

#[cfg(test)]
mod tests {
    use syn::{Data, DeriveInput};

    use super::*;

    /// The fields of a struct as `written read` with `!` behind those that have a default.
    fn fields(source: &str) -> Vec<String> {
        let input: DeriveInput = syn::parse_str(source).unwrap();
        let Data::Struct(data) = &input.data else { panic!("no struct") };
        let item = SerdeItem::read(&input.attrs);
        let describe = |field: &SerdeField<'_>| {
            let [written, read] =
                [field.written_as(), field.read_as()].map(|name| name.unwrap_or("-"));
            format!("{written} {read}{}", if field.default { "!" } else { "" })
        };
        item.fields(&data.fields, Rules::default()).iter().map(describe).collect()
    }

    #[test]
    fn fields_have_the_names_that_serde_gives_them() {
        let source = r#"
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            struct Opened {
                owner_name: String,
                #[serde(rename = "kind", alias = "sort")] r#type: u8,
                #[serde(rename(serialize = "out", deserialize = "in"))] both: u8,
                #[serde(skip)] cached: u8,
                #[serde(skip_serializing_if = "Option::is_none", default)] note: Option<u8>,
                #[serde(flatten)] rest: Map,
                #[serde(default = "path::to", with = "module")] at_time: Time,
            }"#;
        assert_eq!(
            fields(source),
            [
                "ownerName ownerName",
                "kind kind",
                "out in",
                "- -",
                "note note!",
                "- -",
                "atTime atTime!"
            ]
        );
    }

    #[test]
    fn every_rule_renames_as_serde_does() {
        let rules = |text: &str| {
            let rule = Rule::parse(text).unwrap();
            format!("{} {}", rule.of_field("owner_id_2"), rule.of_variant("LoanPayment"))
        };
        for (rule, renamed) in [
            ("lowercase", "owner_id_2 loanpayment"),
            ("UPPERCASE", "OWNER_ID_2 LOANPAYMENT"),
            ("PascalCase", "OwnerId2 LoanPayment"),
            ("camelCase", "ownerId2 loanPayment"),
            ("snake_case", "owner_id_2 loan_payment"),
            ("SCREAMING_SNAKE_CASE", "OWNER_ID_2 LOAN_PAYMENT"),
            ("kebab-case", "owner-id-2 loan-payment"),
            ("SCREAMING-KEBAB-CASE", "OWNER-ID-2 LOAN-PAYMENT"),
        ] {
            assert_eq!(rules(rule), renamed, "{rule}");
        }
    }

    #[test]
    fn what_stands_above_an_item_is_read_whatever_else_stands_there() {
        let input: DeriveInput = syn::parse_str(
            r#"#[serde(tag = "t", content = "c", bound(serialize = "T: X"), crate = "a::b")]
               #[serde(rename_all(serialize = "lowercase"))]
               enum E { #[serde(rename = "x")] A, SecondOne }"#,
        )
        .unwrap();
        let item = SerdeItem::read(&input.attrs);
        assert_eq!((item.tag.as_deref(), item.content.as_deref()), (Some("t"), Some("c")));
        assert!(!item.is_plain());
        let Data::Enum(data) = &input.data else { panic!("no enum") };
        let names: Vec<_> = data
            .variants
            .iter()
            .map(|variant| {
                let names = item.variant_names(&variant.ident, &SerdeItem::read(&variant.attrs));
                (names.serialize.unwrap(), names.deserialize.unwrap())
            })
            .collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(names, [(text("x"), text("x")), (text("secondone"), text("SecondOne"))]);
    }
}
