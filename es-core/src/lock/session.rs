//! The test of a crate's lock: compares, replays, and adds when it is asked to.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use es_lock::{Entry, Lock, LockError, Outcome, Sample, differences};

use super::contains::contains;
use super::finding::{Finding, Verdict, diff};
use super::locked_aggregate::LockedAggregate;
use super::locked_event::LockedEvent;
use super::payloads::{NoPayload, payloads};
use super::reads;
use super::replay::{named, replay};
use crate::registry::Registry;

/// The name of the file, beside `Cargo.toml`.
const FILE: &str = "events.lock";

/// What the test does with what is not in the lock yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It says so and fails.
    Check,
    /// It adds it: `ES_LOCK=update`.
    Update,
}

/// What the test found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The lock with what is new.
    pub lock: Lock,
    /// What was added to it, in sentences.
    pub added: Vec<String>,
    /// What must be changed in the crate, in sentences.
    pub problems: Vec<String>,
}

/// Why a lock is not in order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockFailure {
    /// It does not exist.
    #[error(
        "there is no `{}`; run `ES_LOCK=update cargo test` to make it, and commit it",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It can not be read or written.
    #[error("`{}` can not be read or written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no lock.
    #[error("`{}` is no lock: {source}; bring it back from version control", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        source: LockError,
    },
    /// The crate was compiled before there was a lock, or it declares no event.
    #[error(
        "no event of this crate was compiled with its lock; if it declares events, touch one of its source files and run the test again"
    )]
    NoEvents,
    /// Variable `ES_LOCK` says something else than `update`.
    #[error("`ES_LOCK={value}` means nothing; write `ES_LOCK=update`, or leave it out")]
    UnknownMode {
        /// What it says.
        value: String,
    },
    /// Events differ from what was released.
    #[error("{} thing(s) stand between the events of this crate and `{FILE}`:\n- {}", problems.len(), problems.join("\n- "))]
    Differs {
        /// What differs, in sentences.
        problems: Vec<String>,
    },
}

/// Runs the test of the crate in the folder.
#[expect(clippy::panic, reason = "a test fails by a panic")]
pub fn run(folder: &str) {
    let outcome = mode().and_then(|mode| session(Path::new(folder), mode));
    match outcome {
        Ok(added) if added.is_empty() => {}
        Ok(added) => {
            let lines: String = added.iter().map(|line| format!("  + {line}\n")).collect();
            let text = format!("\n{FILE} has news:\n{lines}");
            // Past the test harness, which keeps what a passing test prints to itself.
            let _ = io::stderr().write_all(text.as_bytes());
        }
        Err(failure) => panic!("{failure}"),
    }
}

fn mode() -> Result<Mode, LockFailure> {
    match env::var_os("ES_LOCK") {
        None => Ok(Mode::Check),
        Some(value) if value.is_empty() => Ok(Mode::Check),
        Some(value) if value == "update" => Ok(Mode::Update),
        Some(value) => {
            Err(LockFailure::UnknownMode { value: value.to_string_lossy().into_owned() })
        }
    }
}

fn session(folder: &Path, mode: Mode) -> Result<Vec<String>, LockFailure> {
    let path = folder.join(FILE);
    let file = |source| LockFailure::File { path: path.clone(), source };
    let text = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(file(error)),
    };
    let lock = match &text {
        Some(text) => {
            text.parse().map_err(|source| LockFailure::Malformed { path: path.clone(), source })?
        }
        None if mode == Mode::Check => return Err(LockFailure::Missing { path }),
        None => Lock::default(),
    };
    let events = LockedEvent::all();
    if events.is_empty() {
        return Err(LockFailure::NoEvents);
    }
    let report = compare(&lock, &events, &LockedAggregate::all(), mode);
    if !report.problems.is_empty() {
        return Err(LockFailure::Differs { problems: report.problems });
    }
    let new = report.lock.to_string();
    if mode == Mode::Update && text.as_deref() != Some(&new) {
        // Written beside it and put in its place, so that it is never half there.
        let draft = path.with_extension("lock.new");
        fs::write(&draft, &new).and_then(|()| fs::rename(&draft, &path)).map_err(file)?;
    }
    Ok(report.added)
}

