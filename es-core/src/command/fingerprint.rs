//! What tells a command from another one that is sent under the same id.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error};

use crate::stable_hash;

/// A hash of the names of a command's fields, and one of their values.
///
/// It is recorded with the first event of a command that has an id, so that another command under
/// that id is noticed. The derive makes it of every field that serde can write, but the aggregate's
/// id, which the stream says, and fields marked `#[command(varies)]`. The order inside lists does
/// not count, because that of a hash set means nothing.
///
/// When a field was added, renamed or removed since, the values can not be compared, and the name
/// of the command alone decides.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CommandFingerprint {
    fields: u32,
    values: u64,
}

impl CommandFingerprint {
    /// Adds a field.
    pub fn field(&mut self, name: &str, value: &impl Serialize) {
        // What can not be written is known by its name alone, as a field without serde.
        if let Ok(value) = serde_json::to_value(value) {
            let name = stable_hash::of_bytes(name.as_bytes());
            self.fields = self.fields.wrapping_add(name as u32);
            let field = stable_hash::mixed(name, stable_hash::of_value(&value));
            self.values = self.values.wrapping_add(field);
        }
    }

    /// Whether this is surely another command than the one with the fingerprint `first`.
    pub fn contradicts(&self, first: &Self) -> bool {
        self.fields == first.fields && self.values != first.values
    }
}

impl fmt::Display for CommandFingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}-{:016x}", self.fields, self.values)
    }
}

impl FromStr for CommandFingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let (fields, values) = text.split_once('-').ok_or(InvalidFingerprint)?;
        let fields = u32::from_str_radix(fields, 16).map_err(|_| InvalidFingerprint)?;
        let values = u64::from_str_radix(values, 16).map_err(|_| InvalidFingerprint)?;
        Ok(Self { fields, values })
    }
}

/// A text that is no [`CommandFingerprint`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "no fingerprint of a command; it is written as two hexadecimal numbers, `0a1b2c3d-0123456789abcdef`"
)]
pub struct InvalidFingerprint;

impl Serialize for CommandFingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CommandFingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn of<T: Serialize>(fields: &[(&str, T)]) -> CommandFingerprint {
        let mut fingerprint = CommandFingerprint::default();
        for (name, value) in fields {
            fingerprint.field(name, value);
        }
        fingerprint
    }

    #[test]
    fn a_recorded_fingerprint_never_changes() {
        assert_eq!(of::<u8>(&[]).to_string(), "00000000-0000000000000000");
        assert_eq!(of(&[("amount", 30)]).to_string(), RECORDED);
        assert_eq!(RECORDED.parse(), Ok(of(&[("amount", 30)])));
        assert_eq!("amount".parse::<CommandFingerprint>(), Err(InvalidFingerprint));
    }

    const RECORDED: &str = "a2b16969-23326001a52c4ec0";

    #[test]
    fn other_values_contradict_and_other_fields_do_not() {
        let first = of(&[("amount", 30), ("fee", 1)]);
        assert!(of(&[("amount", 1), ("fee", 30)]).contradicts(&first));
        assert!(of(&[("amount", 31), ("fee", 1)]).contradicts(&first));
        assert!(!of(&[("fee", 1), ("amount", 30)]).contradicts(&first));
        assert!(!of(&[("amount", 31), ("fee", 1), ("currency", 7)]).contradicts(&first));
        assert!(!of(&[("amount", 31)]).contradicts(&first));
    }

    proptest! {
        #[test]
        fn a_command_never_contradicts_itself(
            texts in prop::collection::hash_set(".{0,3}", 0..9), number in any::<f64>(),
        ) {
            let again: HashSet<_> = texts.iter().cloned().collect();
            let mut first = of(&[("texts", &texts)]);
            first.field("number", &number);
            let mut second = of(&[("number", number)]);
            second.field("texts", &again);
            prop_assert!(!second.contradicts(&first));
            prop_assert_eq!(first.to_string().parse(), Ok(second));
        }

        #[test]
        fn another_value_contradicts(a in any::<(i64, Option<String>)>(), b in any::<(i64, Option<String>)>()) {
            let pair = |(number, text)| (number, [text]);
            let (first, second) = (of(&[("a", pair(a.clone()))]), of(&[("a", pair(b.clone()))]));
            prop_assert_eq!(second.contradicts(&first), a != b);
        }
    }
}
