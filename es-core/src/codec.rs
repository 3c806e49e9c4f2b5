//! Codecs: how an event becomes bytes. The one seam through which every payload goes.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::recorded::Payload;
use crate::upcast::StoredObject;

/// A way to write events as bytes and to read them back.
///
/// An event names its codec (`#[event(codec = path)]`, [`Json`] when it does not), because the
/// bytes of a stored version are part of that version: another codec is another schema version.
///
/// # Contract
/// 1. `decode(encode(x))` is `x`, or `encode` refuses `x`: what is stored and can not be read ends a history.
/// 2. `decode` never panics, whatever the bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a codec",
    label = "not a codec",
    note = "leave `codec` out for events in JSON, or write `impl Codec for {Self} {{ .. }}`, which says how events become bytes"
)]
pub trait Codec: 'static {
    /// Appends the value's bytes to the buffer.
    ///
    /// # Errors
    /// When the value can not be written, such as a map whose keys are not text in JSON, or could not be
    /// read again.
    fn encode<T: Serialize + DeserializeOwned>(
        value: &T,
        buffer: &mut Vec<u8>,
    ) -> Result<(), CodecError>;

    /// Reads the value that the payload holds, all of it.
    ///
    /// # Errors
    /// When it holds no such value.
    fn decode<T: DeserializeOwned>(payload: Payload<'_>) -> Result<T, CodecError>;
}

/// A codec whose payloads say themselves what they hold, with the names of all fields, so that steps
/// can work on the stored object.
///
/// # Contract
/// An event that is written and then decoded as a `serde_json::Value` is the object that JSON would
/// have of it.
#[diagnostic::on_unimplemented(
    message = "payloads of codec `{Self}` can not be read as objects",
    label = "says nothing about the names of fields",
    note = "use typed steps for this event: `#[upcast(from = n, via = OldStruct)]`",
    note = "or, if its payloads hold the names of fields as JSON does, write `impl SelfDescribing for {Self} {{}}`"
)]
pub trait SelfDescribing: Codec {
    /// The object that the payload holds, for steps that work on its fields.
    #[doc(hidden)]
    fn object(payload: Payload<'_>) -> Result<StoredObject<'_>, CodecError> {
        StoredObject::of(Self::decode(payload)?)
    }

    /// Appends the object as the codec writes it.
    #[doc(hidden)]
    fn write_object(object: &StoredObject<'_>, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        match object.values() {
            Ok(values) => Self::encode(&values, buffer),
            Err(error) => Err(CodecError::new(error.to_string())),
        }
    }
}

/// JSON, by serde_json. Every finite number comes back as it was, to the last bit.
///
/// JSON has no word for a floating-point number that is infinite or not a number: serde_json writes `null`,
/// which is not read as a number again. So a value with a `null` in it is read before it is stored, and refused
/// if that fails. One thing that does not find: such a number in an `Option` comes back as `None`.
#[derive(Clone, Copy, Debug)]
pub struct Json;

/// Notes whether `null` was written, which is the word for what JSON has no word for.
struct NotingNull<'a>(&'a mut bool);

impl Formatter for NotingNull<'_> {
    #[inline]
    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        *self.0 = true;
        CompactFormatter.write_null(writer)
    }
}

