//! The shapes of stored events, what changed in them, and `events.lock`, the file that remembers
//! them. An implementation detail of [`es_core`](https://docs.rs/es-core), which re-exports what is
//! for everybody as `es_core::lock`.
//!
//! The derives compare while a crate compiles, a test compares when it runs. Both do it here, so
//! they can not disagree: [`difference`] is a `const fn`, because what a derive can not see, the
//! types of other derives, the compiler compares in a constant.

mod comparison;
mod difference;
mod digest;
mod format;
mod lock;
mod name;
mod owners;
mod quoted;
mod scalar;
mod shape;
mod text;

pub use crate::difference::{
    Change, Compatibility, Difference, difference, difference_of_flattened, differences,
};
pub use crate::digest::Digest;
pub use crate::format::{LockError, LockProblem};
pub use crate::lock::{Entry, EntryKey, Lock, Outcome, Sample};
pub use crate::name::{Name, is_same};
pub use crate::scalar::Scalar;
pub use crate::shape::{Field, Shape, Tagging, Variant};
pub use crate::text::Text;
