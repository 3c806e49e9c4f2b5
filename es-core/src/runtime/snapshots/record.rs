//! A snapshot as it is stored: JSON, with everything that says whether it can be used.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::codec::CodecError;
use crate::fingerprint::Fingerprint;
use crate::identity::EventId;
use crate::snapshot::SnapshotForm;
use crate::stable_hash;
use crate::store::StateError;
use crate::version::Version;

/// The state of an aggregate after an event.
pub(super) struct Snapshot<A> {
    pub(super) state: A,
    pub(super) version: Version,
    /// The event with this version: another one there means another history.
    pub(super) event_id: EventId,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    aggregate: &'a str,
    fingerprint: Fingerprint,
    version: Version,
    event_id: EventId,
    /// Of all the rest, so that damage is noticed.
    checksum: String,
    #[serde(borrow)]
    state: &'a RawValue,
}

impl Stored<'_> {
    fn sum(&self) -> String {
        let Self { aggregate, fingerprint, version, event_id, state, .. } = self;
        let head = format!("{aggregate}\n{fingerprint}\n{version}\n{event_id}\n");
        format!("{:016x}", stable_hash::of_parts(&[head.as_bytes(), state.get().as_bytes()]))
    }
}

impl<A> Snapshot<A> {
    pub(super) fn write(
        &self,
        aggregate: &str,
        form: SnapshotForm<A>,
    ) -> Result<Bytes, CodecError> {
        let failed = |error: serde_json::Error| CodecError::new(error.to_string());
        let state =
            serde_json::value::to_raw_value(&(form.to_value)(&self.state)?).map_err(failed)?;
        let mut stored = Stored {
            aggregate,
            fingerprint: form.fingerprint,
            version: self.version,
            event_id: self.event_id,
            checksum: String::new(),
            state: &state,
        };
        stored.checksum = stored.sum();
        serde_json::to_vec(&stored).map(Bytes::from).map_err(failed)
    }

    pub(super) fn read(aggregate: &str, form: SnapshotForm<A>, value: &[u8]) -> Result<Self, Miss> {
        let stored: Stored<'_> =
            serde_json::from_slice(value).map_err(|error| Miss::Damaged(error.to_string()))?;
        if stored.checksum != stored.sum() {
            return Err(Miss::Damaged("its checksum is wrong".to_owned()));
        }
        if stored.aggregate != aggregate {
            return Err(Miss::OtherAggregate { name: stored.aggregate.to_owned() });
        }
        if stored.fingerprint != form.fingerprint {
            let (stored, now) = (stored.fingerprint, form.fingerprint);
            return Err(Miss::OtherType { stored, now });
        }
        let text = stored.state.get();
        let state = (form.from_text)(text).map_err(Miss::OtherShape)?;
        // The fingerprint does not see into every type. A field that is new, renamed or gone there may
        // be read without an error, as nothing or as its default: what is written again shows it.
        let again = (form.to_value)(&state).map_err(Miss::OtherShape)?;
        let before =
            serde_json::from_str(text).map_err(|error| Miss::Damaged(error.to_string()))?;
        if stable_hash::of_value(&again) != stable_hash::of_value(&before) {
            let problem = "the state has other fields than when it was written";
            return Err(Miss::OtherShape(CodecError::new(problem)));
        }
        Ok(Self { state, version: stored.version, event_id: stored.event_id })
    }
}

/// Why there is no snapshot that can be used. It is never an error: events are the truth.
#[derive(Debug, thiserror::Error)]
pub(super) enum Miss {
    #[error("there is none")]
    None,
    #[error("it can not be read from the store: {0}")]
    Unreadable(StateError),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it is one of aggregate `{name}`")]
    OtherAggregate { name: String },
    #[error("the type of the state has fingerprint {now} now, and had {stored}")]
    OtherType { stored: Fingerprint, now: Fingerprint },
    #[error("it is of another type of state: {0}")]
    OtherShape(CodecError),
    #[error("the event that it ends with is not in the live stream at its version")]
    OtherHistory,
}
