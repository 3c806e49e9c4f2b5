//! What the tests share: a small domain, and stores that misbehave on command.

#![allow(missing_docs, reason = "read by its tests only")]

pub mod broken;
pub mod counter;
pub mod faulty;
pub mod history;
pub mod list_store;
pub mod paused;
pub mod tally;

/// The program of the README, which runs as it is shown.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

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
