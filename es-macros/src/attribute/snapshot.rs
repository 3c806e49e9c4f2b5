//! `snapshot(every = 100)`: when an aggregate is kept.

use proc_macro2::Ident;
use syn::LitInt;
use syn::ext::IdentExt;

use super::nearest::nearest;
use super::raw::{self, Form, RawOption};
use super::slot::Slot;
use super::value;
use crate::ctxt::Ctxt;
use crate::written::written;

/// What `snapshot(..)` says.
pub(crate) struct SnapshotOption {
    /// The key, for messages about the whole.
    pub(crate) key: Ident,
    pub(crate) every: Slot<LitInt>,
}

const EVERY: &str = "every";

/// Reads `snapshot(every = 100)`.
pub(crate) fn snapshot(ctxt: &Ctxt, option: &RawOption) -> Option<SnapshotOption> {
    let Form::List(list) = &option.form else {
        let count = match &option.form {
            Form::Value(value) if syn::parse2::<LitInt>(value.clone()).is_ok() => written(value),
            _ => "100".to_owned(),
        };
        ctxt.error(
            &option.key,
            format_args!(
                "`snapshot` is a list in parentheses\nhelp: write `snapshot(every = {count})`"
            ),
        );
        return None;
    };
    let inside = list.stream();
    let mut every = Slot::default();
    for inner in raw::split(ctxt, inside, None) {
        let name = inner.key.unraw().to_string();
        let meant = nearest(&name, [EVERY]);
        if name != EVERY {
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the only option here is `{EVERY}`"),
            };
            ctxt.error(
                &inner.key,
                format_args!("unknown `snapshot` option `{name}`\nhelp: {help}"),
            );
        }
        if meant.is_none() {
            continue;
        }
        if every.is_missing() {
            let number = inner.read(ctxt, value::number);
            every.fill(inner.key, number);
        } else {
            let key = &inner.key;
            ctxt.error(key, format_args!("`{key}` is given twice\nhelp: keep one of them"));
        }
    }
    Some(SnapshotOption { key: option.key.clone(), every })
}
