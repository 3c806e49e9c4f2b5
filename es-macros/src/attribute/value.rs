//! Reads the value of an option, and says what to write when it is of the wrong kind.

use std::ops::RangeInclusive;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parse;
use syn::{Lit, LitInt, LitStr, Path, Type};

use super::raw::{Form, RawOption};
use crate::ctxt::Ctxt;
use crate::written::written;

/// The kind of value that an option takes.
struct Kind {
    /// `a string`
    noun: &'static str,
    /// What to write when nothing better is known.
    example: &'static str,
}

/// Where the lock of an event is.
#[derive(Clone)]
pub(crate) enum LockOption {
    /// `lock = false`: nowhere.
    Off,
    /// `lock = "past.lock"`: there, seen from the source file.
    File(LitStr),
}

/// `name = "account.opened"`
pub(crate) fn string(ctxt: &Ctxt, option: &RawOption) -> Option<LitStr> {
    const KIND: Kind = Kind { noun: "a string", example: "\"...\"" };
    let tokens = value(ctxt, option, &KIND)?;
    match syn::parse2(tokens.clone()) {
        Ok(Lit::Str(string)) if string.suffix().is_empty() => Some(string),
        _ => wrong(ctxt, option, &KIND, tokens, |text| match text.contains(['"', '(', '!']) {
            // A call or a macro is no text that somebody forgot to put in quotes.
            true => KIND.example.to_owned(),
            false => format!("{text:?}"),
        }),
    }
}

/// `version = 3`
pub(crate) fn number(ctxt: &Ctxt, option: &RawOption) -> Option<LitInt> {
    number_in(ctxt, option, 1..=u32::MAX, &Kind { noun: "a number", example: "1" })
}

/// The numbers of partitions that a projection can have.
pub(crate) const PARTITIONS: RangeInclusive<u32> = 2..=256;

/// `partitions = 8`
pub(crate) fn partitions(ctxt: &Ctxt, option: &RawOption) -> Option<LitInt> {
    number_in(ctxt, option, PARTITIONS, &Kind { noun: "a number", example: "8" })
}

/// Reads a number and suggests one of the range. Whether a plain number is in it is for the rules to
/// say: they know why.
fn number_in(
    ctxt: &Ctxt,
    option: &RawOption,
    range: RangeInclusive<u32>,
    kind: &Kind,
) -> Option<LitInt> {
    let tokens = value(ctxt, option, kind)?;
    let suggested = |number: &u32| range.contains(number);
    match syn::parse2(tokens.clone()) {
        Ok(Lit::Int(number)) => {
            let plain = number.base10_digits().parse::<u32>();
            if plain.is_ok() && number.suffix().is_empty() {
                return Some(number);
            }
            let RawOption { key, .. } = option;
            let meant = plain.ok().filter(suggested);
            let meant = meant.map(|plain| LitInt::new(&plain.to_string(), number.span()));
            let example = meant.as_ref().map_or(kind.example, LitInt::base10_digits);
            let (first, last) = (range.start(), range.end());
            ctxt.error(
                number,
                format_args!(
                    "`{key}` is a number from {first} to {last}, without a suffix\nhelp: write `{key} = {example}`"
                ),
            );
            meant
        }
        _ => wrong(ctxt, option, kind, tokens, |text| {
            let number = text.parse::<u32>().ok().filter(suggested);
            number.map_or_else(|| kind.example.to_owned(), |number| number.to_string())
        }),
    }
}

/// `register = false`
pub(crate) fn boolean(ctxt: &Ctxt, option: &RawOption) -> Option<bool> {
    const KIND: Kind = Kind { noun: "`true` or `false`", example: "false" };
    let tokens = value(ctxt, option, &KIND)?;
    match syn::parse2(tokens.clone()) {
        Ok(Lit::Bool(boolean)) => Some(boolean.value),
        _ => wrong(ctxt, option, &KIND, tokens, |text| match text {
            "true" => text.to_owned(),
            _ => KIND.example.to_owned(),
        }),
    }
}

/// `codec = path::to::Codec`
pub(crate) fn path(ctxt: &Ctxt, option: &RawOption) -> Option<Path> {
    syntax(ctxt, option, &Kind { noun: "a path", example: "path::to::it" })
}

/// `id = AccountId`
pub(crate) fn ty(ctxt: &Ctxt, option: &RawOption) -> Option<Type> {
    syntax(ctxt, option, &Kind { noun: "a type", example: "path::to::Type" })
}

/// `enum = AccountFact`
pub(crate) fn ident(ctxt: &Ctxt, option: &RawOption) -> Option<Ident> {
    syntax(ctxt, option, &Kind { noun: "a name", example: "Name" })
}

/// `creates`
pub(crate) fn flag(ctxt: &Ctxt, option: &RawOption) -> Option<()> {
    if let Form::Alone = option.form {
        return Some(());
    }
    let RawOption { key, .. } = option;
    ctxt.error(key, format_args!("`{key}` takes no value\nhelp: write `{key}` alone"));
    None
}

/// `tag` or `tag = "student"`: the key, if there is one.
pub(crate) fn tag_key(ctxt: &Ctxt, option: &RawOption) -> Option<Option<LitStr>> {
    match option.form {
        Form::Alone => Some(None),
        _ => string(ctxt, option).map(Some),
    }
}

/// `opaque` or `opaque = "decimal"`: the label, if there is one.
pub(crate) fn label(ctxt: &Ctxt, option: &RawOption) -> Option<Option<LitStr>> {
    tag_key(ctxt, option)
}

