//! Codecs: how an event becomes bytes. The one seam through which every payload goes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::recorded::Payload;

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

/// JSON, by serde_json.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Codec for Json {
    fn encode<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        serde_json::to_writer(buffer, value).map_err(|error| CodecError::new(error.to_string()))
    }

    #[inline]
    fn decode<T: DeserializeOwned>(payload: Payload<'_>) -> Result<T, CodecError> {
        let read = match payload {
            Payload::Text(text) => serde_json::from_str(text),
            Payload::Bytes(bytes) => serde_json::from_slice(bytes),
        };
        read.map_err(|error| CodecError::new(error.to_string()))
    }
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
