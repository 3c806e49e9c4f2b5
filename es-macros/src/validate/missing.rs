//! Options that must be given.

use syn::{Attribute, DeriveInput, Meta};

use super::item::keyword;
use crate::attribute::AttributeKind;
use crate::ctxt::Ctxt;

/// Asks for the options that are missing.
pub(crate) struct Required<'a> {
    pub(crate) ctxt: &'a Ctxt,
    pub(crate) kind: &'static AttributeKind,
    pub(crate) input: &'a DeriveInput,
    pub(crate) attribute: Option<&'a Attribute>,
}

impl<'a> Required<'a> {
    /// The attribute to look for options in. If there is none, `example` says what to write and
    /// nothing more is asked for.
    pub(crate) fn attribute(&self, example: &str) -> Option<&'a Attribute> {
        if self.attribute.is_none() {
            let (ident, name, keyword) = (&self.input.ident, self.kind.name, keyword(self.input));
            self.ctxt.error(
                ident,
                format_args!(
                    "`{ident}` has no `#[{name}(...)]` attribute\nhelp: write `#[{name}({example})]` above `{keyword} {ident}`"
                ),
            );
        }
        // `#[event = ..]` has no options and was refused for it.
        self.attribute.filter(|attribute| !matches!(attribute.meta, Meta::NameValue(_)))
    }

    /// Says that an option is missing, and what to add.
    pub(crate) fn option(&self, attribute: &Attribute, option: &str, add: &str) {
        let AttributeKind { name, noun, .. } = self.kind;
        let ident = &self.input.ident;
        self.ctxt.error(
            attribute.path(),
            format_args!("{noun} `{ident}` has no `{option}`\nhelp: add {add} to `#[{name}(...)]`"),
        );
    }
}
