//! What can go wrong, and by which category callers are told.

use std::io::ErrorKind;
use std::path::PathBuf;

use es_core::{
    AppendError, Archived, EventId, FenceError, Position, ReadError, RemovalError, StateError,
    StateKey, StoreFailure, StreamId, Version,
};
use rusqlite::ErrorCode;

use crate::schema;

/// Why a store could not be opened. The file is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another store, here or in another process, has the file open.
    #[error(
        "`{}` is in use{}; one store at a time writes to a file: close the other one first, or share it in this process as an `Arc`",
        path.display(),
        process.map_or_else(String::new, |process| format!(" by process {process}"))
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// The process that has it open, if it could be told.
        process: Option<u32>,
    },
    /// Other stores have the file open and share it, and this one wants it alone.
    #[error(
        "`{}` is in use by stores that share it; open it with `shared()` here too, or close them first",
        path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
    },
    /// Another store has the file open alone, and this one wants to share it.
    #[error(
        "`{}` is in use{} alone; open it with `shared()` there too, or close it there first",
        path.display(),
        process.map_or_else(String::new, |process| format!(" by process {process}"))
    )]
    NotShared {
        /// The file.
        path: PathBuf,
        /// The process that has it open, if it could be told.
        process: Option<u32>,
    },
    /// The file must be brought to the schema of this version, and other stores have it open.
    #[error(
        "`{}` has an older schema, and stores of an older version share it; close them, so that it can be brought up to date",
        path.display()
    )]
    SchemaInUse {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("`{}` is not an SQLite database; choose another file", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database belongs to another application.
    #[error(
        "`{}` is the database of another application (application_id {application_id}, a store has {}); choose another file",
        path.display(),
        schema::APPLICATION_ID
    )]
    OtherApplication {
        /// The file.
        path: PathBuf,
        /// Its `PRAGMA application_id`.
        application_id: i64,
    },
    /// The file was written by a newer version of this crate.
    #[error(
        "`{}` has schema version {found}, and this program knows up to {}; use a newer es-sqlite-store",
        path.display(),
        schema::VERSION
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its `PRAGMA user_version`.
        found: i64,
    },
    /// This program may not write to the file, or the file system takes no changes.
    #[error(
        "`{}` is read-only, and a store writes to its file; let this program write to it and to its directory",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file has several names. What is written through one of them is in a write-ahead log beside
    /// that name, where whoever opens another name does not find it.
    #[error(
        "`{}` has {links} names (hard links), and a store can be opened under one only; remove the others, or copy the file and open the copy",
        path.display()
    )]
    HardLinks {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// This program may not make files beside the database, where SQLite keeps its write-ahead log.
    #[error(
        "the directory `{}` is read-only, and a store keeps files beside `{}`; let this program write to the directory",
        directory.display(),
        path.display()
    )]
    ReadOnlyDirectory {
        /// The file.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
    },
    /// The file is of an older schema version, and could not be brought to that of this program. It
    /// is at the older version still, whole.
    #[error(
        "`{}` has schema version {from}, and could not be brought to {to}, so that it was left as it is: {failure}",
        path.display()
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        from: i64,
        /// That of this program.
        to: i64,
        /// What SQLite says.
        #[source]
        failure: StoreFailure,
    },
    /// The file, its directory or its lock file could not be used.
    #[error("`{}` can not be opened: {error}{}", path.display(), advice(error))]
    File {
        /// The file itself or its lock file, whichever it was.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The file is a store, but does not say which.
    #[error("`{}` has lost the identity of its store; it is damaged, restore a backup", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
    },
    /// The database could not be used.
    #[error("`{}` can not be opened: {failure}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        failure: StoreFailure,
    },
}

/// What to do about an error of the system, if that can be told.
fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "; make its directory first",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; let this program read and write it"
        }
        ErrorKind::IsADirectory => "; choose a file in it",
        ErrorKind::StorageFull => "; make room on the disk",
        ErrorKind::Unsupported => "; put it on a file system that has locks",
        _ => "",
    }
}

