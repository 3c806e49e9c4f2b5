//! `snapshot(every = 100, version = 2)`: when an aggregate is kept, and which meaning its state has.

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
    pub(crate) version: Slot<LitInt>,
}

const OPTIONS: [&str; 2] = ["every", "version"];

/// Reads `snapshot(every = 100, version = 2)`.
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
    let (mut every, mut version) = (Slot::default(), Slot::default());
    for inner in raw::split(ctxt, inside) {
        let name = inner.key.unraw().to_string();
        let meant = match nearest(&name, OPTIONS) {
            Some(known) if known == name => known,
            meant => {
                let help = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "the options are `every` and `version`".to_owned(),
                };
                ctxt.error(
                    &inner.key,
                    format_args!("unknown `snapshot` option `{name}`\nhelp: {help}"),
                );
                match meant {
                    Some(meant) => meant,
                    None => continue,
                }
            }
        };
        let slot = if meant == "every" { &mut every } else { &mut version };
        if slot.is_missing() {
            let number = value::number(ctxt, &inner);
            slot.fill(inner.key, number);
        } else {
            let key = &inner.key;
            ctxt.error(key, format_args!("`{key}` is given twice\nhelp: keep one of them"));
        }
    }
    Some(SnapshotOption { key: option.key.clone(), every, version })
}
