//! The place where a derive keeps the value of one option.

use proc_macro2::Ident;

/// An option that was given or not.
///
/// One that was given with a value that makes no sense has a key and no value: the mistake is
/// reported already, so nobody should ask for the option again.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    key: Option<Ident>,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { key: None, value: None }
    }
}

impl<T> Slot<T> {
    pub(crate) fn key(&self) -> Option<&Ident> {
        self.key.as_ref()
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    pub(crate) fn into_value(self) -> Option<T> {
        self.value
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.key.is_none()
    }

    pub(crate) fn fill(&mut self, key: Ident, value: Option<T>) {
        self.key = Some(key);
        self.value = value;
    }
}
