//! Names that go into a store and stay there.

use syn::ext::IdentExt;
use syn::{DeriveInput, LitStr};

use crate::ctxt::Ctxt;
use crate::written::snake_case;

/// What the name of one kind of thing may be.
pub(crate) struct NameRule {
    /// `an event`
    pub(crate) of: &'static str,
    /// What the name is for.
    pub(crate) purpose: &'static str,
    /// The longest name that stores take.
    pub(crate) bytes: usize,
    /// Whether the name is followed by `/` and an id.
    pub(crate) begins_stream: bool,
}

/// Checks a name that was given.
pub(crate) fn check(ctxt: &Ctxt, input: &DeriveInput, name: Option<&LitStr>, rule: &NameRule) {
    let Some(literal) = name else { return };
    let (name, of) = (literal.value(), rule.of);
    if name.trim().is_empty() {
        let (suggestion, purpose) = (suggestion(input), rule.purpose);
        ctxt.error(
            literal,
            format_args!(
                "the name of {of} can not be empty: {purpose}\nhelp: write `name = \"{suggestion}\"`, and keep that name when the type is renamed"
            ),
        );
    } else if name.contains(char::is_control) {
        let without = name.replace(char::is_control, ".");
        ctxt.error(
            literal,
            format_args!(
                "the name of {of} can not hold control characters such as line breaks\nhelp: write `name = \"{without}\"`"
            ),
        );
    } else if name.len() > rule.bytes {
        let (bytes, limit) = (name.len(), rule.bytes);
        ctxt.error(
            literal,
            format_args!("the name of {of} has {bytes} bytes, but stores take {limit}"),
        );
    } else if rule.begins_stream && name.contains('/') {
        let without = name.replace('/', ".");
        ctxt.error(
            literal,
            format_args!(
                "the name of {of} can not hold `/`, which stands between name and id in a stream\nhelp: write `name = \"{without}\"`"
            ),
        );
    }
}

/// A stored name to begin with.
pub(crate) fn suggestion(input: &DeriveInput) -> String {
    snake_case(&input.ident.unraw().to_string())
}