/// `lock = false` or `lock = "past.lock"`
pub(crate) fn lock(ctxt: &Ctxt, option: &RawOption) -> Option<LockOption> {
    const KIND: Kind = Kind { noun: "`false` or the path of a file", example: "false" };
    let tokens = value(ctxt, option, &KIND)?;
    match syn::parse2(tokens.clone()) {
        Ok(Lit::Bool(boolean)) if !boolean.value => Some(LockOption::Off),
        Ok(Lit::Str(file)) => Some(LockOption::File(file)),
        _ => wrong(ctxt, option, &KIND, tokens, |_| KIND.example.to_owned()),
    }
}

/// `events(..)`: what stands between the parentheses.
pub(crate) fn list(ctxt: &Ctxt, option: &RawOption) -> Option<TokenStream> {
    listed(ctxt, option, |text| text.parse().ok())
}

/// `retired(..)`: the same where the items are strings themselves.
pub(crate) fn list_of_texts(ctxt: &Ctxt, option: &RawOption) -> Option<TokenStream> {
    listed(ctxt, option, |text| Some(text.to_token_stream()))
}

/// `quoted` says what is meant by `events = "A"`.
fn listed(
    ctxt: &Ctxt,
    option: &RawOption,
    quoted: impl FnOnce(&LitStr) -> Option<TokenStream>,
) -> Option<TokenStream> {
    let RawOption { key, .. } = option;
    let inside = match &option.form {
        Form::List(list) => return Some(list.stream()),
        Form::Alone => None,
        Form::Value(value) => Some(value),
    };
    let (items, meant) = match inside.and_then(only_token) {
        Some(TokenTree::Group(group)) => (written(group.stream()), Some(group.stream())),
        Some(token) => {
            let meant = match syn::parse2(token.to_token_stream()) {
                Ok(Lit::Str(text)) => quoted(&text),
                _ => None,
            };
            (written(meant.clone().unwrap_or_else(|| token.into())), meant)
        }
        None => ("...".to_owned(), None),
    };
    ctxt.error(key, format_args!("`{key}` is a list in parentheses\nhelp: write `{key}({items})`"));
    // What was meant is plain: nothing that depends on it shall be reported too.
    meant
}

/// Reads a value that is no literal. One that was put in quotes is reported and still taken: what
/// was meant is plain, and nothing that depends on it shall be reported too.
fn syntax<T: Parse>(ctxt: &Ctxt, option: &RawOption, kind: &Kind) -> Option<T> {
    let tokens = value(ctxt, option, kind)?;
    syn::parse2(tokens.clone()).ok().or_else(|| {
        wrong::<T>(ctxt, option, kind, tokens, |text| match syn::parse_str::<T>(text) {
            Ok(_) => text.to_owned(),
            Err(_) => kind.example.to_owned(),
        });
        syn::parse2::<LitStr>(tokens.clone()).ok()?.parse().ok()
    })
}

/// What stands behind the `=`.
fn value<'a>(ctxt: &Ctxt, option: &'a RawOption, kind: &Kind) -> Option<&'a TokenStream> {
    let (RawOption { key, .. }, Kind { example, .. }) = (option, kind);
    match &option.form {
        Form::Value(value) if !value.is_empty() => return Some(value),
        Form::Alone | Form::Value(_) => {
            ctxt.error(key, format_args!("`{key}` needs a value\nhelp: write `{key} = {example}`"))
        }
        Form::List(list) => {
            let inside = written(list.stream());
            let inside = if inside.is_empty() { *example } else { &inside };
            ctxt.error(
                list,
                format_args!(
                    "the value of `{key}` stands after `=`\nhelp: write `{key} = {inside}`"
                ),
            );
        }
    }
    None
}

/// Reports a value of the wrong kind; `corrected` makes the right one of its text.
fn wrong<T>(
    ctxt: &Ctxt,
    option: &RawOption,
    kind: &Kind,
    found: &TokenStream,
    corrected: impl FnOnce(&str) -> String,
) -> Option<T> {
    let (RawOption { key, .. }, noun) = (option, kind.noun);
    let (other, text) = match syn::parse2(found.clone()) {
        Ok(Lit::Str(string)) => (Some("a string"), string.value()),
        Ok(Lit::Int(number)) => (Some("a number"), number.to_string()),
        Ok(Lit::Float(number)) => (Some("a number with a fraction"), number.to_string()),
        Ok(Lit::Char(character)) => (Some("a character"), character.value().to_string()),
        Ok(Lit::ByteStr(bytes)) => {
            (Some("a string of bytes"), String::from_utf8_lossy(&bytes.value()).into_owned())
        }
        Ok(Lit::CStr(string)) => {
            (Some("a string of C"), string.value().to_string_lossy().into_owned())
        }
        _ => (None, written(found)),
    };
    let corrected = corrected(&text);
    match other {
        Some(other) => ctxt.error(
            found,
            format_args!("`{key}` is {noun}, not {other}\nhelp: write `{key} = {corrected}`"),
        ),
        None => ctxt
            .error(found, format_args!("`{key}` takes {noun}\nhelp: write `{key} = {corrected}`")),
    }
    None
}

/// The only token, if there is just one.
fn only_token(tokens: &TokenStream) -> Option<TokenTree> {
    let mut tokens = tokens.clone().into_iter();
    let only = tokens.next();
    only.filter(|_| tokens.next().is_none())
}
