//! Values without parts.

/// A value without parts: what it is written as, and which values there can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// Nothing: `()` or a struct without fields.
    Null,
    /// `true` or `false`.
    Bool,
    /// An integer.
    Integer {
        /// Whether it can be negative.
        signed: bool,
        /// How many bits it has.
        bits: u8,
        /// Whether it can be zero.
        zero: bool,
    },
    /// A floating-point number with so many bits.
    Float {
        /// How many bits it has.
        bits: u8,
    },
    /// One character.
    Char,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A UUID, as text.
    Uuid,
    /// A point in time.
    Timestamp,
    /// A date.
    Date,
    /// A time of day.
    Time,
    /// A date and a time of day.
    DateTime,
    /// A length of time in calendar units.
    Span,
    /// A length of time, written as text.
    SignedDuration,
    /// A length of time, written as seconds and nanoseconds.
    Duration,
    /// Any number that JSON can hold.
    Number,
    /// The id of a stream, as text.
    StreamId,
    /// A tag, as text.
    Tag,
    /// An address of a host, of either kind.
    IpAddress,
    /// An address of a host.
    Ipv4Address,
    /// An address of a host.
    Ipv6Address,
    /// An address of a host with a port.
    SocketAddress,
}

impl Scalar {
    /// All of them, with their names in a lock.
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Null, "null"),
        (Self::Bool, "bool"),
        (Self::integer(false, 8), "u8"),
        (Self::integer(false, 16), "u16"),
        (Self::integer(false, 32), "u32"),
        (Self::integer(false, 64), "u64"),
        (Self::integer(false, 128), "u128"),
        (Self::integer(true, 8), "i8"),
        (Self::integer(true, 16), "i16"),
        (Self::integer(true, 32), "i32"),
        (Self::integer(true, 64), "i64"),
        (Self::integer(true, 128), "i128"),
        (Self::nonzero(false, 8), "nonzero-u8"),
        (Self::nonzero(false, 16), "nonzero-u16"),
        (Self::nonzero(false, 32), "nonzero-u32"),
        (Self::nonzero(false, 64), "nonzero-u64"),
        (Self::nonzero(false, 128), "nonzero-u128"),
        (Self::nonzero(true, 8), "nonzero-i8"),
        (Self::nonzero(true, 16), "nonzero-i16"),
        (Self::nonzero(true, 32), "nonzero-i32"),
        (Self::nonzero(true, 64), "nonzero-i64"),
        (Self::nonzero(true, 128), "nonzero-i128"),
        (Self::Float { bits: 32 }, "f32"),
        (Self::Float { bits: 64 }, "f64"),
        (Self::Char, "char"),
        (Self::Text, "text"),
        (Self::Bytes, "bytes"),
        (Self::Uuid, "uuid"),
        (Self::Timestamp, "timestamp"),
        (Self::Date, "date"),
        (Self::Time, "time"),
        (Self::DateTime, "datetime"),
        (Self::Span, "span"),
        (Self::SignedDuration, "signed-duration"),
        (Self::Duration, "duration"),
        (Self::Number, "number"),
        (Self::StreamId, "stream-id"),
        (Self::Tag, "tag"),
        (Self::IpAddress, "ip-address"),
        (Self::Ipv4Address, "ipv4-address"),
        (Self::Ipv6Address, "ipv6-address"),
        (Self::SocketAddress, "socket-address"),
    ];

    /// An integer that can be zero.
    pub const fn integer(signed: bool, bits: u8) -> Self {
        Self::Integer { signed, bits, zero: true }
    }

    /// An integer that can not be zero.
    pub const fn nonzero(signed: bool, bits: u8) -> Self {
        Self::Integer { signed, bits, zero: false }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().map(|(scalar, _)| *scalar)
    }

    /// The one of the name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(scalar, _)| *scalar)
    }

    /// The name in a lock.
    pub const fn name(self) -> &'static str {
        let mut index = 0;
        while index < Self::NAMES.len() {
            if self.is(Self::NAMES[index].0) {
                return Self::NAMES[index].1;
            }
            index += 1;
        }
        // No integer has other bits, since only the impls of `EventData` make them.
        "integer"
    }

    /// Whether both are the same, also while compiling.
    pub(crate) const fn is(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::Integer { signed: a, bits: b, zero: c },
                Self::Integer { signed: d, bits: e, zero: f },
            ) => a == d && b == e && c == f,
            (Self::Float { bits: a }, Self::Float { bits: b }) => a == b,
            _ => self.tag() == other.tag(),
        }
    }

    /// Whether every value of `narrow`, as it is written, is read as a value of this one.
    pub(crate) const fn holds(self, narrow: Self) -> bool {
        match (narrow, self) {
            (
                Self::Integer { signed: was_signed, bits: were, zero: was },
                Self::Integer { signed, bits, zero },
            ) => {
                let range = match (was_signed, signed) {
                    (true, false) => false,
                    (false, true) => were < bits,
                    _ => were <= bits,
                };
                range && (zero || !was)
            }
            (Self::Float { bits: were }, Self::Float { bits }) => were <= bits,
            // What is written as text is text.
            (
                Self::Char
                | Self::Uuid
                | Self::Timestamp
                | Self::Date
                | Self::Time
                | Self::DateTime
                | Self::Span
                | Self::SignedDuration
                | Self::StreamId
                | Self::Tag
                | Self::IpAddress
                | Self::Ipv4Address
                | Self::Ipv6Address
                | Self::SocketAddress,
                Self::Text,
            )
            | (Self::Ipv4Address | Self::Ipv6Address, Self::IpAddress)
            | (Self::Float { .. }, Self::Number) => true,
            // A greater one is read as a number with a fraction.
            (Self::Integer { bits, .. }, Self::Number) => bits <= 64,
            _ => narrow.is(self),
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool => 1,
            Self::Integer { .. } => 2,
            Self::Float { .. } => 3,
            Self::Char => 4,
            Self::Text => 5,
            Self::Bytes => 6,
            Self::Uuid => 7,
            Self::Timestamp => 8,
            Self::Date => 10,
            Self::Time => 11,
            Self::DateTime => 12,
            Self::Span => 13,
            Self::Duration => 14,
            Self::IpAddress => 15,
            Self::Ipv4Address => 16,
            Self::Ipv6Address => 17,
            Self::SocketAddress => 18,
            Self::SignedDuration => 19,
            Self::Number => 20,
            Self::StreamId => 21,
            Self::Tag => 22,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scalar_has_a_name_of_its_own() {
        for scalar in Scalar::all() {
            assert_eq!(Scalar::named(scalar.name()), Some(scalar));
        }
    }

    #[test]
    fn a_wider_number_holds_a_narrower_one() {
        let holds = |wide: &str, narrow: &str| {
            Scalar::named(wide).unwrap().holds(Scalar::named(narrow).unwrap())
        };
        for (wide, narrow) in [
            ("u64", "u32"),
            ("i64", "u32"),
            ("u32", "nonzero-u32"),
            ("f64", "f32"),
            ("text", "uuid"),
        ] {
            assert!(holds(wide, narrow), "{wide} holds {narrow}");
            assert!(!holds(narrow, wide), "{narrow} does not hold {wide}");
        }
        assert!(!holds("i64", "u64"));
        assert!(!holds("u64", "i8"));
        assert!(!holds("nonzero-u64", "u8"));
    }
}
