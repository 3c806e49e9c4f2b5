//! Source text of tokens, as a person writes it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The tokens as text for messages: `billing::Paid<Eur, 3>` and not `billing :: Paid < Eur , 3 >`.
pub(crate) fn written(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write_tokens(tokens.into_token_stream(), &mut text);
    text
}

fn write_tokens(tokens: TokenStream, text: &mut String) {
    let mut after_word = false;
    for token in tokens {
        let word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        if word && after_word {
            text.push(' ');
        }
        match token {
            TokenTree::Ident(ident) => text.push_str(&ident.to_string()),
            TokenTree::Literal(literal) => text.push_str(&literal.to_string()),
            TokenTree::Punct(punct) => {
                let spaced = matches!(punct.as_char(), '=' | '+');
                if spaced && !text.ends_with(' ') {
                    text.push(' ');
                }
                text.push(punct.as_char());
                let ends_arrow = punct.as_char() == '>' && text.ends_with("=>");
                if punct.as_char() == ','
                    || ends_arrow
                    || (spaced && punct.spacing() == Spacing::Alone)
                {
                    text.push(' ');
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write_tokens(group.stream(), text);
                text.push_str(close);
            }
        }
        after_word = word;
    }
}

/// `FundsDeposited` as `funds_deposited`: a first guess at a stored name.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// `billing` or `funds_deposited` as `Billing` or `FundsDeposited`.
pub(crate) fn pascal_case(name: &str) -> String {
    let mut pascal = String::new();
    for word in name.split('_') {
        let mut characters = word.chars();
        if let Some(first) = characters.next() {
            pascal.extend(first.to_uppercase());
            pascal.extend(characters);
        }
    }
    pascal
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn paths_are_written_without_spaces() {
        assert_eq!(written(quote!(::billing::Paid<Eur, [u8; 3]>)), "::billing::Paid<Eur, [u8;3]>");
        assert_eq!(written(quote!(billing::Paid as Other)), "billing::Paid as Other");
        let step = quote!(#[upcast(from = 1, rename("a" => "b"), add(c = -1))]);
        assert_eq!(written(step), r#"#[upcast(from = 1, rename("a" => "b"), add(c = -1))]"#);
    }

    #[test]
    fn cases_are_converted() {
        assert_eq!(snake_case("FundsDeposited"), "funds_deposited");
        assert_eq!(pascal_case("funds_deposited"), "FundsDeposited");
    }
}
