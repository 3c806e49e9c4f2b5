//! Who has a file open for writing: one store alone, or several that all share it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// A lock on a file beside the database, `bank.db-lock`, that the system gives up with the process.
///
/// It is a lock of the open file and not of the process, so that two stores of one process exclude
/// each other too. The file stays: to remove it would be a race.
pub(crate) struct WriterLock {
    file: File,
}

impl WriterLock {
    /// The lock of a store that has its file alone. It says whose it is.
    pub(crate) fn alone(database: &Path) -> Result<Self, OpenError> {
        let mut lock = Self::for_a_moment(database)?;
        writeln!(lock.file, "{}", std::process::id())
            .map_err(|error| OpenError::File { path: beside(database, "-lock"), error })?;
        Ok(lock)
    }

    /// The lock of one who has the file alone, and soon gives it back.
    pub(crate) fn for_a_moment(database: &Path) -> Result<Self, OpenError> {
        let (path, mut file) = open(database)?;
        let failed = |error| OpenError::File { path: path.clone(), error };
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
                Ok(Self { file })
            }
            Err(TryLockError::WouldBlock) => {
                // Only others who share it let somebody share it.
                if file.try_lock_shared().is_ok() {
                    drop(Self { file });
                    return Err(OpenError::Shared { path: database.to_owned() });
                }
                Err(OpenError::InUse { path: database.to_owned(), process: process(&mut file) })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The lock of a store that shares its file, or none: somebody has the file alone.
    pub(crate) fn shared(database: &Path) -> Result<Option<Self>, OpenError> {
        let (path, file) = open(database)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(OpenError::File { path, error }),
        }
    }

    /// The process that has the file alone; none if it says nothing, because it has it for a moment.
    pub(crate) fn holder(database: &Path) -> Option<u32> {
        open(database).ok().and_then(|(_, mut file)| process(&mut file))
    }
}

fn open(database: &Path) -> Result<(PathBuf, File), OpenError> {
    let path = beside(database, "-lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    match options.open(&path) {
        Ok(file) => Ok((path, file)),
        Err(error) => match database.parent() {
            // It is not there, and can not be made.
            Some(directory) if is_denied(&error) && matches!(path.try_exists(), Ok(false)) => {
                let (path, directory) = (database.to_owned(), directory.to_owned());
                Err(OpenError::ReadOnlyDirectory { path, directory })
            }
            _ => Err(OpenError::File { path, error }),
        },
    }
}

fn process(file: &mut File) -> Option<u32> {
    let mut process = String::new();
    file.read_to_string(&mut process).ok()?;
    process.trim().parse().ok()
}

/// Closing alone would leave the lock to a child process that is being made at this moment, and has a
/// copy of the open file until it runs its own program.
impl Drop for WriterLock {
    fn drop(&mut self) {
        // What can not be unlocked is closed next.
        let _ = self.file.unlock();
    }
}

/// Whether the system does not let this program write there.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// The path of a file that belongs to a database.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
