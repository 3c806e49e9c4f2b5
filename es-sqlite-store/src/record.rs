//! The record of one event: everything but its payload, packed into one blob and sealed with a
//! checksum over both.
//!
//! Every column of a row costs a reader as much as a short payload does, so that a row has two that
//! are read: this one and the payload. The view `events` takes it apart for people.

use es_core::jiff::Timestamp;
use es_core::{EventId, Metadata, Position, Tags, Version};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::error::{Damage, Failure, event_id};

/// Where the fields stand, all big-endian. The view of the schema reads the same places.
const EVENT_ID: usize = 0;
const POSITION: usize = 16;
const STREAM: usize = 24;
const VERSION: usize = 32;
const EVENT_TYPE: usize = 40;
pub(crate) const RECORDED_AT: usize = 44;
pub(crate) const OCCURRED_AT: usize = 52;
/// Behind the fields stand the extras, as JSON, if there are any; the checksum ends the record.
pub(crate) const EXTRAS: usize = 60;
pub(crate) const CHECKSUM_BYTES: usize = 8;

/// What a time is that is not known: no time there is.
const NO_TIME: i64 = i64::MIN;

/// The fixed fields of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fields {
    pub(crate) event_id: EventId,
    pub(crate) position: Position,
    /// The number of the stream.
    pub(crate) stream: i64,
    pub(crate) version: Version,
    /// The number of the event type.
    pub(crate) event_type: u32,
    /// In microseconds since 1970.
    pub(crate) recorded_at: i64,
    pub(crate) occurred_at: Option<i64>,
}

/// What few events have.
#[derive(PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extras {
    #[serde(default, skip_serializing_if = "no_tags")]
    pub(crate) tags: Tags,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub(crate) metadata: Metadata,
}

impl Extras {
    /// As they stand in a record: nothing if there are none.
    pub(crate) fn written(&self) -> Result<Vec<u8>, Failure> {
        if no_tags(&self.tags) && self.metadata.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::to_vec(self)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()).into())
    }
}

fn no_tags(tags: &Tags) -> bool {
    tags.as_slice().is_empty()
}

/// Writes the record of an event. `names` is the [seal] of its stream's and its type's name.
pub(crate) fn write(
    record: &mut Vec<u8>,
    fields: &Fields,
    extras: &[u8],
    names: u64,
    payload: &[u8],
) {
    record.clear();
    record.extend_from_slice(fields.event_id.as_uuid().as_bytes());
    record.extend_from_slice(&fields.position.get().to_be_bytes());
    record.extend_from_slice(&fields.stream.to_be_bytes());
    record.extend_from_slice(&fields.version.get().to_be_bytes());
    record.extend_from_slice(&fields.event_type.to_be_bytes());
    record.extend_from_slice(&fields.recorded_at.to_be_bytes());
    record.extend_from_slice(&fields.occurred_at.unwrap_or(NO_TIME).to_be_bytes());
    record.extend_from_slice(extras);
    let checksum = checksum(record, names, payload);
    record.extend_from_slice(&checksum.to_be_bytes());
}

/// A record as it comes out of a row.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    sealed: &'a [u8],
    checksum: u64,
    pub(crate) fields: Fields,
}

impl<'a> Record<'a> {
    /// Takes a record apart, without knowing yet whether it is what was written.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Damage> {
        let short =
            || Damage::Malformed { position: Position::ZERO, what: "its record is too short" };
        let (sealed, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(short)?;
        let fixed = sealed.first_chunk::<EXTRAS>().ok_or_else(short)?;
        let occurred_at = i64::from_be_bytes(take(fixed, OCCURRED_AT));
        Ok(Self {
            sealed,
            checksum: u64::from_be_bytes(*checksum),
            fields: Fields {
                event_id: event_id(take(fixed, EVENT_ID)),
                position: Position::new(u64::from_be_bytes(take(fixed, POSITION))),
                stream: i64::from_be_bytes(take(fixed, STREAM)),
                version: Version::new(u64::from_be_bytes(take(fixed, VERSION))),
                event_type: u32::from_be_bytes(take(fixed, EVENT_TYPE)),
                recorded_at: i64::from_be_bytes(take(fixed, RECORDED_AT)),
                occurred_at: (occurred_at != NO_TIME).then_some(occurred_at),
            },
        })
    }

