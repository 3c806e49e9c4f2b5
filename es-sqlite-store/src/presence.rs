//! Whether the files that we write to are still the files that the next one who opens the store
//! will find.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Failure;
use crate::lock::beside;

/// The files of a store as they were when it was opened.
///
/// A file that is removed while it is open goes on to exist for those who have it open: SQLite
/// writes, syncs and reports success, and everything is gone with the process.
pub(crate) struct Presence {
    files: [(PathBuf, Option<Identity>); 2],
    directory: PathBuf,
    known: Option<Known>,
}

impl Presence {
    pub(crate) fn of(database: &Path) -> Self {
        let paths = [database.to_owned(), beside(database, "-wal")];
        Self {
            files: paths.map(|path| (path.clone(), look(&path).as_ref().map(identity))),
            directory: database.parent().unwrap_or(database).to_owned(),
            known: None,
        }
    }

    /// Fails if a file is no longer there or is another one.
    ///
    /// Mostly it looks at the directory alone, in which nothing comes or goes without a trace. To look
    /// at the log before each commit would cost more than that: a file whose times somebody has
    /// looked at gets a new one with its next write, and the next sync must write that too.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        // Before the files: what happens meanwhile is seen the next time.
        let directory = look(&self.directory);
        if let (Some(known), Some(directory)) = (&self.known, &directory)
            && known.still_holds(directory)
        {
            return Ok(());
        }
        self.known = None;
        let is_there = |(path, known): &(PathBuf, _)| look(path).as_ref().map(identity) == *known;
        if !self.files.iter().all(is_there) {
            return Err(Failure::Removed);
        }
        self.known = directory.as_ref().and_then(Known::of);
        Ok(())
    }
}

fn look(path: &Path) -> Option<Metadata> {
    std::fs::metadata(path).ok()
}

/// How long the time of a file system stands still at most: a change of a directory sooner than this
/// after the last one may not show.
const CLOCK_STEP: Duration = Duration::from_millis(50);

/// So often the files are looked at whatever the directory says: not every file system keeps its time
/// well.
const AGAIN: Duration = Duration::from_secs(1);

/// A directory in which files are known to be.
struct Known {
    directory: Identity,
    modified: SystemTime,
    since: Instant,
}

impl Known {
    fn of(directory: &Metadata) -> Option<Self> {
        let (modified, since) = (directory.modified().ok()?, Instant::now());
        let settled = SystemTime::now().duration_since(modified).ok()? > CLOCK_STEP;
        settled.then(|| Self { directory: identity(directory), modified, since })
    }

    fn still_holds(&self, directory: &Metadata) -> bool {
        identity(directory) == self.directory
            && directory.modified().is_ok_and(|modified| modified == self.modified)
            && self.since.elapsed() < AGAIN
    }
}

#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

/// Other systems do not let go of a file that is open.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}
