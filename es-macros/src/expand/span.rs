//! Where errors in generated code are reported.

use proc_macro2::Span;
use quote::ToTokens;

/// The first and the last token. What begins with the one and ends with the other is underlined
/// like the tokens themselves.
pub(super) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.into_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
