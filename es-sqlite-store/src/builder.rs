//! Opening a store.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use es_core::{Clock, SystemClock};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use tokio::sync::{mpsc, watch};

use crate::commits::{Inlines, Log};
use crate::error::{Failure, OpenError};
use crate::event_ids::RecentIds;
use crate::head::{Head, Settling};
use crate::lock::{WriterLock, beside, is_denied};
use crate::news::News;
use crate::others::Others;
use crate::presence::Presence;
use crate::read_ahead::ReadAhead;
use crate::readers::{self, Readers};
use crate::schema::{self, Kind, Schema};
use crate::turns::Turns;
use crate::writer::{self, Writer};
use crate::{Durability, SqliteStore};

const PAGE_BYTES: u64 = 4096;

/// How long to wait for one who brings a file up to date.
const UPDATE: Duration = Duration::from_secs(60);

/// How a store is opened; see [`SqliteStore::builder`].
#[must_use = "nothing is opened before `open`"]
pub struct SqliteStoreBuilder {
    path: PathBuf,
    durability: Durability,
    clock: Arc<dyn Clock>,
    readers: NonZeroUsize,
    queue: NonZeroUsize,
    busy: Duration,
    checkpoint_bytes: u64,
    shared: bool,
    schema: Schema,
}

impl SqliteStoreBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            durability: Durability::Full,
            clock: Arc::new(SystemClock),
            readers: const { NonZeroUsize::new(2).unwrap() },
            queue: const { NonZeroUsize::new(1024).unwrap() },
            busy: Duration::from_secs(5),
            checkpoint_bytes: 16 * 1024 * 1024,
            shared: false,
            schema: Schema::CURRENT,
        }
    }

    /// What an acknowledged append survives. Without it: everything, [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Stamps events with the time of this clock instead of the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many reads run at the same time, each on a thread and a connection of its own: 2 if
    /// nothing is said.
    pub fn readers(mut self, readers: NonZeroUsize) -> Self {
        self.readers = readers;
        self
    }

    /// How many appends may wait for the writer; a further one waits before it is taken, which
    /// slows its caller down. 1,024 if nothing is said.
    pub fn queue(mut self, appends: NonZeroUsize) -> Self {
        self.queue = appends;
        self
    }

    /// How long to wait for another program that holds a lock on the file, such as `sqlite3` in a
    /// transaction that writes: 5 seconds if nothing is said. Then the error is transient. So long a
    /// store that is to be [shared](Self::shared) also waits for one that has the file alone.
    pub fn busy_timeout(mut self, wait: Duration) -> Self {
        self.busy = wait;
        self
    }

    /// At which length the write-ahead log is copied into the database file and begun anew: 16 MiB
    /// if nothing is said.
    pub fn checkpoint_at(mut self, bytes: u64) -> Self {
        self.checkpoint_bytes = bytes;
        self
    }

    /// Shares the file with other stores, in this process and in others, that are opened like this
    /// too. Without it a store has its file alone.
    ///
    /// Stores that share a file write in turns. Each costs the others the time of its transactions,
    /// and sees what they have acknowledged; waiting for news of them takes up to 5 milliseconds
    /// more. A process that is stopped in the middle of a transaction keeps the lock on the file until
    /// it goes on or ends: the others get a transient error after
    /// [`busy_timeout`](Self::busy_timeout).
    ///
    /// ```
    /// use es_sqlite_store::SqliteStore;
    ///
    /// # fn example(directory: &std::path::Path) -> Result<(), es_sqlite_store::OpenError> {
    /// let store = SqliteStore::builder(directory.join("bank.db")).shared().open()?;
    /// # Ok(()) }
    /// ```
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// With other tables than those of this version.
    #[cfg(test)]
    pub(crate) fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Opens the store, and makes the file if it is not there.
    ///
    /// A file that an older version of this crate wrote is brought to the current schema, in one
    /// transaction: if that fails, the file is as it was. An older version refuses it from then on,
    /// and no copy is made of it before: [back it up](SqliteStore::back_up) before you take the newer
    /// version into use.
    ///
    /// This reads and writes files on the thread that calls it.
    ///
    /// # Errors
    /// When the file is in use, is none of ours or is of a newer version, or can not be used. Then
    /// it is as it was.
    pub fn open(self) -> Result<SqliteStore, OpenError> {
        let path = absolute(&self.path)?;
        let failed = |failure| refused(&path, failure);
        let io_failed = |error| OpenError::File { path: path.clone(), error };
        let (lock, mut connection) = if self.shared {
            self.open_shared(&path)?
        } else {
            let lock = WriterLock::alone(&path)?;
            (lock, self.bring_up_to_date(&path)?)
        };
        let identity = schema::identity(&connection).map_err(|error| failed(error.into()))?;
        let identity = identity.ok_or_else(|| OpenError::Identity { path: path.clone() })?;
        let recent_ids = Arc::<RecentIds>::default();
        let log = Log::load(&connection, Arc::clone(&recent_ids)).map_err(failed)?;
        let data_version = writer::data_version(&connection).map_err(failed)?;

        let log_pages = Arc::new(AtomicI32::new(0));
        let pages = Arc::clone(&log_pages);
        connection
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, length| {
                pages.store(length, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|error| failed(error.into()))?;
        let connections: Result<Vec<_>, _> =
            (0..self.readers.get()).map(|_| readers::connect(&path, self.busy)).collect();
        let readers = Readers::start(connections.map_err(|error| failed(error.into()))?);
        let readers = readers.map_err(io_failed)?;
        let (queue, jobs) = mpsc::channel(self.queue.get());
        let (head, published) = watch::channel(log.head());
        let head = Arc::new(head);
        let news = if self.shared {
            let connection = readers::connect(&path, self.busy);
            let connection = connection.map_err(|error| failed(error.into()))?;
            Some(News::start(connection, Arc::downgrade(&head)).map_err(io_failed)?)
        } else {
            None
        };
        // From now on whoever writes waits for the lock in its own way.
        connection.busy_timeout(Duration::ZERO).map_err(|error| failed(error.into()))?;
        let checkpoint_pages = self.checkpoint_bytes / PAGE_BYTES;
        let checkpoint_pages = i32::try_from(checkpoint_pages).unwrap_or(i32::MAX).max(1);
        let (storing, settling) = watch::channel(None);
        let writer = Writer {
            connection,
            log,
            recent_ids: Arc::clone(&recent_ids),
            head,
            clock: self.clock,
            presence: Presence::of(&path),
            log_pages,
            checkpoint_pages,
            next_checkpoint: checkpoint_pages,
            // Nobody knows the disk yet: the thread finds out.
            synced_in: Duration::MAX,
            busy: self.busy,
            data_version,
            // Others may have written since it was loaded.
            stale: self.shared,
            others: self.shared.then(Others::unknown),
            inlines: Inlines::default(),
            storing,
        };
        let turns = Arc::new(Turns::new(writer));
        let writer = turns.start(jobs).map_err(io_failed)?;
        Ok(SqliteStore {
            readers: Some(readers),
            queue: Some(queue),
            turns,
            writer: Some(writer),
            news,
            head: Head::new(published, self.shared),
            settling: Settling::new(settling),
            read_ahead: ReadAhead::new(),
            recent_ids,
            identity,
            opening: *es_core::EventId::generate().as_uuid(),
            path,
            busy: self.busy,
            _lock: lock,
        })
    }

    /// Opens a file that others share. What is to be done to its schema is done alone.
    fn open_shared(&self, path: &Path) -> Result<(WriterLock, Connection), OpenError> {
        let begun = Instant::now();
        loop {
            let (refused, patience) = match WriterLock::shared(path)? {
                Some(lock) => {
                    let connection = self.connect(path)?;
                    if self.examine(&connection, path)? == self.schema.version() {
                        self.configure(&connection).map_err(|failure| refused(path, failure))?;
                        return Ok((lock, connection));
                    }
                    drop((connection, lock));
                    match WriterLock::for_a_moment(path) {
                        Ok(lock) => {
                            drop((self.bring_up_to_date(path)?, lock));
                            continue;
                        }
                        Err(OpenError::Shared { path } | OpenError::InUse { path, .. }) => {
                            (OpenError::SchemaInUse { path }, self.busy)
                        }
                        Err(error) => return Err(error),
                    }
                }
                None => {
                    let process = WriterLock::holder(path);
                    let patience = if process.is_some() { self.busy } else { UPDATE };
                    (OpenError::NotShared { path: path.to_owned(), process }, patience)
                }
            };
            if begun.elapsed() >= patience {
                return Err(refused);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Opens a file that nobody else can open meanwhile.
    fn bring_up_to_date(&self, path: &Path) -> Result<Connection, OpenError> {
        let mut connection = self.connect(path)?;
        let from = self.examine(&connection, path)?;
        self.configure(&connection).map_err(|failure| refused(path, failure))?;
        self.schema.migrate(&mut connection, from).map_err(|error| match from {
            0 => refused(path, error.into()),
            from => OpenError::Migration {
                path: path.to_owned(),
                from,
                to: self.schema.version(),
                failure: Failure::from(error).explained(),
            },
        })?;
        Ok(connection)
    }

    /// The version of the schema of a file that may be a store of this crate; zero if it is empty.
    fn examine(&self, connection: &Connection, path: &Path) -> Result<i64, OpenError> {
        // SQLite opens a file for reading alone when it may not write, and says nothing.
        let read_only = connection.is_readonly(MAIN_DB);
        if read_only.map_err(|error| refused(path, error.into()))? {
            return Err(OpenError::ReadOnly { path: path.to_owned() });
        }
        let path = || path.to_owned();
        match self.schema.kind(connection).map_err(|error| not_ours(&path(), error))? {
            Kind::New => Ok(0),
            Kind::Store { version } => Ok(version),
            Kind::Newer { version } => Err(OpenError::NewerSchema { path: path(), found: version }),
            Kind::Other { application_id } => {
                Err(OpenError::OtherApplication { path: path(), application_id })
            }
        }
    }

    fn connect(&self, path: &Path) -> Result<Connection, OpenError> {
        // No URI: a path is a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connected = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(self.busy)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        });
        connected.map_err(|error| not_ours(path, error))
    }

    fn configure(&self, connection: &Connection) -> Result<(), Failure> {
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Failure::NoWriteAheadLog);
        }
        connection.pragma_update(None, "synchronous", self.durability.synchronous())?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        // What the log grew beyond this for a long reader is given back when it begins anew.
        let limit = i64::try_from(self.checkpoint_bytes).unwrap_or(i64::MAX);
        connection.pragma_update_and_check(None, "journal_size_limit", limit, |_| Ok(()))?;
        Ok(())
    }
}

/// The one path of a file, so that its lock is the same for everybody. A file that is not there is
/// made, empty: a link to it has no other path before.
fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error| OpenError::File { path: path.to_owned(), error };
    let path = match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(path)?;
            path.canonicalize().map_err(failed)?
        }
        path => path.map_err(failed)?,
    };
    if path.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    match links(&path) {
        0 | 1 => Ok(path),
        links => Err(OpenError::HardLinks { path, links }),
    }
}

