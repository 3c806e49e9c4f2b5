//! Events as JSON Lines, with the names that es-core uses.

use std::borrow::Cow;

use es_core::jiff::Timestamp;
use es_core::{
    EventId, Metadata, Position, Recorded, RecordedEvent, SchemaVersion, StreamId, Tag, Version,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::LineProblem;
use crate::record::{as_json, payload, to_base64};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    position: Position,
    stream: StreamId,
    version: Version,
    event_id: EventId,
    #[serde(borrow)]
    name: Cow<'a, str>,
    schema_version: SchemaVersion,
    recorded_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    payload_base64: Option<Cow<'a, str>>,
}

pub(crate) fn write(recorded: &Recorded<'_>) -> serde_json::Result<String> {
    let bytes = recorded.payload.as_bytes();
    let json = as_json(bytes);
    serde_json::to_string(&Line {
        position: recorded.position,
        stream: recorded.stream.to_stream_id(),
        version: recorded.version,
        event_id: recorded.event_id,
        name: recorded.name.into(),
        schema_version: recorded.schema_version,
        recorded_at: recorded.recorded_at,
        occurred_at: recorded.occurred_at,
        tags: recorded.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        metadata: (!recorded.metadata.is_empty()).then(|| recorded.metadata.clone()),
        payload: json,
        payload_base64: json.is_none().then(|| to_base64(bytes).into()),
    })
}

pub(crate) fn read(line: &str) -> Result<RecordedEvent, LineProblem> {
    let line: Line<'_> = serde_json::from_str(line)?;
    Ok(RecordedEvent {
        position: line.position,
        stream: line.stream,
        version: line.version,
        event_id: line.event_id,
        name: line.name.into_owned(),
        schema_version: line.schema_version,
        payload: payload(line.payload, line.payload_base64.as_deref(), "payload")?,
        tags: line.tags.into_iter().map(Tag::from).collect(),
        recorded_at: line.recorded_at,
        occurred_at: line.occurred_at,
        metadata: line.metadata.unwrap_or_default(),
    })
}
