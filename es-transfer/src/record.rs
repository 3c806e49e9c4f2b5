//! An event as a line of text, in one of two formats.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use es_core::bytes::Bytes;
use es_core::{Recorded, RecordedEvent};
use serde_json::value::RawValue;

use crate::error::LineProblem;
use crate::{cloud_events, json_lines};

/// How events stand in a file: one a line, in both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Format {
    /// A JSON object with the names that es-core uses.
    #[default]
    JsonLines,
    /// A [CloudEvents](https://cloudevents.io) 1.0 event in its JSON format. What CloudEvents has no
    /// attribute for stands in extension attributes.
    CloudEvents,
}

impl Format {
    /// An event as a line, without a line break.
    ///
    /// # Errors
    /// When serde can not write it.
    pub fn write(self, recorded: &Recorded<'_>) -> serde_json::Result<String> {
        match self {
            Self::JsonLines => json_lines::write(recorded),
            Self::CloudEvents => cloud_events::write(recorded),
        }
    }

    /// The event that a line holds.
    ///
    /// # Errors
    /// When it holds none.
    pub fn read(self, line: &str) -> Result<RecordedEvent, LineProblem> {
        match self {
            Self::JsonLines => json_lines::read(line),
            Self::CloudEvents => cloud_events::read(line),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::JsonLines => "jsonl",
            Self::CloudEvents => "cloudevents",
        })
    }
}

/// The payload as JSON, if it can stand in a line so that the same bytes come back.
pub(crate) fn as_json(payload: &[u8]) -> Option<&RawValue> {
    let json: &RawValue = serde_json::from_slice(payload).ok()?;
    // White space around it would be lost, and a line break inside would end the line.
    let whole = json.get().len() == payload.len();
    (whole && !payload.iter().any(|byte| matches!(byte, b'\n' | b'\r'))).then_some(json)
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The payload that stands in one field or the other.
pub(crate) fn payload(
    json: Option<&RawValue>,
    base64: Option<&str>,
    field: &'static str,
) -> Result<Bytes, LineProblem> {
    match (json, base64) {
        (Some(json), None) => Ok(Bytes::copy_from_slice(json.get().as_bytes())),
        (None, Some(text)) => {
            let bytes = STANDARD.decode(text);
            bytes.map(Bytes::from).map_err(|error| wrong(field, error))
        }
        (None, None) => Err(wrong(field, "there is no payload")),
        (Some(_), Some(_)) => Err(wrong(field, "there are two payloads")),
    }
}

pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, LineProblem> {
    text.parse().map_err(|error| wrong(field, error))
}

pub(crate) fn wrong(field: &'static str, reason: impl fmt::Display) -> LineProblem {
    LineProblem::Field { field, reason: reason.to_string() }
}