/// Makes an empty file, which SQLite takes for an empty database.
fn make(path: &Path) -> Result<(), OpenError> {
    let made = OpenOptions::new().append(true).create(true).open(path);
    made.map(drop).map_err(|error| {
        let path = path.to_owned();
        match path.parent().and_then(|directory| directory.canonicalize().ok()) {
            Some(directory) if is_denied(&error) => {
                OpenError::ReadOnlyDirectory { path, directory }
            }
            _ => OpenError::File { path, error },
        }
    })
}

/// How many names a file has, or zero if that can not be told.
#[cfg(unix)]
fn links(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(path).map_or(0, |metadata| metadata.nlink())
}

#[cfg(not(unix))]
fn links(_: &Path) -> u64 {
    0
}

fn not_ours(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
        _ => refused(&path, error.into()),
    }
}

/// Why the database could not be used.
fn refused(path: &Path, failure: Failure) -> OpenError {
    let path = path.to_owned();
    let of_files = |error: &rusqlite::Error| {
        matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
    };
    if let Failure::Sqlite(error) = &failure
        && of_files(error)
        && let Some(directory) = path.parent()
        && is_read_only(&path)
    {
        return OpenError::ReadOnlyDirectory { directory: directory.to_owned(), path };
    }
    OpenError::Database { path, failure: failure.explained() }
}

/// Whether no file can be made beside the database. SQLite has one error for this and much else.
fn is_read_only(database: &Path) -> bool {
    let probe = beside(database, "-probe");
    match OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            // It is empty, and nobody knows of it.
            let _ = fs::remove_file(&probe);
            false
        }
        Err(error) => is_denied(&error),
    }
}