/// Compares events, and the aggregates that read them, with a lock.
fn compare(
    lock: &Lock,
    events: &[LockedEvent],
    aggregates: &[LockedAggregate],
    mode: Mode,
) -> Report {
    let mut report = Report { lock: lock.clone(), added: Vec::new(), problems: Vec::new() };
    let today = today(events);
    let mut read = Registry::linked_retired();
    read.extend(aggregates.iter().flat_map(LockedAggregate::retired));
    read.extend(events.iter().flat_map(|event| event.event_type().aliases()));
    for finding in diff(lock, &today, &read) {
        match finding.verdict {
            Verdict::New | Verdict::Compatible if mode == Mode::Update => {
                report.added.push(finding.to_string());
            }
            Verdict::New | Verdict::Compatible => report.problems.push(not_recorded(&finding)),
            Verdict::NeedsVersion { .. } | Verdict::Breaking { .. } => {
                report.problems.push(finding.to_string());
            }
        }
    }
    reads::compare(&mut report, aggregates, events, mode);
    if !report.problems.is_empty() {
        return report;
    }
    for event in events {
        let name = event.event_type().name();
        let version = event.event_type().version().get();
        let key = (name.to_owned(), version);
        let Some(declared) = today.entries.get(&key) else { continue };
        // What is compatible holds everything that was there, so it can take its place.
        let entry = report.lock.entries.entry(key).or_insert_with(|| declared.clone());
        let changed = differences(&entry.shape, &declared.shape).next().is_some();
        entry.shape = declared.shape.clone();
        let recorded = !changed && !entry.samples.is_empty();
        if recorded && mode == Mode::Check {
            continue;
        }
        match payloads(event) {
            Ok(payloads) => {
                let added = add_payloads(entry, payloads);
                if recorded {
                    let added = added
                        .iter()
                        .map(|number| format!("payload {number} of `{name}` version {version}"));
                    report.added.extend(added);
                }
            }
            // Its payloads were written by hand.
            Err(NoPayload::Unknown(_)) if recorded => {}
            Err(NoPayload::Unknown(problem) | NoPayload::Refused(problem)) => {
                report.problems.push(problem);
            }
        }
    }
    for event in events {
        replay_all(event, &mut report, mode);
    }
    report
}

/// The newest versions.
fn today(events: &[LockedEvent]) -> Lock {
    let entries = events.iter().map(|event| {
        let key = (event.event_type().name().to_owned(), event.event_type().version().get());
        let entry = Entry {
            shape: event.shape().clone(),
            codec: event.codec().map(ToOwned::to_owned),
            samples: BTreeMap::new(),
        };
        (key, entry)
    });
    Lock { entries: entries.collect(), ..Lock::default() }
}

fn not_recorded(finding: &Finding) -> String {
    format!("{finding}; run `ES_LOCK=update cargo test` to record it")
}

/// Adds those that are not there, and says under which numbers.
fn add_payloads(entry: &mut Entry, payloads: Vec<Vec<u8>>) -> Vec<u32> {
    let mut added = Vec::new();
    for payload in payloads {
        if entry.samples.values().all(|sample| sample.payload != payload) {
            let number = entry.samples.keys().next_back().map_or(1, |last| last + 1);
            entry.samples.insert(number, Sample { payload, becomes: BTreeMap::new() });
            added.push(number);
        }
    }
    added
}

/// Sends every recorded payload of the event through today's steps.
fn replay_all(event: &LockedEvent, report: &mut Report, mode: Mode) {
    let event_type = event.event_type();
    let newest = event_type.version().get();
    for name in std::iter::once(event_type.name()).chain(event_type.aliases().iter().copied()) {
        let from = (name.to_owned(), 0);
        for ((_, version), entry) in report.lock.entries.range_mut(from..=(name.to_owned(), newest))
        {
            for (number, sample) in &mut entry.samples {
                let place = format!("payload {number} of `{name}` version {version}");
                let found = match replay(name, *version, &sample.payload) {
                    Ok(found) => found,
                    Err(error) => {
                        report.problems.push(format!("{place} can not be read any more: {error}"));
                        continue;
                    }
                };
                // What is written today must come back as it is.
                let is_today = *version == newest && name == event_type.name();
                let itself = || {
                    let payload = sample.payload.clone();
                    vec![Outcome { event: name.to_owned(), version: newest, payload }]
                };
                let expected = match sample.becomes.values().find(|record| is_of_today(record)) {
                    Some(record) => Some(record.clone()),
                    None => is_today.then(itself),
                };
                match expected {
                    Some(expected) if same(&expected, &found) => {}
                    Some(expected) => report.problems.push(format!(
                        "{place} becomes {}, but it became {}; give the step back what it did, since histories were read that way",
                        words(&found),
                        words(&expected)
                    )),
                    None if mode == Mode::Check => report.problems.push(format!(
                        "{place} becomes {}, which is not recorded; run `ES_LOCK=update cargo test` to record it",
                        words(&found)
                    )),
                    None => {
                        report.added.push(format!("{place} becomes {}", words(&found)));
                        let number = sample.becomes.keys().next_back().map_or(1, |last| last + 1);
                        sample.becomes.insert(number, found);
                    }
                }
            }
        }
    }
}

/// Whether every event of the record still has the version that it had.
fn is_of_today(record: &[Outcome]) -> bool {
    record.iter().all(|outcome| {
        named(&outcome.event)
            .is_some_and(|event| event.event_type().version().get() == outcome.version)
    })
}

fn same(expected: &[Outcome], found: &[Outcome]) -> bool {
    expected.len() == found.len()
        && expected.iter().zip(found).all(|(expected, found)| {
            (&expected.event, expected.version) == (&found.event, found.version)
                && contains(&expected.payload, &found.payload)
        })
}

fn words(outcomes: &[Outcome]) -> String {
    let each = outcomes.iter().map(|outcome| {
        let payload = String::from_utf8_lossy(&outcome.payload);
        format!("`{}` version {}, {payload}", outcome.event, outcome.version)
    });
    let words: Vec<_> = each.collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" and ") }
}