impl SelfDescribing for Json {
    fn object(payload: Payload<'_>) -> Result<StoredObject<'_>, CodecError> {
        StoredObject::parse(text(payload)?)
    }

    fn write_object(object: &StoredObject<'_>, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        object.write(buffer)
    }
}

impl Codec for Json {
    fn encode<T: Serialize + DeserializeOwned>(
        value: &T,
        buffer: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let start = buffer.len();
        let mut has_null = false;
        let formatter = NotingNull(&mut has_null);
        match value.serialize(&mut serde_json::Serializer::with_formatter(&mut *buffer, formatter))
        {
            Ok(()) if has_null => match Self::decode::<T>(Payload::Bytes(&buffer[start..])) {
                Ok(_value) => Ok(()),
                Err(error) => Err(not_read_again(&buffer[start..], &error)),
            },
            Ok(()) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn decode<T: DeserializeOwned>(payload: Payload<'_>) -> Result<T, CodecError> {
        // Bytes are made text first: one check of the whole payload is cheaper than serde_json's
        // check of every string in it, and one reader is half the code of two.
        match text(payload) {
            Ok(text) => {
                let mut reader = serde_json::Deserializer::from_str(text);
                match T::deserialize(&mut reader) {
                    Ok(value) => match reader.end() {
                        Ok(()) => Ok(value),
                        Err(error) => Err(failed(error)),
                    },
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) => Err(error),
        }
    }
}

// Every event has its own `encode` and `decode`, and the user's program compiles them all. So they
// are `match`es, not closures, and what does not depend on the event stands here.

#[inline]
fn text(payload: Payload<'_>) -> Result<&str, CodecError> {
    match payload {
        Payload::Text(text) => Ok(text),
        Payload::Bytes(bytes) => std::str::from_utf8(bytes).map_err(not_text),
    }
}

#[cold]
fn failed(error: serde_json::Error) -> CodecError {
    let column = (error.line() == 1).then(|| error.column());
    CodecError { column, ..CodecError::new(error.to_string()) }
}

/// Why a value with a `null` in it is refused.
#[cold]
fn not_read_again(written: &[u8], error: &CodecError) -> CodecError {
    let read = error.column.and_then(|column| str::from_utf8(written).ok()?.get(..column));
    CodecError::new(match read.and_then(null_field) {
        Some(field) => format!(
            "field `{field}` is written as `null`, which could not be read again: {error}; JSON has no word for a \
             number that is infinite or not a number: refuse it where it comes in"
        ),
        None => format!(
            "what is written could not be read again: {error}; JSON has no word for a number that is infinite or not \
             a number, and `null` is written for it"
        ),
    })
}

/// The field that holds the `null` at the end of this part of an object.
fn null_field(read: &str) -> Option<&str> {
    let (object, _) = read.strip_suffix("null")?.rsplit_once("\":")?;
    object.rsplit_once('"').map(|(_, field)| field)
}

#[cold]
fn not_text(error: std::str::Utf8Error) -> CodecError {
    CodecError::new(error.to_string())
}

/// A value that could not be written, or bytes that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CodecError {
    message: String,
    /// How far the reader came in a text of one line.
    column: Option<usize>,
}

impl CodecError {
    /// An error with the codec's own message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), column: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn and_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
        let mut bytes = Vec::new();
        Json::encode(value, &mut bytes).unwrap();
        Json::decode(Payload::Bytes(&bytes)).unwrap()
    }

    proptest! {
        #[test]
        fn numbers_come_back_to_the_last_bit(
            double in any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |it| it.is_finite()),
            single in any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |it| it.is_finite()),
            whole: (u64, i64, u128, i128),
        ) {
            prop_assert_eq!(and_back(&double).to_bits(), double.to_bits());
            prop_assert_eq!(and_back(&single).to_bits(), single.to_bits());
            prop_assert_eq!(and_back(&whole), whole);
        }
    }

    #[derive(Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Measured {
        #[serde(rename = "at \"noon\"")]
        noon: Option<f64>,
        places: Vec<f64>,
    }

    /// Written as another than it is read.
    #[derive(Serialize, serde::Deserialize)]
    struct Crooked {
        note: Option<String>,
        #[serde(serialize_with = "as_text")]
        number: u32,
    }

    fn as_text<S: serde::Serializer>(number: &u32, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(number)
    }

    fn refusal<T: Serialize + DeserializeOwned>(value: &T) -> String {
        Json::encode(value, &mut b"before".to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn what_json_has_no_word_for_is_refused_and_its_field_named() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let places = vec![1.0, number, 2.0];
            assert_eq!(
                refusal(&Measured { noon: None, places }),
                "field `places` is written as `null`, which could not be read again: invalid type: null, expected f64 \
                 at line 1 column 38; JSON has no word for a number that is infinite or not a number: refuse it where \
                 it comes in"
            );
            assert!(
                refusal(&number)
                    .starts_with("what is written could not be read again: invalid type: null")
            );
        }
    }

    #[test]
    fn a_null_that_is_read_again_is_not_blamed_for_another_field() {
        let refusal = refusal(&Crooked { note: None, number: 7 });
        assert!(
            refusal.starts_with(
                "what is written could not be read again: invalid type: string \"7\", expected u32 at line 1 column 25"
            ),
            "{refusal}"
        );
    }

    #[test]
    fn null_is_written_where_it_is_read_again() {
        let measured = Measured { noon: None, places: vec![1.0] };
        assert_eq!(and_back(&measured), measured);
        and_back(&());
        assert_eq!(and_back(&serde_json::Value::Null), serde_json::Value::Null);
    }
}
