//! Adding a field to the fingerprint of a command if serde can write it.
//!
//! Generated code calls `(&Field(&self.amount)).add_to(..)`. Of the two methods the compiler takes
//! the one that needs fewer references: [`Written`] if the type is `Serialize`, else [`Opaque`].

use serde::Serialize;

use crate::command::CommandFingerprint;

/// A field of a command.
pub struct Field<'a, T>(pub &'a T);

/// A field that serde can write.
pub trait Written {
    /// Adds name and value.
    fn add_to(&self, fingerprint: &mut CommandFingerprint, name: &str);
}

impl<T: Serialize> Written for Field<'_, T> {
    fn add_to(&self, fingerprint: &mut CommandFingerprint, name: &str) {
        fingerprint.field(name, self.0);
    }
}

/// A field that serde can not write: commands under one id are not told apart by it.
pub trait Opaque {
    /// Adds nothing.
    fn add_to(&self, fingerprint: &mut CommandFingerprint, name: &str);
}

impl<T> Opaque for &Field<'_, T> {
    fn add_to(&self, _: &mut CommandFingerprint, _: &str) {}
}
