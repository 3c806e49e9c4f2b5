//! One domain written twice: with es-core, and by hand as an expert would for this domain alone.
//!
//! `cargo bench -p es-benches` measures both in one run and prints ratios.

#![allow(missing_docs, reason = "read the code")]

pub mod by_hand;
pub mod by_hand_sqlite;
pub mod domain;
pub mod durable;
pub mod heavy;
pub mod measure;
pub mod naive;