/// Something in the file is not what this crate wrote: it was altered by hand, or the disk lost or
/// changed a part of it.
///
/// It is the [`source`](std::error::Error::source) of the [`StoreFailure`] in a permanent error.
/// [`SqliteStore::verify`](crate::SqliteStore::verify) lists all there is; restore a backup.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A record has a column of another type or length than is ever written.
    #[error("the record at position {position} is not one that this store writes: {what}")]
    Malformed {
        /// Where it is, or zero if that can not be told.
        position: Position,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The checksum of a record is not that of its content.
    #[error("the event at position {position} is not what was written: its checksum is wrong")]
    Checksum {
        /// Where the record says it is.
        position: Position,
    },
    /// The events of a stream are not numbered 1, 2, 3 and so on.
    #[error("stream `{stream}` has no version {version}, but a later one")]
    MissingVersion {
        /// The stream.
        stream: StreamId,
        /// What is missing.
        version: Version,
    },
    /// A read in the global order came to a record that stands elsewhere.
    #[error("there is no event at position {position}, but one after it")]
    MissingPosition {
        /// What is missing.
        position: Position,
    },
    /// A record names a stream that is not there.
    #[error("the event at position {position} is of stream number {number}, which does not exist")]
    UnknownStream {
        /// Where the record is.
        position: Position,
        /// The number in the table `streams`.
        number: i64,
    },
    /// The name of a stream is not one.
    #[error("stream number {number} has a name that is none: {reason}")]
    StreamName {
        /// The number in the table `streams`.
        number: i64,
        /// Why not.
        reason: String,
    },
    /// A record names an event type that is not there.
    #[error("the event at position {position} is of event type {number}, which does not exist")]
    UnknownType {
        /// Where the record is.
        position: Position,
        /// The number in the table `event_types`.
        number: u32,
    },
    /// The name or schema version of an event type is not one.
    #[error("event type {number} has no name or schema version that could be one")]
    EventType {
        /// The number in the table `event_types`.
        number: u32,
    },
    /// An index names an event that does not belong there.
    #[error("an index names the event at position {position}, which {what}")]
    Index {
        /// Where it points.
        position: Position,
        /// What is wrong there.
        what: &'static str,
    },
    /// The fence has a time that is none.
    #[error("the table `fence` holds something that this store does not write")]
    Fence,
    /// What is stored about removed events of a stream is not what was written.
    #[error(
        "a row of removed_parts for stream number {stream} is not what was written: its checksum is wrong"
    )]
    RemovedPart {
        /// The number of the stream in the table `streams`.
        stream: i64,
    },
    /// A state record is not what was written.
    #[error("state record `{key}` is not what was written: its checksum is wrong")]
    State {
        /// The record.
        key: StateKey,
    },
    /// What SQLite's own integrity check says.
    #[error("{0}")]
    Database(String),
}

/// Why a read or the check before a write failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Damage(Damage),
    /// What is wanted was removed.
    Archived(Box<Archived>),
    /// The file is no longer where it was.
    Removed,
    /// The thread that should have answered has ended.
    Stopped,
    /// The file can not have a write-ahead log.
    NoWriteAheadLog,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// What a caller can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prospect {
    /// Try again later.
    Transient,
    /// Change something first.
    Permanent,
}

