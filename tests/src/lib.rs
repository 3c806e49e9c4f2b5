//! What the tests share: a small domain, and stores that misbehave on command.

#![allow(missing_docs, reason = "read by its tests only")]

pub mod broken;
pub mod broken_removal;
pub mod counter;
pub mod faulty;
pub mod history;
pub mod in_place;
pub mod list_store;
pub mod mail;
pub mod partitioned;
pub mod paused;
#[cfg(unix)]
pub mod process;
pub mod tally;
pub mod wrapped;

/// The program of the README, which runs as it is shown.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The chapter on stores. What it shows of a store is compiled as `list_store`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/writing-a-store.md")]
pub struct WritingAStore;

/// The chapter on SQLite.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sqlite.md")]
pub struct Sqlite;

/// The programs of the chapter on the lock.
#[cfg(doctest)]
#[doc = include_str!("../../docs/events-lock.md")]
pub struct EventsLock;

/// The chapter on how events change, whose programs run as they are shown.
#[cfg(doctest)]
#[doc = include_str!("../../docs/changing-an-event.md")]
pub struct ChangingAnEvent;

/// The chapter on projections.
#[cfg(doctest)]
#[doc = include_str!("../../docs/projections.md")]
pub struct Projections;

/// The chapter on several processes.
#[cfg(doctest)]
#[doc = include_str!("../../docs/several-processes.md")]
pub struct SeveralProcesses;

/// The chapter on snapshots.
#[cfg(doctest)]
#[doc = include_str!("../../docs/snapshots.md")]
pub struct Snapshots;

/// The chapter on questions about the past.
#[cfg(doctest)]
#[doc = include_str!("../../docs/time-travel-and-audit.md")]
pub struct TimeTravelAndAudit;

/// The chapter on archives.
#[cfg(doctest)]
#[doc = include_str!("../../docs/growth.md")]
pub struct Growth;

/// The chapter on moving a history.
#[cfg(doctest)]
#[doc = include_str!("../../docs/moving-a-store.md")]
pub struct MovingAStore;
