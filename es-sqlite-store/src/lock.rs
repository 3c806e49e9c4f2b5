//! One store at a time has a file open for writing.

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
    pub(crate) fn acquire(database: &Path) -> Result<Self, OpenError> {
        let path = beside(database, "-lock");
        let failed = |error| OpenError::File { path: path.clone(), error };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|error| {
            match database.parent() {
                // It is not there, and can not be made.
                Some(directory) if is_denied(&error) && matches!(path.try_exists(), Ok(false)) => {
                    let (path, directory) = (database.to_owned(), directory.to_owned());
                    OpenError::ReadOnlyDirectory { path, directory }
                }
                _ => failed(error),
            }
        })?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
                writeln!(file, "{}", std::process::id()).map_err(failed)?;
                Ok(Self { file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let process =
                    file.read_to_string(&mut process).ok().and(process.trim().parse().ok());
                Err(OpenError::InUse { path: database.to_owned(), process })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
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