impl Failure {
    pub(crate) fn prospect(&self) -> Prospect {
        match self {
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(
                    ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::OutOfMemory
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::FileLockingProtocolFailed,
                ) => Prospect::Transient,
                _ => Prospect::Permanent,
            },
            Self::Damage(_)
            | Self::Archived(_)
            | Self::Removed
            | Self::Stopped
            | Self::NoWriteAheadLog => Prospect::Permanent,
        }
    }

    /// Somebody else holds SQLite's lock.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite(error)
            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    pub(crate) fn explained(self) -> StoreFailure {
        match self {
            Self::Sqlite(error) => {
                let what = match error.sqlite_error_code() {
                    Some(ErrorCode::DiskFull) => {
                        "the disk is full or the file may not grow; make room"
                    }
                    Some(ErrorCode::ReadOnly) => {
                        "the file or its directory is read-only; let this program write to both"
                    }
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                        "another program holds the lock on the file, and has for longer than is waited; is one stopped in the middle of a transaction?"
                    }
                    Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                        "the file is damaged, or the disk can not read it; check it with `verify` and restore a backup"
                    }
                    Some(ErrorCode::SystemIoFailure) => "the disk failed to read or write",
                    Some(ErrorCode::CannotOpen) => {
                        "a file of the store can not be opened; is its directory there, and may this program write to it?"
                    }
                    Some(ErrorCode::OutOfMemory) => "there is not enough memory",
                    Some(ErrorCode::ConstraintViolation) => {
                        "the tables contradict each other; check the file with `verify`"
                    }
                    _ => "SQLite can not do it",
                };
                StoreFailure::caused_by(format!("{what} ({error})"), error)
            }
            Self::Damage(damage) => StoreFailure::caused_by(damage.to_string(), damage),
            Self::Archived(archived) => StoreFailure::caused_by(archived.to_string(), *archived),
            Self::Removed => StoreFailure::new(
                "the database file or its write-ahead log was removed or replaced while it was open; open the store again",
            ),
            Self::NoWriteAheadLog => StoreFailure::new(
                "the file can not have a write-ahead log; put it on a local file system",
            ),
            Self::Stopped => {
                StoreFailure::new("a thread of the store has ended; open the store again")
            }
        }
    }
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        if let Failure::Archived(archived) = failure {
            return Self::Archived(archived);
        }
        match failure.prospect() {
            Prospect::Transient => Self::Transient(failure.explained()),
            Prospect::Permanent => Self::Permanent(failure.explained()),
        }
    }
}

impl From<Failure> for AppendError {
    fn from(failure: Failure) -> Self {
        match failure.prospect() {
            Prospect::Transient => Self::Transient(failure.explained()),
            Prospect::Permanent => Self::Permanent(failure.explained()),
        }
    }
}

impl From<Failure> for FenceError {
    fn from(failure: Failure) -> Self {
        match failure.prospect() {
            Prospect::Transient => Self::Transient(failure.explained()),
            Prospect::Permanent => Self::Permanent(failure.explained()),
        }
    }
}

impl From<Failure> for StateError {
    fn from(failure: Failure) -> Self {
        match failure.prospect() {
            Prospect::Transient => Self::Transient(failure.explained()),
            Prospect::Permanent => Self::Permanent(failure.explained()),
        }
    }
}

impl From<Failure> for RemovalError {
    fn from(failure: Failure) -> Self {
        match failure.prospect() {
            Prospect::Transient => Self::Transient(failure.explained()),
            Prospect::Permanent => Self::Permanent(failure.explained()),
        }
    }
}

/// Why a check, a backup or a checkpoint was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintenanceError {
    /// The file to write to is there already.
    #[error("`{}` exists; a backup does not overwrite, choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be used.
    #[error("`{}` can not be written: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The store could not do it.
    #[error("the store can not do it: {0}")]
    Database(#[source] StoreFailure),
    /// The store holds something that it did not write.
    #[error("the store is damaged in {} places, first: {}", damage.len(), damage.first().map_or_else(String::new, ToString::to_string))]
    Damaged {
        /// What was found, at most [`MAX_DAMAGE`](crate::MAX_DAMAGE) of it.
        damage: Vec<Damage>,
    },
}

impl From<Failure> for MaintenanceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Damage(damage) => Self::Damaged { damage: vec![damage] },
            failure => Self::Database(failure.explained()),
        }
    }
}

/// The id of an event, for messages that can not know it.
pub(crate) fn event_id(bytes: [u8; 16]) -> EventId {
    EventId::from_uuid(es_core::uuid::Uuid::from_bytes(bytes))
}
