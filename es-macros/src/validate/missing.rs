//! Options that must be given.

use syn::{Attribute, DeriveInput};

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
    /// Whether there is an attribute to look for options in. If not, `example` says what to write
    /// and nothing more is asked for.
    pub(crate) fn attribute(&self, example: &str) -> Option<&'a Attribute> {
        if self.attribute.is_none() {
            let (ident, name) = (&self.input.ident, self.kind.name);
            self.ctxt.error(
                ident,
                format_args!(
                    "`{ident}` has no `#[{name}(...)]` attribute\nhelp: write `#[{name}({example})]` above `struct {ident}`"
                ),
            );
        }
        self.attribute
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
