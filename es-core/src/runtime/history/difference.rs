//! What differs between two states, field by field.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::History;
use crate::aggregate::Aggregate;
use crate::error::ErrorCategory;
use crate::recorded::Recorded;
use crate::runtime::replay::{LoadError, Loaded, Step};
use crate::store::EventStore;
use crate::version::Version;

/// A field that two states differ in.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldChange {
    /// Where it is, as a JSON pointer: `/owner/addresses/0/street`. Empty for the state as a whole.
    pub path: String,
    /// What it was; `None` if it was not there.
    pub before: Option<Value>,
    /// What it became; `None` if it is not there any more.
    pub after: Option<Value>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(formatter, "{path}: {before} -> {after}"),
            (None, Some(after)) => write!(formatter, "{path}: added {after}"),
            (Some(before), None) => write!(formatter, "{path}: removed {before}"),
            (None, None) => formatter.write_str(path),
        }
    }
}

/// The fields that two values differ in, sorted by path. Objects are compared by key and arrays by
/// place.
pub fn field_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let (mut changes, mut path) = (Vec::new(), String::new());
    compare(Some(before), Some(after), &mut path, &mut changes);
    changes
}

// As deep as the values are; `Serialize` has been there.
fn compare(
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut String,
    changes: &mut Vec<FieldChange>,
) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            let mut keys: Vec<_> = before.keys().chain(added).collect();
            keys.sort_unstable();
            for key in keys {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                below(path, &escaped, |path| {
                    compare(before.get(key), after.get(key), path, changes);
                });
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for place in 0..before.len().max(after.len()) {
                below(path, &place.to_string(), |path| {
                    compare(before.get(place), after.get(place), path, changes);
                });
            }
        }
        (before, after) => changes.push(FieldChange {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

fn below(path: &mut String, part: &str, look: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(part);
    look(path);
    path.truncate(length);
}

impl<A: Aggregate + Serialize, S: EventStore> History<'_, A, S> {
    /// The fields that the state at version `to` has otherwise than at version `from`, sorted by
    /// path. A version that the stream has not reached stands for its last.
    ///
    /// Fields are those that serde writes. One replay answers.
    ///
    /// # Errors
    /// When the stream can not be read, or serde can not write the state as JSON.
    pub async fn difference(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<FieldChange>, DifferenceError> {
        let mut loaded = Loaded::default();
        self.go_on_to(&mut loaded, from.min(to)).await?;
        let earlier = written(&loaded.state)?;
        self.go_on_to(&mut loaded, from.max(to)).await?;
        let later = written(&loaded.state)?;
        Ok(if from <= to {
            field_changes(&earlier, &later)
        } else {
            field_changes(&later, &earlier)
        })
    }

    /// Shows every event with the fields that it changed, and answers with the last state.
    ///
    /// # Errors
    /// When the stream can not be read, or serde can not write a state as JSON.
    pub async fn for_each_change(
        &self,
        mut show: impl FnMut(&[FieldChange], &A::Event, &Recorded<'_>),
    ) -> Result<Loaded<A>, DifferenceError> {
        let mut loaded = Loaded::default();
        let mut before = written(&loaded.state)?;
        let mut failed = None;
        self.go_on(
            &mut loaded,
            |_, _| Step::Apply,
            |state, event, recorded| match written(state) {
                _ if failed.is_some() => {}
                Ok(after) => {
                    show(&field_changes(&before, &after), event, recorded);
                    before = after;
                }
                Err(error) => failed = Some(error),
            },
        )
        .await?;
        failed.map_or(Ok(loaded), Err)
    }
}

fn written<A: Aggregate + Serialize>(state: &A) -> Result<Value, DifferenceError> {
    serde_json::to_value(state).map_err(|error| DifferenceError::Unwritable {
        aggregate: A::NAME,
        reason: error.to_string(),
    })
}

/// Why two states could not be compared.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DifferenceError {
    /// A state could not be had.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A state could not be written.
    #[error(
        "the state of aggregate `{aggregate}` can not be written as JSON: {reason}; give the field another `#[serde(serialize_with = ..)]`"
    )]
    Unwritable {
        /// The stored name of the aggregate.
        aggregate: &'static str,
        /// What serde says.
        reason: String,
    },
}

impl DifferenceError {
    /// What a caller can do about it.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Load(error) => error.category(),
            Self::Unwritable { .. } => ErrorCategory::Permanent,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_named_by_path_and_say_what_was_and_what_is() {
        let before =
            json!({"a": 1, "gone": null, "list": [1, {"x": 1}], "deep": {"a/b": {"~": 1}}});
        let after = json!({"a": 2, "new": [], "list": [1, {"x": 2}, 3], "deep": {"a/b": {"~": 2}}});
        let changes: Vec<_> =
            field_changes(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(
            changes,
            [
                "/a: 1 -> 2",
                "/deep/a~1b/~0: 1 -> 2",
                "/gone: removed null",
                "/list/1/x: 1 -> 2",
                "/list/2: added 3",
                "/new: added []",
            ]
        );
        assert_eq!(field_changes(&json!(1), &json!([1]))[0].to_string(), ": 1 -> [1]");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<u8>().prop_map(Value::from)];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[ab~/]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_change_is_found_where_its_path_points(before in values(), after in values()) {
            let changes = field_changes(&before, &after);
            prop_assert_eq!(changes.is_empty(), before == after);
            for change in changes {
                prop_assert_eq!(before.pointer(&change.path), change.before.as_ref());
                prop_assert_eq!(after.pointer(&change.path), change.after.as_ref());
                prop_assert_ne!(change.before, change.after);
            }
        }
    }
}
