//! Splits the text of an attribute into options, whatever is in it.
//!
//! `name = "..", events(..), creates` becomes three options. What makes no sense is reported and
//! skipped up to the next comma, so that one mistake does not hide the options after it.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};

use crate::ctxt::Ctxt;

/// One option: its key, and what stands behind it.
#[derive(Debug)]
pub(crate) struct RawOption {
    pub(crate) key: Ident,
    pub(crate) form: Form,
}

/// What stands behind the key of an option.
#[derive(Debug)]
pub(crate) enum Form {
    /// `creates`
    Alone,
    /// `name = ..`; empty if the value was forgotten.
    Value(TokenStream),
    /// `events(..)`
    List(Group),
}

/// Splits the tokens between the parentheses of an attribute.
pub(crate) fn split(ctxt: &Ctxt, tokens: TokenStream) -> Vec<RawOption> {
    split_at_commas(tokens)
        .into_iter()
        .flat_map(|tokens| split_at_missing_commas(ctxt, tokens))
        .filter_map(|tokens| option(ctxt, tokens))
        .collect()
}

/// Splits at the commas that are not inside `<..>`. Empty parts are left out.
pub(crate) fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut depth = 0_usize;
    let mut after_dash = false;
    for token in tokens {
        let mut dash = false;
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                ',' if depth == 0 => {
                    parts.push(std::mem::take(&mut part));
                    continue;
                }
                '<' => depth += 1,
                // The end of an arrow closes nothing.
                '>' if !after_dash => depth = depth.saturating_sub(1),
                '-' => dash = true,
                _ => {}
            }
        }
        after_dash = dash;
        part.push(token);
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Splits `name = "a" version = 2` before `version` and says that a comma is missing there.
fn split_at_missing_commas(ctxt: &Ctxt, tokens: Vec<TokenTree>) -> Vec<Vec<TokenTree>> {
    let mut parts = Vec::new();
    let mut part: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let begins_option = tokens.peek().is_some_and(is_equals);
        if let (TokenTree::Ident(key), true, false) = (&token, begins_option, part.is_empty()) {
            ctxt.error(key, format_args!("a comma is missing before `{key}`"));
            parts.push(std::mem::take(&mut part));
        }
        part.push(token);
    }
    parts.push(part);
    parts
}

fn is_equals(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct)
        if punct.as_char() == '=' && punct.spacing() == Spacing::Alone)
}

fn option(ctxt: &Ctxt, tokens: Vec<TokenTree>) -> Option<RawOption> {
    let mut tokens = tokens.into_iter();
    let key = match tokens.next()? {
        TokenTree::Ident(key) => key,
        other => {
            ctxt.error(other, "an option starts with its name\nhelp: write `name = \"...\"`");
            return None;
        }
    };
    let form = match tokens.next() {
        None => Form::Alone,
        Some(equals) if is_equals(&equals) => Form::Value(tokens.by_ref().collect()),
        Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Parenthesis => {
            Form::List(list)
        }
        Some(other) => {
            ctxt.error(
                other,
                format_args!(
                    "expected `=`, `(` or a comma after `{key}`\nhelp: write `{key} = ...`"
                ),
            );
            return None;
        }
    };
    if let Some(extra) = tokens.next() {
        ctxt.error(extra, format_args!("expected a comma after `{key}(...)`"));
    }
    Some(RawOption { key, form })
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn keys_and_errors(tokens: TokenStream) -> (Vec<String>, bool) {
        let ctxt = Ctxt::new();
        let keys = split(&ctxt, tokens).iter().map(|option| option.key.to_string()).collect();
        (keys, ctxt.finish().is_err())
    }

    #[test]
    fn options_are_split_at_commas_outside_of_type_arguments() {
        let (keys, failed) = keys_and_errors(quote!(
            id = Id<A, fn(u8) -> u8>, events(A, B), crate = ::es, creates,
        ));
        assert_eq!(keys, ["id", "events", "crate", "creates"]);
        assert!(!failed);
    }

    #[test]
    fn a_mistake_does_not_hide_the_options_after_it() {
        let (keys, failed) =
            keys_and_errors(quote!("account", name: "a", version = 2, events(A) B, creates));
        assert_eq!(keys, ["version", "events", "creates"]);
        assert!(failed);
    }

    #[test]
    fn a_missing_comma_is_reported_and_the_next_option_is_read() {
        let (keys, failed) = keys_and_errors(quote!(name = "a" version = 2, id = A));
        assert_eq!(keys, ["name", "version", "id"]);
        assert!(failed);
    }
}
