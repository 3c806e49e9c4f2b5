//! Removing events of a stream from the log, and putting them back.

use es_core::{
    Archived, ReadError, Recorded, RecordedEvent, Removal, RemovalError, RemovedEvent, StreamId,
    Stub, Version,
};

use super::{Log, Stream};
use crate::segments::{Slot, position};

impl Log {
    pub(crate) fn remove(&mut self, removal: &Removal) -> Result<(), RemovalError> {
        let place = self.place(&removal.stream);
        let stream = place.map(|place| &self.streams[place as usize]);
        let version = stream.map_or(Version::ZERO, Stream::version);
        let stub = self.stub(&removal.stream);
        let id_at = |version: Version| {
            let slot = *stream?.slots.get(version.get().checked_sub(1)? as usize)?;
            Some(self.segments.event_id(slot))
        };
        let repeated = Stub::check(stub.as_ref(), version, removal, id_at)?;
        let Some(place) = place.filter(|_| !repeated) else { return Ok(()) };
        // Everything is checked: from here on nothing can fail.
        let stream = &mut self.streams[place as usize];
        let part = &removal.part;
        let slots = part.from.get() as usize - 1..part.to.get() as usize;
        for &slot in &stream.slots[slots] {
            self.segments.remove(slot);
        }
        stream.removed.push(part.clone());
        Ok(())
    }

    pub(crate) fn put_back(
        &mut self,
        id: &StreamId,
        events: &[RecordedEvent],
    ) -> Result<(), RemovalError> {
        let place = self.place(id);
        let stream = place.map(|place| &self.streams[place as usize]);
        let last = stream.and_then(|stream| stream.removed.last().cloned());
        let slots = match Stub::check_return(id, last.as_ref(), events)? {
            None => {
                // It was put back before, if these are the events that are there.
                let known = |event: &RecordedEvent| {
                    let slots = &stream?.slots;
                    let slot = slots.get(event.version.get().checked_sub(1)? as usize)?;
                    (self.segments.event_id(*slot) == event.event_id).then_some(())
                };
                return match events.iter().find(|event| known(event).is_none()) {
                    None => Ok(()),
                    Some(RecordedEvent { version, .. }) => {
                        let (stream, version) = (id.clone(), *version);
                        Err(RemovalError::OtherEvent { stream, version })
                    }
                };
            }
            Some(part) => part.from.get() as usize - 1..part.to.get() as usize,
        };
        let Some(place) = place else { return Ok(()) };
        let slots: Vec<Slot> = self.streams[place as usize].slots[slots].to_vec();
        for (&slot, event) in slots.iter().zip(events) {
            let known = self.recorded(slot);
            if known.event_id != event.event_id
                || known.position != event.position
                || known.version != event.version
                || known.name != event.name
                || known.schema_version != event.schema_version
                || known.tags != event.tags.as_slice()
            {
                let (stream, version) = (id.clone(), event.version);
                return Err(RemovalError::OtherEvent { stream, version });
            }
        }
        for (slot, event) in slots.into_iter().zip(events) {
            self.segments.put_back(slot, &event.payload, &event.metadata);
        }
        self.streams[place as usize].removed.pop();
        Ok(())
    }

    pub(crate) fn stub(&self, id: &StreamId) -> Option<Stub> {
        self.stream(id).filter(|stream| !stream.removed.is_empty()).map(|stream| stream.stub(id))
    }

    pub(crate) fn stubs(&self, after: Option<&StreamId>, limit: usize) -> Vec<Stub> {
        let is_next = |id: &StreamId| after.is_none_or(|after| id > after);
        let streams = self.by_stream.iter().map(|(id, &place)| (id, &self.streams[place as usize]));
        let removed = streams.filter(|(id, stream)| !stream.removed.is_empty() && is_next(id));
        let mut removed: Vec<_> = removed.collect();
        removed.sort_unstable_by_key(|&(id, _)| id);
        removed.into_iter().take(limit).map(|(id, stream)| stream.stub(id)).collect()
    }

    /// Where a removed event is; `None` if nowhere.
    pub(super) fn removed_event(&self, slot: Slot) -> Option<RemovedEvent> {
        let recorded = self.recorded(slot);
        let (id, version) = (recorded.stream.to_stream_id(), recorded.version);
        let removed = &self.stream(&id)?.removed;
        let part = removed.iter().find(|part| (part.from..=part.to).contains(&version))?;
        let segment = part.segment.clone()?;
        Some(RemovedEvent { position: position(slot), stream: id, version, segment })
    }

    pub(super) fn refusal(&self, slot: Slot) -> ReadError {
        ReadError::Archived(Box::new(self.archived(slot)))
    }

    pub(super) fn archived(&self, slot: Slot) -> Archived {
        let Recorded { stream, version, .. } = self.recorded(slot);
        let stream = stream.to_stream_id();
        let stub = match self.stream(&stream) {
            Some(known) => known.stub(&stream),
            None => Stub { stream, version, parts: Vec::new() },
        };
        stub.archived(version)
    }
}
