//! Keys of documents and of partitions.

use std::fmt::{Display, Write as _};

/// What one key is made of: anything that is a text or can be written as one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key",
    label = "the function must answer with one text, or with what can be written as one",
    note = "let it answer with a number, a text, or another value that implements `Display`"
)]
pub trait IntoKey: Display {}

#[diagnostic::do_not_recommend]
impl<K: Display> IntoKey for K {}

/// What the keys of an event are made of: any number of texts, one after another.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a collection of keys",
    label = "the function must answer with any number of keys, because an event may change several documents",
    note = "let it answer with `[key]` for one key, with `Some(key)` or `None`, or with a `Vec` of keys"
)]
pub trait IntoKeys {
    /// Adds them.
    fn add_to(self, keys: &mut Keys);
}

#[diagnostic::do_not_recommend]
impl<C: IntoIterator<Item: IntoKey>> IntoKeys for C {
    fn add_to(self, keys: &mut Keys) {
        self.into_iter().for_each(|key| keys.add(key));
    }
}

/// Keys of documents, or of partitions.
#[derive(Default, Debug)]
pub struct Keys(Vec<String>);

impl Keys {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn into_texts(self) -> Vec<String> {
        self.0
    }

    /// Adds a key; one that is there already is not added again.
    pub fn add(&mut self, key: impl IntoKey) {
        let mut text = String::new();
        // A `Display` that fails has written what it could.
        let _ = write!(text, "{key}");
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    /// Adds keys; those that are there already are not added again.
    pub fn extend(&mut self, keys: impl IntoKeys) {
        keys.add_to(self);
    }
}
