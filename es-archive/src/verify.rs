//! Checking that an archive is whole.

use es_core::{ProjectionStore, StreamId, StreamRemoval};

use crate::archive::{Archive, find_part, reading};
use crate::error::ArchiveError;

/// An archive that was read as a whole and is as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// How many segments it has.
    pub segments: u64,
    /// How many events are in them.
    pub events: u64,
    /// How many parts of streams the stubs of the store say to be there, if it was asked.
    pub parts: u64,
    /// How many events those have.
    pub archived: u64,
    /// How many events of the store were removed for good.
    pub gone: u64,
}

impl Archive {
    /// Reads every segment whole, and checks every byte of it.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] with the first segment and the place in it that is not what was written.
    pub async fn verify(&self) -> Result<Verified, ArchiveError> {
        self.forget_open();
        let mut verified = Verified::default();
        let archive = self.clone();
        for name in reading(move || archive.names()).await? {
            let archive = self.clone();
            let events = reading(move || {
                let segment = archive.segment(&name)?;
                segment.verify()?;
                Ok(segment.index.events)
            });
            verified.events += events.await?;
            verified.segments += 1;
        }
        Ok(verified)
    }

    /// The same, and checks that everything is there which the stubs of a store say.
    ///
    /// # Errors
    /// Also when a segment is missing, holds something else than a stub says, or is of another store.
    pub async fn verify_with<S: StreamRemoval + ProjectionStore>(
        &self,
        store: &S,
    ) -> Result<Verified, ArchiveError> {
        let mut verified = self.verify().await?;
        let identity = ProjectionStore::identity(store).await?;
        let archive = self.clone();
        reading(move || archive.check_store(identity)).await?;
        let mut after: Option<StreamId> = None;
        loop {
            let stubs = store.stubs(after.as_ref(), 256).await?;
            let Some(last) = stubs.last() else { return Ok(verified) };
            after = Some(last.stream.clone());
            for stub in stubs {
                for part in stub.parts {
                    let events = part.to.get() - part.from.get() + 1;
                    let Some(place) = part.segment else {
                        verified.gone += events;
                        continue;
                    };
                    let (archive, stream) = (self.clone(), stub.stream.clone());
                    reading(move || {
                        let segment = archive.segment(&place.name)?;
                        let known = find_part(&segment, &stream, part.from, &place)?;
                        if (known.from, known.to) == (part.from, part.to) {
                            Ok(())
                        } else {
                            Err(crate::archive::not_in(&segment, &stream, part.from))
                        }
                    })
                    .await?;
                    verified.parts += 1;
                    verified.archived += events;
                }
            }
        }
    }
}