    /// Whether the record, its payload and the names it refers to are what was written.
    #[inline]
    pub(crate) fn verify(&self, names: u64, payload: &[u8]) -> Result<(), Damage> {
        if checksum(self.sealed, names, payload) == self.checksum {
            Ok(())
        } else {
            Err(Damage::Checksum { position: self.fields.position })
        }
    }

    pub(crate) fn has_extras(&self) -> bool {
        self.sealed.len() > EXTRAS
    }

    pub(crate) fn extras(&self) -> Result<Extras, Damage> {
        serde_json::from_slice(&self.sealed[EXTRAS..])
            .map_err(|_| self.malformed("its tags or metadata are not those of an event"))
    }

    pub(crate) fn malformed(&self, what: &'static str) -> Damage {
        Damage::Malformed { position: self.fields.position, what }
    }
}

/// A time that was one when it was written.
#[inline]
pub(crate) fn time(microseconds: i64) -> Option<Timestamp> {
    let time = Timestamp::from_microsecond(microseconds);
    // The last second there is can not be made of microseconds.
    time.or_else(|_| Timestamp::from_nanosecond(i128::from(microseconds) * 1000)).ok()
}

/// What ties records to the name of a stream: it goes into their checksums.
pub(crate) fn stream_seal(stream: &str) -> u64 {
    xxh3_64(stream.as_bytes())
}

/// What ties records to an event type.
pub(crate) fn type_seal(name: &str, schema_version: u32) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), u64::from(schema_version)).rotate_left(32)
}

#[inline]
fn checksum(sealed: &[u8], names: u64, payload: &[u8]) -> u64 {
    xxh3_64_with_seed(payload, xxh3_64_with_seed(sealed, names))
}

#[inline]
fn take<const N: usize>(fixed: &[u8; EXTRAS], start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&fixed[start..start + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> impl Strategy<Value = Fields> {
        let ids = (any::<[u8; 16]>(), any::<u64>(), any::<i64>(), any::<u64>());
        let times = (any::<i64>(), proptest::option::of(i64::MIN + 1..));
        (ids, any::<u32>(), times).prop_map(|(ids, event_type, times)| Fields {
            event_id: event_id(ids.0),
            position: Position::new(ids.1),
            stream: ids.2,
            version: Version::new(ids.3),
            event_type,
            recorded_at: times.0,
            occurred_at: times.1,
        })
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was_written(
            fields in fields(),
            tags in proptest::collection::vec(".{1,8}", 0..4),
            payload in any::<Vec<u8>>(),
            names in any::<u64>(),
        ) {
            let extras = Extras {
                tags: tags.into_iter().map(es_core::Tag::from).collect(),
                metadata: Metadata::default().with("key", "value"),
            };
            let mut bytes = Vec::new();
            write(&mut bytes, &fields, &serde_json::to_vec(&extras).unwrap(), names, &payload);
            let record = Record::read(&bytes).unwrap();
            prop_assert_eq!(record.fields, fields);
            prop_assert_eq!(record.extras().unwrap(), extras);
            prop_assert_eq!(record.verify(names, &payload), Ok(()));
        }

        #[test]
        fn a_record_with_one_other_bit_is_noticed(
            fields in fields(),
            payload in proptest::collection::vec(any::<u8>(), 1..64),
            bit in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            write(&mut bytes, &fields, b"", 7, &payload);
            let bit = bit.index((bytes.len() + payload.len()) * 8);
            let (mut altered, mut other_payload) = (bytes.clone(), payload.clone());
            match altered.get_mut(bit / 8) {
                Some(byte) => *byte ^= 1 << (bit % 8),
                None => other_payload[bit / 8 - bytes.len()] ^= 1 << (bit % 8),
            }
            let record = Record::read(&altered).unwrap();
            prop_assert!(record.verify(7, &other_payload).is_err());
            prop_assert!(Record::read(&bytes).unwrap().verify(8, &payload).is_err());
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in any::<Vec<u8>>()) {
            if let Ok(record) = Record::read(&bytes) {
                let _ = record.extras();
                let _ = (time(record.fields.recorded_at), record.verify(0, b""));
            }
        }
    }
}
