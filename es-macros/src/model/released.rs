//! What has been released: `events.lock`, read while the user's crate compiles.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use es_lock::{Lock, LockError, Shape};
use syn::LitStr;

use super::replayed::replayed;
use super::upcast::Upcasts;
use crate::attribute::LockOption;

/// The name of the file, beside `Cargo.toml`.
const FILE: &str = "events.lock";

/// What is known of the releases of a crate.
pub(crate) enum Released {
    /// The event is not to be locked.
    Off,
    /// There is no lock, and none is being made.
    Nothing,
    /// A lock, or the beginning of one.
    Lock {
        lock: Arc<Lock>,
        /// The file as `include_bytes!` finds it; none while it is being made.
        file: Option<String>,
        /// Whether it is the lock of the crate, which its events are written into.
        of_crate: bool,
    },
    /// A file that is no lock. It is reported once for all events.
    Malformed { file: String, error: LockError, report: bool },
    /// A file that the event names and that can not be read.
    Unreadable { file: LitStr, problem: String },
}

impl Released {
    /// Looks for the lock. `event` is the name of the item that asks.
    pub(crate) fn read(option: Option<&LockOption>, event: &str) -> Self {
        match option {
            Some(LockOption::Off) => Self::Off,
            Some(LockOption::File(file)) => Self::named(file, event),
            None => Self::of_crate(event),
        }
    }

    fn named(file: &LitStr, event: &str) -> Self {
        let source = source_of(file);
        let folder = source.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let path = folder.join(file.value());
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parsed(&path, text, file.value(), false, event),
            // An editor may not know where the source is.
            Err(_) if source.is_none() => Self::Nothing,
            Err(error) => Self::Unreadable { file: file.clone(), problem: error.to_string() },
        }
    }

    fn of_crate(event: &str) -> Self {
        // A doctest shows events; it is not where they are released from.
        if std::env::var_os("UNSTABLE_RUSTDOC_TEST_PATH").is_some() {
            return Self::Off;
        }
        let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else { return Self::Nothing };
        let path = PathBuf::from(folder).join(FILE);
        if let Ok(text) = std::fs::read_to_string(&path) {
            let file = path.to_string_lossy().into_owned();
            return Self::parsed(&path, text, file, true, event);
        }
        if std::env::var_os("ES_LOCK").is_some_and(|value| value == "update") {
            return Self::Lock { lock: Arc::default(), file: None, of_crate: true };
        }
        Self::Nothing
    }

    fn parsed(path: &Path, text: String, file: String, of_crate: bool, event: &str) -> Self {
        let known = KNOWN.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let entry = match known.get(path) {
            Some(entry) if entry.text == text => entry.clone(),
            _ => {
                let lock = text.parse().map(Arc::new);
                let entry = Arc::new(KnownLock { text, lock, reporter: event.to_owned() });
                known.insert(path.to_owned(), Arc::clone(&entry));
                entry
            }
        };
        match &entry.lock {
            Ok(lock) => Self::Lock { lock: Arc::clone(lock), file: Some(file), of_crate },
            Err(error) => {
                let report = entry.reporter == event;
                Self::Malformed { file, error: error.clone(), report }
            }
        }
    }
}

/// The source file in which a literal stands, where the compiler or the editor says so.
fn source_of(literal: &LitStr) -> Option<PathBuf> {
    if !proc_macro::is_available() {
        return None;
    }
    literal.span().unwrap().local_file()
}

/// A lock that was read before by another event of the crate.
struct KnownLock {
    text: String,
    lock: Result<Arc<Lock>, LockError>,
    /// The event that reports what is wrong: the one that asked first, whenever it asks.
    reporter: String,
}

/// One process expands all derives of a crate, in an editor those of many.
static KNOWN: LazyLock<Mutex<HashMap<PathBuf, Arc<KnownLock>>>> = LazyLock::new(Mutex::default);

/// A version that was released and must still be read.
pub(crate) struct Expected {
    /// The name under which it was stored.
    pub(crate) name: String,
    pub(crate) version: u32,
    /// The shape that the steps make of it.
    pub(crate) shape: Shape,
    /// Whether there are steps between it and today's version.
    pub(crate) by_steps: bool,
}

/// What the event must be able to read: today's version if it is released, and what the steps make
/// of the older ones. A shape that two versions lead to is asked for once.
pub(crate) fn expected(
    lock: &Lock,
    names: &[String],
    newest: u32,
    upcasts: &Upcasts<'_>,
) -> Vec<Expected> {
    let mut expected: Vec<Expected> = Vec::new();
    for name in names {
        let versions = lock.versions_of(name).filter(|(version, _)| *version <= newest);
        for (version, entry) in versions.collect::<Vec<_>>().into_iter().rev() {
            let shape = replayed(&entry.shape, version, newest, upcasts);
            if !expected.iter().any(|other| other.shape == shape) {
                let (name, by_steps) = (name.clone(), version < newest);
                expected.push(Expected { name, version, shape, by_steps });
            }
        }
    }
    expected
}
