//! Three steps over data that nobody here wrote: events of the CloudEvents specification in four of
//! its versions become, from each of them, what that project's own SDK made of them.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use es_core::prelude::*;
use es_core::{
    Commit, EventStore, ExpectedVersion, JsonObject, StreamId, StreamRange, UpcastError,
};
use es_memory_store::MemoryStore;
use es_tests::history::older;
use serde_json::Value;

const SAMPLE: &str = include_str!("../data/cloudevents-upcast-sample.jsonl");
const VERSIONS: [&str; 4] = ["v0.1", "v0.2", "v0.3", "v1.0"];

/// Each line: the event in the four versions, oldest first.
fn sample() -> Vec<[Value; 4]> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        VERSIONS.map(|version| line[version].take())
    };
    SAMPLE.lines().map(line).collect()
}

fn lift_extensions(event: &mut JsonObject) -> Result<(), UpcastError> {
    event.insert("specversion".to_owned(), "0.2".into());
    let Some(extensions) = event.remove("extensions") else { return Ok(()) };
    let Value::Object(extensions) = extensions else {
        return Err(UpcastError::new("the extensions are no object").at("extensions"));
    };
    event.extend(extensions.into_iter().map(|(name, value)| (name.to_lowercase(), value)));
    Ok(())
}

fn version_0_3(event: &mut JsonObject) -> Result<(), UpcastError> {
    event.insert("specversion".to_owned(), "0.3".into());
    Ok(())
}

fn version_1_0(event: &mut JsonObject) -> Result<(), UpcastError> {
    event.insert("specversion".to_owned(), "1.0".into());
    Ok(())
}

/// The event with its steps in one order of the attributes.
macro_rules! cloud_event {
    ($module:ident, $(#[$step:meta])*) => {
        mod $module {
            use super::*;

            #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
            #[event(name = "cloudevent", version = 4)]
            $(#[$step])*
            pub(crate) struct CloudEvent {
                specversion: String,
                r#type: String,
                source: String,
                id: String,
                #[serde(skip_serializing_if = "Option::is_none")]
                time: Option<String>,
                #[serde(skip_serializing_if = "Option::is_none")]
                datacontenttype: Option<String>,
                #[serde(skip_serializing_if = "Option::is_none")]
                dataschema: Option<String>,
                #[serde(flatten)]
                rest: JsonObject,
            }

            #[derive(Aggregate, Default)]
            #[aggregate(name = "cloud", id = u64, events(CloudEvent), register = false)]
            pub(crate) struct Source {
                pub(crate) seen: Vec<Value>,
            }

            impl Apply<CloudEvent> for Source {
                fn apply(&mut self, event: &CloudEvent) {
                    self.seen.push(serde_json::to_value(event).unwrap());
                }
            }
        }
    };
}

cloud_event! {
    oldest_first,
    #[upcast(
        from = 1,
        rename(
            "eventType" => "type",
            "eventID" => "id",
            "eventTime" => "time",
            "eventTypeVersion" => "eventtypeversion",
            "contentType" => "contenttype",
            "schemaURL" => "schemaurl",
            "cloudEventsVersion" => "specversion",
        ),
        with = lift_extensions,
    )]
    #[upcast(from = 2, rename("contenttype" => "datacontenttype"), with = version_0_3)]
    #[upcast(from = 3, rename("schemaurl" => "dataschema"), with = version_1_0)]
}

cloud_event! {
    newest_first,
    #[upcast(from = 3, with = version_1_0, rename("schemaurl" => "dataschema"))]
    #[upcast(from = 2, with = version_0_3, rename("contenttype" => "datacontenttype"))]
    #[upcast(
        from = 1,
        rename("schemaURL" => "schemaurl"),
        rename("contentType" => "contenttype"),
        with = lift_extensions,
        remove(cloudEventsVersion),
        rename("eventTypeVersion" => "eventtypeversion"),
        rename("eventTime" => "time", "eventID" => "id", "eventType" => "type"),
    )]
}

/// A store with one stream for each line, in which the event stands in all four versions.
async fn store() -> MemoryStore {
    let store = MemoryStore::new();
    for (stream, versions) in (0_u64..).zip(sample()) {
        let stream = StreamId::new("cloud", stream).unwrap();
        let events = (1..).zip(&versions);
        let events =
            events.map(|(version, event)| older("cloudevent", version, &event.to_string()));
        let commit = Commit::new(stream, ExpectedVersion::NoStream, events.collect()).unwrap();
        store.append(&commit).await.unwrap();
    }
    store
}

async fn loads_the_newest_from_every_version<A: Aggregate<Id = u64>>(seen: fn(A) -> Vec<Value>) {
    let runtime = Runtime::builder(store().await).start().await.unwrap();
    let sample = sample();
    assert_eq!(sample.len(), 40);
    for (stream, versions) in (0..).zip(sample) {
        let loaded = runtime.load::<A>(&stream).await.unwrap();
        assert_eq!(loaded.version, Version::new(4));
        for (seen, stored) in seen(loaded.state).iter().zip(VERSIONS) {
            assert_eq!(seen, &versions[3], "line {stream} from {stored}");
        }
    }
}

#[tokio::test]
async fn every_version_becomes_the_newest_as_the_sdk_made_it() {
    loads_the_newest_from_every_version(|source: oldest_first::Source| source.seen).await;
}

#[tokio::test]
async fn the_order_of_the_attributes_does_not_matter() {
    loads_the_newest_from_every_version(|source: newest_first::Source| source.seen).await;
}

#[tokio::test]
async fn the_stored_bytes_stay_as_they_are() {
    let runtime = Runtime::builder(store().await).start().await.unwrap();
    for (stream, versions) in (0_u64..).zip(sample()) {
        runtime.load::<oldest_first::Source>(&stream).await.unwrap();
        let id = StreamId::new("cloud", stream).unwrap();
        let page = runtime.store().read_stream(&id, StreamRange::all()).await.unwrap();
        for ((version, written), stored) in (1..).zip(versions).zip(page.events.iter()) {
            assert_eq!(stored.schema_version.get(), version);
            assert_eq!(stored.payload.as_bytes(), written.to_string().as_bytes());
        }
    }
}
