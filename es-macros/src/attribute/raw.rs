//! Splits the text of an attribute into options, whatever is in it.
//!
//! `name = "..", events(..), creates` becomes three options. What makes no sense is reported and
//! skipped up to the next comma, so that one mistake does not hide the options after it. Where it is
//! plain what was meant, that is taken, so that nobody asks for it again.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use syn::LitStr;

use crate::ctxt::Ctxt;
use crate::written::written;

/// One option: its key, and what stands behind it.
#[derive(Debug)]
pub(crate) struct RawOption {
    pub(crate) key: Ident,
    pub(crate) form: Form,
    /// Whether a mistake in it was reported already: what it most likely means is all that counts.
    pub(crate) reported: bool,
}

impl RawOption {
    /// Reads the value. One mistake has one message.
    pub(crate) fn read<T>(
        &self,
        ctxt: &Ctxt,
        read: impl FnOnce(&Ctxt, &Self) -> Option<T>,
    ) -> Option<T> {
        if !self.reported {
            return read(ctxt, self);
        }
        let silent = Ctxt::new();
        let value = read(&silent, self);
        let _ = silent.finish();
        value
    }
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

/// Splits the tokens between the parentheses of an attribute. A string that stands alone is taken for
/// the option `text`, where there is one.
pub(crate) fn split(ctxt: &Ctxt, tokens: TokenStream, text: Option<&str>) -> Vec<RawOption> {
    let (mut options, mut taken) = (Vec::new(), Vec::new());
    for tokens in split_at_commas(with_commas(ctxt, tokens)) {
        for tokens in split_at_missing_commas(ctxt, tokens) {
            match only_text(&tokens) {
                Some(value) => taken.extend(without_key(ctxt, &value, text)),
                None => options.extend(option(ctxt, tokens)),
            }
        }
    }
    // What is written under its name counts before what is taken for it.
    options.extend(taken);
    options
}

/// Puts a comma where a semicolon stands.
fn with_commas(ctxt: &Ctxt, tokens: TokenStream) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Punct(semicolon) if semicolon.as_char() == ';' => {
            ctxt.error(&semicolon, "options are separated by commas\nhelp: write `,`");
            TokenTree::Punct(Punct::new(',', Spacing::Alone))
        }
        token => token,
    });
    tokens.collect()
}

/// The string, if there is nothing else.
fn only_text(tokens: &[TokenTree]) -> Option<LitStr> {
    match tokens {
        [only @ TokenTree::Literal(_)] => syn::parse2(TokenStream::from(only.clone())).ok(),
        _ => None,
    }
}

fn without_key(ctxt: &Ctxt, value: &LitStr, text: Option<&str>) -> Option<RawOption> {
    let written = written(value);
    let help = match text {
        Some(key) => format!("write `{key} = {written}`"),
        None => "write the name of the option before it".to_owned(),
    };
    ctxt.error(value, format_args!("an option starts with its name\nhelp: {help}"));
    let form = Form::Value(quote::ToTokens::to_token_stream(value));
    Some(RawOption { key: Ident::new(text?, value.span()), form, reported: true })
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
    let mut reported = false;
    let form = match tokens.next() {
        None => Form::Alone,
        Some(equals) if is_equals(&equals) => Form::Value(tokens.by_ref().collect()),
        Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Parenthesis => {
            Form::List(list)
        }
        // `events[A, B]`: whoever reads the option says what it takes.
        Some(brackets @ TokenTree::Group(_)) => Form::Value(brackets.into()),
        Some(other) => {
            let form = behind_marks(&other, tokens.by_ref());
            let shown = match &form {
                Form::Alone => " = ...".to_owned(),
                Form::Value(value) => format!(" = {}", written(value)),
                Form::List(list) => written(list),
            };
            ctxt.error(
                other,
                format_args!(
                    "expected `=`, `(` or a comma after `{key}`\nhelp: write `{key}{shown}`"
                ),
            );
            if let Form::Alone = form {
                return None;
            }
            reported = true;
            form
        }
    };
    if let Some(extra) = tokens.next() {
        ctxt.error(extra, format_args!("expected a comma after `{key}(...)`"));
    }
    Some(RawOption { key, form, reported })
}

/// What stands behind the `:`, `==` or `=>` that was written for `=`.
fn behind_marks(first: &TokenTree, rest: impl Iterator<Item = TokenTree>) -> Form {
    let all = [first.clone()].into_iter().chain(rest);
    let behind: Vec<_> = all.skip_while(|it| matches!(it, TokenTree::Punct(_))).collect();
    match &behind[..] {
        [] => Form::Alone,
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Parenthesis => {
            Form::List(list.clone())
        }
        _ => Form::Value(TokenStream::from_iter(behind)),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn keys_and_errors(tokens: TokenStream) -> (Vec<String>, bool) {
        let ctxt = Ctxt::new();
        let options = split(&ctxt, tokens, Some("title"));
        let keys = options.iter().map(|option| option.key.to_string()).collect();
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
        assert_eq!(keys, ["name", "version", "events", "creates", "title"]);
        assert!(failed);
    }

    #[test]
    fn what_stands_behind_another_mark_than_an_equals_sign_is_taken() {
        for tokens in
            [quote!(name: "a"), quote!(name == "a"), quote!(name => "a"), quote!(name "a")]
        {
            let ctxt = Ctxt::new();
            let options = split(&ctxt, tokens, None);
            let [RawOption { form: Form::Value(value), reported: true, .. }] = &options[..] else {
                panic!("{options:?}")
            };
            assert_eq!(value.to_string(), "\"a\"");
            assert!(ctxt.finish().is_err());
        }
    }

    #[test]
    fn a_semicolon_is_reported_and_separates() {
        let (keys, failed) = keys_and_errors(quote!(name = "a"; version = 2; creates;));
        assert_eq!(keys, ["name", "version", "creates"]);
        assert!(failed);
    }

    #[test]
    fn a_missing_comma_is_reported_and_the_next_option_is_read() {
        let (keys, failed) = keys_and_errors(quote!(name = "a" version = 2, id = A));
        assert_eq!(keys, ["name", "version", "id"]);
        assert!(failed);
    }
}
