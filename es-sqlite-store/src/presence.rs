//! Whether the files that we write to are still the files that the next one who opens the store
//! will find.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::lock::beside;

/// The files of a store as they were when it was opened.
///
/// A file that is removed while it is open goes on to exist for those who have it open: SQLite
/// writes, syncs and reports success, and everything is gone with the process.
pub(crate) struct Presence {
    files: [(PathBuf, Option<Identity>); 2],
}

impl Presence {
    pub(crate) fn of(database: &Path) -> Self {
        let paths = [database.to_owned(), beside(database, "-wal")];
        Self { files: paths.map(|path| (path.clone(), identity(&path))) }
    }

    /// Fails if a file is no longer there or is another one.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let unchanged = |(path, known): &(PathBuf, Option<Identity>)| identity(path) == *known;
        if self.files.iter().all(unchanged) { Ok(()) } else { Err(Failure::Removed) }
    }
}

#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Other systems do not let go of a file that is open.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    Some(())
}
