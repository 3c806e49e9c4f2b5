//! The name of a stream: a category and the id of one aggregate in it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest category, in bytes.
pub const MAX_CATEGORY_BYTES: usize = 256;
/// The longest id inside a category, in bytes.
pub const MAX_ID_BYTES: usize = 1024;

const SEPARATOR: char = '/';

/// The name of a stream, written `category/id`.
///
/// The category is the aggregate's stored name and holds no `/`; the id is any other text.
/// Cloning shares the text.
///
/// ```
/// use es_core::StreamId;
///
/// let stream = StreamId::new("account", "CZ/42")?;
/// assert_eq!(stream.to_string(), "account/CZ/42");
/// assert_eq!(stream.category(), "account");
/// assert_eq!(stream.id(), "CZ/42");
/// assert_eq!("account/CZ/42".parse::<StreamId>()?, stream);
/// # Ok::<(), es_core::InvalidStreamId>(())
/// ```
#[derive(Clone, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId {
    text: Arc<str>,
    category_bytes: usize,
}

impl StreamId {
    /// Names the stream of `id` in `category`.
    ///
    /// # Errors
    /// When a part is empty or too long, or the category holds a `/` or a control character.
    pub fn new(category: &str, id: impl fmt::Display) -> Result<Self, InvalidStreamId> {
        let mut text = String::with_capacity(category.len() + 24);
        text.push_str(category);
        text.push(SEPARATOR);
        fmt::Write::write_fmt(&mut text, format_args!("{id}")).map_err(|_| InvalidStreamId {
            text: category.to_owned(),
            problem: StreamIdProblem::IdNotPrintable,
        })?;
        Self::check(text, category.len())
    }

    /// The text before the first `/`.
    pub fn category(&self) -> &str {
        self.borrowed().category()
    }

    /// The text after the first `/`.
    pub fn id(&self) -> &str {
        self.borrowed().id()
    }

    /// `category/id`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A borrowed view.
    pub fn borrowed(&self) -> StreamRef<'_> {
        StreamRef { text: &self.text, category_bytes: self.category_bytes }
    }

    fn check(text: String, category_bytes: usize) -> Result<Self, InvalidStreamId> {
        let (category, id) = (&text[..category_bytes], &text[category_bytes + 1..]);
        let problem = if category.is_empty() {
            StreamIdProblem::EmptyCategory
        } else if category.len() > MAX_CATEGORY_BYTES {
            StreamIdProblem::LongCategory
        } else if category.contains(|c: char| c == SEPARATOR || c.is_control()) {
            StreamIdProblem::CategoryCharacter
        } else if id.is_empty() {
            StreamIdProblem::EmptyId
        } else if id.len() > MAX_ID_BYTES {
            StreamIdProblem::LongId
        } else {
            return Ok(Self { text: text.into(), category_bytes });
        };
        Err(InvalidStreamId { text, problem })
    }
}

// The text says where the category ends.
impl PartialEq for StreamId {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Most are copies of one.
        Arc::ptr_eq(&self.text, &other.text) || self.text == other.text
    }
}

impl Hash for StreamId {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, InvalidStreamId> {
        match text.find(SEPARATOR) {
            Some(category_bytes) => Self::check(text, category_bytes),
            None => Err(InvalidStreamId { text, problem: StreamIdProblem::NoSeparator }),
        }
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.text.as_ref().to_owned()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, formatter)
    }
}

/// A [`StreamId`] whose text is borrowed, as records of a page have it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamRef<'a> {
    text: &'a str,
    category_bytes: usize,
}

impl<'a> StreamRef<'a> {
    /// The text before the first `/`.
    pub fn category(self) -> &'a str {
        &self.text[..self.category_bytes]
    }

    /// The text after the first `/`.
    pub fn id(self) -> &'a str {
        &self.text[self.category_bytes + 1..]
    }

    /// `category/id`.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// Reads the id as the type that an aggregate declares for it.
    ///
    /// # Errors
    /// When the text is not one of that type.
    pub fn parse_id<T: FromStr>(self) -> Result<T, InvalidAggregateId>
    where
        T::Err: fmt::Display,
    {
        self.id().parse().map_err(|error: T::Err| InvalidAggregateId {
            stream: self.to_stream_id(),
            type_name: std::any::type_name::<T>(),
            reason: error.to_string(),
        })
    }

    /// The owned name.
    pub fn to_stream_id(self) -> StreamId {
        StreamId { text: self.text.into(), category_bytes: self.category_bytes }
    }

    /// The parts of a view: the text and the length of the category in it.
    #[inline]
    pub(crate) fn parts(self) -> (&'a str, usize) {
        (self.text, self.category_bytes)
    }

    /// The view made of [`parts`](Self::parts).
    #[inline]
    pub(crate) fn from_parts(text: &'a str, category_bytes: usize) -> Self {
        Self { text, category_bytes }
    }
}

impl fmt::Display for StreamRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text)
    }
}

impl fmt::Debug for StreamRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, formatter)
    }
}

/// A text that names no stream.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` names no stream: {problem}")]
pub struct InvalidStreamId {
    text: String,
    problem: StreamIdProblem,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum StreamIdProblem {
    #[error("write `category/id`")]
    NoSeparator,
    #[error("the category is empty; it is the aggregate's stored name")]
    EmptyCategory,
    #[error("the category is longer than {MAX_CATEGORY_BYTES} bytes")]
    LongCategory,
    #[error("a category holds neither `/` nor control characters")]
    CategoryCharacter,
    #[error("the id is empty; every aggregate instance needs one")]
    EmptyId,
    #[error("the id is longer than {MAX_ID_BYTES} bytes")]
    LongId,
    #[error("the id could not be printed; its `Display` returned an error")]
    IdNotPrintable,
}

/// The id part of a stream's name that is not of the aggregate's id type.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the id of stream `{stream}` is not a `{type_name}`: {reason}")]
pub struct InvalidAggregateId {
    stream: StreamId,
    type_name: &'static str,
    reason: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_that_is_accepted_reads_back_as_its_parts(category in ".{0,20}", id in ".{0,20}") {
            if let Ok(stream) = StreamId::new(&category, &id) {
                prop_assert_eq!((stream.category(), stream.id()), (category.as_str(), id.as_str()));
                prop_assert_eq!(&stream.to_string().parse::<StreamId>().unwrap(), &stream);
                prop_assert_eq!(&stream.borrowed().to_stream_id(), &stream);
            } else {
                prop_assert!(
                    category.is_empty() || id.is_empty()
                        || category.contains(|c: char| c == '/' || c.is_control())
                );
            }
        }

        #[test]
        fn any_text_is_a_name_or_an_error(text in any::<String>()) {
            if let Ok(stream) = text.parse::<StreamId>() {
                prop_assert_eq!(stream.as_str(), text);
            }
        }
    }

    #[test]
    fn an_id_of_another_type_says_stream_type_and_reason() {
        let stream = StreamId::new("account", "seven").unwrap();
        assert_eq!(
            stream.borrowed().parse_id::<u64>().unwrap_err().to_string(),
            "the id of stream `account/seven` is not a `u64`: invalid digit found in string"
        );
    }

    #[test]
    fn parts_that_are_too_long_are_refused() {
        assert!(StreamId::new(&"c".repeat(MAX_CATEGORY_BYTES), "i".repeat(MAX_ID_BYTES)).is_ok());
        assert!(StreamId::new(&"c".repeat(MAX_CATEGORY_BYTES + 1), "i").is_err());
        assert!(StreamId::new("c", "i".repeat(MAX_ID_BYTES + 1)).is_err());
    }
}
