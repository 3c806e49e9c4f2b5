//! `documents`, `documents(key = path, remove_when = path)`

use syn::Path;

use super::raw::{self, Form, RawOption};
use super::slot::Slot;
use super::value;
use crate::ctxt::Ctxt;

/// What is said about the documents of a projection.
#[derive(Default)]
pub(crate) struct DocumentsOption {
    /// The function that gives the keys of the documents that an event changes.
    pub(crate) key: Slot<Path>,
    /// The function that says when a document has nothing to say any more.
    pub(crate) remove_when: Slot<Path>,
}

/// Reads `documents` or `documents(..)`.
pub(crate) fn documents(ctxt: &Ctxt, option: &RawOption) -> Option<DocumentsOption> {
    let mut documents = DocumentsOption::default();
    let list = match &option.form {
        Form::Alone => return Some(documents),
        Form::List(list) => list,
        Form::Value(_) => {
            ctxt.error(
                &option.key,
                "the options of `documents` stand in parentheses\nhelp: write `documents`, or `documents(key = path::to::function)`",
            );
            return None;
        }
    };
    for option in raw::split(ctxt, list.stream(), None) {
        let key = option.key.clone();
        let slot = match key.to_string().as_str() {
            "key" => &mut documents.key,
            "remove_when" => &mut documents.remove_when,
            _ => {
                ctxt.error(
                    &key,
                    format_args!(
                        "unknown option `{key}` of `documents`\nhelp: it takes `key` and `remove_when`, each the path of a function"
                    ),
                );
                continue;
            }
        };
        if slot.is_missing() {
            let path = option.read(ctxt, value::path);
            slot.fill(key, path);
        } else {
            ctxt.error(&key, format_args!("`{key}` is given twice\nhelp: keep one of them"));
        }
    }
    Some(documents)
}
