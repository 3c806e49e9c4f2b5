//! What a step does: the options of `#[upcast(..)]` beside `from`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Lit, Path, Token, Type};

use super::field_path::FieldPath;
use super::raw::{Form, RawOption, split, split_at_commas};
use super::value;
use crate::ctxt::Ctxt;
use crate::written::written;

/// `"old" => "new"`
#[derive(Clone)]
pub(crate) struct Renamed {
    pub(crate) old: FieldPath,
    pub(crate) new: FieldPath,
}

/// `currency = "CZK"` or `currency = path::to::function`
#[derive(Clone)]
pub(crate) struct Assigned {
    pub(crate) field: FieldPath,
    pub(crate) value: NewValue,
}

/// `note`, or `note = ""` with what is written when a step is undone.
#[derive(Clone)]
pub(crate) struct Removed {
    pub(crate) field: FieldPath,
    pub(crate) undone: Option<NewValue>,
}

/// What a field that is added holds.
#[derive(Clone)]
pub(crate) enum NewValue {
    Literal(JsonLiteral),
    /// A function that makes it.
    Function(Path),
}

/// A literal that JSON can hold.
#[derive(Clone)]
pub(crate) struct JsonLiteral {
    /// As it is written.
    pub(crate) tokens: TokenStream,
    pub(crate) kind: LiteralKind,
}

/// What kind of literal it is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum LiteralKind {
    Null,
    Boolean(bool),
    Text(String),
    /// A whole number: the digits, with their sign.
    Integer(i128),
    /// A number with a fraction.
    Float(f64),
}

/// `split(into(Deposited, FeeCharged), with = path::to::function)`
#[derive(Clone)]
pub(crate) struct SplitInto {
    pub(crate) into: Vec<Path>,
    pub(crate) function: Path,
}

/// Reads `rename("old" => "new", ..)`.
pub(crate) fn renamed(ctxt: &Ctxt, option: &RawOption) -> Option<Vec<Renamed>> {
    const FORM: &str = "rename(\"old\" => \"new\")";
    if let Form::Value(_) | Form::Alone = option.form {
        let RawOption { key, .. } = option;
        ctxt.error(
            key,
            format_args!("`{key}` says the old name and the new\nhelp: write `{FORM}`"),
        );
        return None;
    }
    entries(ctxt, option, FORM, "", |input: ParseStream<'_>| {
        let old = input.parse()?;
        input.parse::<Token![=>]>()?;
        Ok(Renamed { old, new: input.parse()? })
    })
}

/// Reads `add(currency = "CZK", ..)`.
pub(crate) fn added(ctxt: &Ctxt, option: &RawOption) -> Option<Vec<Assigned>> {
    const VALUES: &str =
        ", where the value is a literal, `null` or the path of a function that makes it";
    entries(ctxt, option, "add(field = value)", VALUES, |input: ParseStream<'_>| {
        let field = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Assigned { field, value: input.parse()? })
    })
}

/// Reads `remove(note, ..)`.
pub(crate) fn removed(ctxt: &Ctxt, option: &RawOption) -> Option<Vec<Removed>> {
    entries(ctxt, option, "remove(field)", "", |input: ParseStream<'_>| {
        let field = input.parse()?;
        let undone = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        Ok(Removed { field, undone })
    })
}

/// Reads the list of an option; an entry that makes no sense is reported and left out.
fn entries<T>(
    ctxt: &Ctxt,
    option: &RawOption,
    form: &str,
    explained: &str,
    read: impl Fn(ParseStream<'_>) -> syn::Result<T>,
) -> Option<Vec<T>> {
    let parts = split_at_commas(value::list_of_texts(ctxt, option)?);
    if parts.is_empty() {
        let RawOption { key, .. } = option;
        ctxt.error(key, format_args!("`{key}` names no field\nhelp: write `{form}`"));
        return None;
    }
    let mut entries = Vec::new();
    for tokens in &parts {
        let tokens = TokenStream::from_iter(tokens.iter().cloned());
        match (|input: ParseStream<'_>| read(input)).parse2(tokens.clone()) {
            Ok(entry) => entries.push(entry),
            // A path has a message of its own.
            Err(error) if error.to_string().contains("help: ") => ctxt.record(error),
            Err(_) => {
                let (key, entry) = (&option.key, written(&tokens));
                ctxt.error(
                    &tokens,
                    format_args!(
                        "`{entry}` is nothing that `{key}` understands\nhelp: write `{form}`{explained}"
                    ),
                );
            }
        }
    }
    // A list in which nothing could be read is not an empty list.
    (!entries.is_empty()).then_some(entries)
}

impl Parse for NewValue {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) || input.peek(Token![-]) {
            return Ok(Self::Literal(input.parse()?));
        }
        let path: Path = input.parse()?;
        if path.is_ident("null") {
            let tokens = path.into_token_stream();
            return Ok(Self::Literal(JsonLiteral { tokens, kind: LiteralKind::Null }));
        }
        Ok(Self::Function(path))
    }
}

