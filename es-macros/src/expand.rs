//! The generated code: models that keep the rules in, tokens out.
//!
//! It names types and passes constants; what can be a function is one in `es_core::__private`.
//!
//! Where an error in it is reported depends on the span of its tokens:
//!
//! | span | an error points at | used for |
//! |---|---|---|
//! | the user's token | that token | what fails when a type does not fit |
//! | the user's token, `resolved_at` the call site | the derive | names that lints should not see |
//! | the call site, which `quote!` gives | the derive | everything else |

mod aggregate;
mod aggregate_id;
mod arguments;
mod command;
mod dispatch;
mod event;
mod event_data;
mod event_set;
pub(crate) mod fallback;
mod fingerprint;
mod history;
mod listed;
mod name_checks;
mod projection;
mod registration;
mod released;
mod shape;
mod span;
mod split_checks;
mod stored;

pub(crate) use self::aggregate::aggregate;
pub(crate) use self::aggregate_id::aggregate_id;
pub(crate) use self::command::command;
pub(crate) use self::event::event;
pub(crate) use self::event_data::event_data;
pub(crate) use self::event_set::own_event_set;
pub(crate) use self::projection::projection;
