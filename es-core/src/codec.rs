//! Codecs: how an event becomes bytes. The one seam through which every payload goes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::recorded::Payload;
use crate::upcast::StoredObject;

/// A way to write events as bytes and to read them back.
///
/// An event names its codec (`#[event(codec = path)]`, [`Json`] when it does not), because the
/// bytes of a stored version are part of that version: another codec is another schema version.
///
/// # Contract
/// 1. `decode(encode(x))` is `x`.
/// 2. `decode` never panics, whatever the bytes.
pub trait Codec: 'static {
    /// Appends the value's bytes to the buffer.
    ///
    /// # Errors
    /// When the value can not be written, such as a map whose keys are not text in JSON.
    fn encode<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError>;

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
/// which is not read as a number again. Refuse such numbers where they come in, or keep them in an `Option`;
/// the test kit notices an event that does not come back.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl SelfDescribing for Json {
    fn object(payload: Payload<'_>) -> Result<StoredObject<'_>, CodecError> {
        StoredObject::parse(text(payload)?)
    }

    fn write_object(object: &StoredObject<'_>, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        object.write(buffer)
    }
}

impl Codec for Json {
    fn encode<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        done(value.serialize(&mut serde_json::Serializer::new(buffer)))
    }

    fn decode<T: DeserializeOwned>(payload: Payload<'_>) -> Result<T, CodecError> {
        // Bytes are made text first: one check of the whole payload is cheaper than serde_json's
        // check of every string in it, and one reader is half the code of two.
        match text(payload) {
            Ok(text) => {
                let mut reader = serde_json::Deserializer::from_str(text);
                match T::deserialize(&mut reader) {
                    Ok(value) => match done(reader.end()) {
                        Ok(()) => Ok(value),
                        Err(error) => Err(error),
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
fn done(result: serde_json::Result<()>) -> Result<(), CodecError> {
    result.map_err(failed)
}

#[inline]
fn text(payload: Payload<'_>) -> Result<&str, CodecError> {
    match payload {
        Payload::Text(text) => Ok(text),
        Payload::Bytes(bytes) => std::str::from_utf8(bytes).map_err(not_text),
    }
}

#[cold]
fn failed(error: serde_json::Error) -> CodecError {
    CodecError::new(error.to_string())
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
}

impl CodecError {
    /// An error with the codec's own message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
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
}
