//! Events in the JSON format of CloudEvents 1.0.
//!
//! `id`, `type`, `time` and `data` are what their names say; `source` is the stream as a reference.
//! All else stands in extension attributes, whose values are texts, as CloudEvents wants them.

use std::borrow::Cow;
use std::fmt::Write as _;

use es_core::jiff::Timestamp;
use es_core::{Metadata, Recorded, RecordedEvent, StreamRef, Tag};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::LineProblem;
use crate::record::{as_json, parsed, payload, to_base64, wrong};

#[derive(Serialize, Deserialize)]
struct CloudEvent<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    time: Timestamp,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<Cow<'a, str>>,
    stream: String,
    streamversion: String,
    position: String,
    schemaversion: String,
    recordedat: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurredat: Option<Timestamp>,
    /// A JSON list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlationid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// All metadata, as a JSON object; correlation, causation and actor stand beside it for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data_base64: Option<Cow<'a, str>>,
}

pub(crate) fn write(recorded: &Recorded<'_>) -> serde_json::Result<String> {
    let bytes = recorded.payload.as_bytes();
    let json = as_json(bytes);
    let content = if json.is_some() { "application/json" } else { "application/octet-stream" };
    let metadata = recorded.metadata;
    let tags: Vec<_> = recorded.tags.iter().map(Tag::as_str).collect();
    serde_json::to_string(&CloudEvent {
        specversion: "1.0".into(),
        id: recorded.event_id.to_string().into(),
        source: reference(recorded.stream).into(),
        r#type: recorded.name.into(),
        time: recorded.happened_at(),
        datacontenttype: Some(content.into()),
        stream: recorded.stream.as_str().to_owned(),
        streamversion: recorded.version.to_string(),
        position: recorded.position.to_string(),
        schemaversion: recorded.schema_version.to_string(),
        recordedat: recorded.recorded_at,
        occurredat: recorded.occurred_at,
        tags: if tags.is_empty() { None } else { Some(serde_json::to_string(&tags)?) },
        correlationid: metadata.correlation_id().map(|id| id.to_string()),
        causationid: metadata.causation_id().map(|id| id.to_string()),
        actor: metadata.actor().map(ToOwned::to_owned),
        metadata: if metadata.is_empty() { None } else { Some(serde_json::to_string(metadata)?) },
        data: json,
        data_base64: json.is_none().then(|| to_base64(bytes).into()),
    })
}

pub(crate) fn read(line: &str) -> Result<RecordedEvent, LineProblem> {
    let event: CloudEvent<'_> = serde_json::from_str(line)?;
    if event.specversion != "1.0" {
        return Err(wrong("specversion", format_args!("`{}` is not 1.0", event.specversion)));
    }
    let tags: Vec<String> = match &event.tags {
        Some(text) => serde_json::from_str(text).map_err(|error| wrong("tags", error))?,
        None => Vec::new(),
    };
    let metadata: Metadata = match &event.metadata {
        Some(text) => serde_json::from_str(text).map_err(|error| wrong("metadata", error))?,
        None => Metadata::EMPTY,
    };
    let version = parsed::<u64>("streamversion", &event.streamversion)?;
    let position = parsed::<u64>("position", &event.position)?;
    let schema_version = parsed::<u32>("schemaversion", &event.schemaversion)?;
    Ok(RecordedEvent {
        position: es_core::Position::new(position),
        stream: parsed("stream", &event.stream)?,
        version: es_core::Version::new(version),
        event_id: parsed("id", &event.id)?,
        name: event.r#type.into_owned(),
        schema_version: schema_version.try_into().map_err(|error| wrong("schemaversion", error))?,
        payload: payload(event.data, event.data_base64.as_deref(), "data")?,
        tags: tags.into_iter().map(Tag::from).collect(),
        recorded_at: event.recordedat,
        occurred_at: event.occurredat,
        metadata,
    })
}

/// The stream as a reference: what a reference can not hold is written in per cent.
fn reference(stream: StreamRef<'_>) -> String {
    let mut text = String::from("/");
    for byte in stream.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into());
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}