impl Parse for JsonLiteral {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let minus: Option<Token![-]> = input.parse()?;
        let literal: Lit = input.parse()?;
        let tokens = {
            let mut tokens = minus.to_token_stream();
            literal.to_tokens(&mut tokens);
            tokens
        };
        let kind = match (&literal, minus.is_some()) {
            (Lit::Str(text), false) if text.suffix().is_empty() => LiteralKind::Text(text.value()),
            (Lit::Bool(boolean), false) => LiteralKind::Boolean(boolean.value),
            (Lit::Int(number), negative) if number.suffix().is_empty() => {
                let number: i128 = number.base10_parse()?;
                LiteralKind::Integer(if negative { -number } else { number })
            }
            (Lit::Float(number), negative) if number.suffix().is_empty() => {
                let number: f64 = number.base10_parse()?;
                LiteralKind::Float(if negative { -number } else { number })
            }
            _ => return Err(syn::Error::new_spanned(&tokens, "no JSON")),
        };
        let storable = match kind {
            LiteralKind::Integer(number) => {
                (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number)
            }
            LiteralKind::Float(number) => number.is_finite(),
            _ => true,
        };
        if !storable {
            return Err(syn::Error::new_spanned(&tokens, "beyond 64 bits"));
        }
        Ok(Self { tokens, kind })
    }
}

impl LiteralKind {
    /// The literal as JSON text.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Integer(number) => number.to_string(),
            // With a fraction or an exponent, so that it stays what it is.
            Self::Float(number) => format!("{number:?}"),
            Self::Text(text) => {
                let mut json = "\"".to_owned();
                for character in text.chars() {
                    match character {
                        '"' | '\\' => json.extend(['\\', character]),
                        control if u32::from(control) < 0x20 => {
                            json.push_str(&format!("\\u{:04x}", u32::from(control)));
                        }
                        other => json.push(other),
                    }
                }
                json.push('"');
                json
            }
        }
    }
}

/// Reads `split(into(A, b::B), with = path::to::function)`.
pub(crate) fn split_into(ctxt: &Ctxt, option: &RawOption) -> Option<SplitInto> {
    const FORM: &str = "split(into(Deposited, FeeCharged), with = path::to::function)";
    let RawOption { key, form, .. } = option;
    let Form::List(list) = form else {
        let function = match form {
            Form::Value(value) => syn::parse2::<Path>(value.clone()).ok(),
            _ => None,
        };
        let function = function.map_or_else(|| "path::to::function".to_owned(), written);
        ctxt.error(
            key,
            format_args!(
                "`split` names the events that it makes\nhelp: write `split(into(...), with = {function})`"
            ),
        );
        return None;
    };
    let (mut into, mut function) = (None, None);
    for option in split(ctxt, list.stream(), None) {
        if option.key == "into" {
            into = Some(option.read(ctxt, super::listed_event_types)?);
        } else if option.key == "with" {
            function = Some(option.read(ctxt, value::path)?);
        } else {
            let unknown = &option.key;
            ctxt.error(
                unknown,
                format_args!("unknown option `{unknown}` of `split`\nhelp: write `{FORM}`"),
            );
            return None;
        }
    }
    match (into, function) {
        (Some(into), Some(function)) if !into.is_empty() => Some(SplitInto { into, function }),
        _ => {
            ctxt.error(
                key,
                format_args!(
                    "`split` needs the events that it makes and a function that makes them\nhelp: write `{FORM}`"
                ),
            );
            None
        }
    }
}

/// Reads `via = OldStruct`.
pub(crate) fn old_struct(ctxt: &Ctxt, option: &RawOption) -> Option<Type> {
    value::ty(ctxt, option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_the_json_that_they_look_like() {
        let json = |text: &str| syn::parse_str::<JsonLiteral>(text).map(|it| it.kind.json()).ok();
        for (literal, wanted) in [
            ("7", "7"),
            ("-1_000", "-1000"),
            ("0xff", "255"),
            ("18446744073709551615", "18446744073709551615"),
            ("0.5", "0.5"),
            ("-2.0", "-2.0"),
            ("1e30", "1e30"),
            ("true", "true"),
            (r#""a\"\\\n\u{1}ž""#, r#""a\"\\\u000a\u0001ž""#),
        ] {
            assert_eq!(json(literal).as_deref(), Some(wanted), "{literal}");
        }
        for literal in ["18446744073709551616", "7u8", "1e999", "b\"x\"", "'x'", "-true"] {
            assert_eq!(json(literal), None, "{literal}");
        }
    }
}
