//! Counters of the store: where an event stands in its stream, in the global order, and in the
//! evolution of its own schema.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// Defines a 64-bit counter that starts at one and uses zero for "none yet".
macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Before the first one.
            pub const ZERO: Self = Self(0);
            /// The last one there can be; as an upper bound it means "no bound".
            pub const MAX: Self = Self(u64::MAX);

            /// Wraps a number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one that follows. Stays at [`MAX`](Self::MAX), which no store can reach.
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// The one that stands `count` further. Stays at [`MAX`](Self::MAX).
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }
    };
}

counter! {
    /// The place of an event inside its stream: the first event has version 1.
    ///
    /// A stream's own version is that of its last event; [`Version::ZERO`] says that it has none.
    ///
    /// ```
    /// use es_core::Version;
    ///
    /// assert_eq!(Version::ZERO.next(), Version::new(1));
    /// ```
    Version
}

counter! {
    /// The place of an event in the global order of its store: it rises strictly in commit order
    /// and may have gaps. [`Position::ZERO`] stands before every event.
    ///
    /// ```
    /// use es_core::Position;
    ///
    /// assert!(Position::ZERO < Position::new(1));
    /// ```
    Position
}

/// The version of an event's *schema*: 1 for its first released shape, one more for every change
/// that old payloads must be upcast over.
///
/// ```
/// use es_core::SchemaVersion;
///
/// assert_eq!(SchemaVersion::try_from(3)?.get(), 3);
/// assert!(SchemaVersion::try_from(0).is_err());
/// # Ok::<(), es_core::InvalidSchemaVersion>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaVersion(NonZeroU32);

impl SchemaVersion {
    /// The first version of every schema.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// Wraps a number that is known not to be zero.
    pub const fn new(number: NonZeroU32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<u32> for SchemaVersion {
    type Error = InvalidSchemaVersion;

    fn try_from(number: u32) -> Result<Self, InvalidSchemaVersion> {
        NonZeroU32::new(number).map(Self).ok_or(InvalidSchemaVersion)
    }
}

/// A schema version of zero, which no event has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "schema versions start at 1; a stored 0 means that the record was not written by this framework"
)]
pub struct InvalidSchemaVersion;

/// The optimistic-concurrency guard of an append to one stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExpectedVersion {
    /// Append whatever is there.
    Any,
    /// The stream must have no event.
    NoStream,
    /// The stream must have at least one event.
    Exists,
    /// The last event of the stream must have this version; zero is the same as
    /// [`NoStream`](Self::NoStream).
    Exact(Version),
}

impl ExpectedVersion {
    /// Whether a stream whose last event has the version `actual` passes the guard.
    ///
    /// ```
    /// use es_core::{ExpectedVersion, Version};
    ///
    /// assert!(ExpectedVersion::Exact(Version::new(2)).admits(Version::new(2)));
    /// assert!(!ExpectedVersion::NoStream.admits(Version::new(2)));
    /// ```
    pub const fn admits(self, actual: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual.get() == 0,
            Self::Exists => actual.get() > 0,
            Self::Exact(expected) => actual.get() == expected.get(),
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any version"),
            Self::NoStream => formatter.write_str("no stream"),
            Self::Exists => formatter.write_str("an existing stream"),
            Self::Exact(version) => write!(formatter, "version {version}"),
        }
    }
}
