//! Paths to fields of stored objects: `amount`, `address.zip`, `lines[].amount`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::LitStr;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};

/// A path to a field by its stored name.
#[derive(Clone)]
pub(crate) struct FieldPath {
    /// What was written.
    pub(crate) token: FieldToken,
    /// At least one; the last is a field.
    pub(crate) segments: Vec<Segment>,
}

/// One part of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Segment {
    /// The field of an object.
    Field(String),
    /// Every element of a list.
    Elements,
}

/// How a path is written.
#[derive(Clone)]
pub(crate) enum FieldToken {
    /// `amount`
    Ident(Ident),
    /// `"lines[].amount"`
    Literal(LitStr),
}

impl FieldPath {
    /// The field of the event itself: the first segment.
    pub(crate) fn root(&self) -> &str {
        match self.segments.first() {
            Some(Segment::Field(name)) => name,
            _ => "",
        }
    }

    /// The name of the field that the path leads to: the last segment.
    pub(crate) fn name(&self) -> &str {
        match self.segments.last() {
            Some(Segment::Field(name)) => name,
            _ => "",
        }
    }

    /// Whether it leads to a field of the event itself.
    pub(crate) fn is_top_level(&self) -> bool {
        self.segments.len() == 1
    }

    /// Everything but the last segment.
    pub(crate) fn parent(&self) -> &[Segment] {
        self.segments.split_last().map_or(&[], |(_, parent)| parent)
    }

    /// `lines[].amount`
    pub(crate) fn text(&self) -> String {
        match &self.token {
            FieldToken::Ident(ident) => ident.unraw().to_string(),
            FieldToken::Literal(literal) => literal.value(),
        }
    }
}

impl ToTokens for FieldPath {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.token {
            FieldToken::Ident(ident) => ident.to_tokens(tokens),
            FieldToken::Literal(literal) => literal.to_tokens(tokens),
        }
    }
}

impl Parse for FieldPath {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            let literal: LitStr = input.parse()?;
            return match segments(&literal.value()) {
                Some(segments) => Ok(Self { token: FieldToken::Literal(literal), segments }),
                None => Err(syn::Error::new_spanned(
                    &literal,
                    format_args!(
                        "`{}` is no path to a field\nhelp: write stored names with `.` between them, and `[]` behind a list, such as `\"lines[].amount\"`; for anything else use `with = path::to::function`",
                        literal.value()
                    ),
                )),
            };
        }
        let ident = input.call(Ident::parse_any)?;
        let segments = vec![Segment::Field(ident.unraw().to_string())];
        Ok(Self { token: FieldToken::Ident(ident), segments })
    }
}

fn segments(text: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    for part in text.split('.') {
        let mut name = part;
        let mut lists = 0_usize;
        while let Some(list) = name.strip_suffix("[]") {
            name = list;
            lists += 1;
        }
        if name.is_empty() || name.contains(['[', ']']) || name.trim() != name {
            return None;
        }
        segments.push(Segment::Field(name.to_owned()));
        segments.extend(std::iter::repeat_n(Segment::Elements, lists));
    }
    // What a step renames, adds or removes is a field.
    matches!(segments.last(), Some(Segment::Field(_))).then_some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_through_objects_and_lists_to_a_field() {
        let field = |name: &str| Segment::Field(name.to_owned());
        let path = segments("lines[][].tax rate.é").unwrap();
        let elements = Segment::Elements;
        assert_eq!(
            path,
            [field("lines"), elements.clone(), elements, field("tax rate"), field("é")]
        );
        for wrong in ["", ".", "a.", ".a", "a..b", "[]", "a[]", "a[0].b", "[].a", "a ", "a]b"] {
            assert_eq!(segments(wrong), None, "{wrong}");
        }
    }
}
