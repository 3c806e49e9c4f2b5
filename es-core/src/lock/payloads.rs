//! The payloads that the lock keeps of an event.

use super::contains::contains;
use super::locked_event::LockedEvent;
use super::sample::{Fill, NoSample, choices, sample};

/// So many payloads of one version are made to show its variants.
const MOST_CHOICES: usize = 32;

/// Why there is no payload of an event, in a sentence.
pub(super) enum NoPayload {
    /// Its shape does not tell how one looks.
    Unknown(String),
    /// The event does not read or write what its shape promises.
    Refused(String),
}

/// Payloads that today's event writes: what it gives itself, or what its shape gives.
pub(super) fn payloads(event: &LockedEvent) -> Result<Vec<Vec<u8>>, NoPayload> {
    let (name, location) = (event.event_type().name(), event.location());
    if let Some(payload) = event.sample() {
        let payload = payload.map_err(|error| {
            NoPayload::Refused(format!(
                "the sample of `{name}` ({location}) can not be written: {error}"
            ))
        })?;
        return Ok(vec![payload]);
    }
    let mut payloads = Vec::new();
    let full = (0..choices(event.shape()).min(MOST_CHOICES)).map(Fill::Full);
    for fill in full.chain([Fill::Sparse]) {
        let json = sample(event.shape(), fill).map_err(|problem| NoPayload::Unknown(match problem {
            NoSample::Opaque { path, label } => format!(
                "there is no payload of `{name}` ({location}): `{path}` is the opaque {label}; write `sample = path::to::function` in its `#[event(...)]`, with a function that makes one"
            ),
            NoSample::Endless { path } => format!(
                "there is no payload of `{name}` ({location}): `{path}` holds itself without an end; write `sample = path::to::function` in its `#[event(...)]`, with a function that makes one"
            ),
        }))?;
        let json = json.to_string();
        let payload = event.payload_of(&json).map_err(|error| {
            NoPayload::Refused(format!(
                "`{name}` ({location}) does not read the payload that its shape promises, {json}: {error}; write `sample = path::to::function` in its `#[event(...)]`, with a function that makes one"
            ))
        })?;
        if event.codec().is_none() && !contains(json.as_bytes(), &payload) {
            return Err(NoPayload::Refused(format!(
                "`{name}` ({location}) reads {json} and writes {}; derive `Serialize` and `Deserialize` alike, or write `#[event(opaque)]` on the field that differs",
                String::from_utf8_lossy(&payload)
            )));
        }
        if !payloads.contains(&payload) {
            payloads.push(payload);
        }
    }
    Ok(payloads)
}
