//! The fields of each version of an event, worked out from the newest backwards.
//!
//! What the struct says is the newest version; each step says how the version before it differed.
//! A step that names a field which can not have been there contradicts the struct or a later step.

use std::collections::BTreeMap;

use super::upcast::{Operation, Step};
use crate::attribute::FieldPath;
use crate::attribute::operation::{Assigned, Removed, Renamed};

/// The fields of one version, by stored name; what is known of each is a `T`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum VersionFields<T> {
    /// These and no others. `None` where nothing but the name is known: a later step removed it.
    Known(BTreeMap<String, Option<T>>),
    /// A function made the next version of it, or something that the derive does not see through.
    Unknown,
}

/// A field that a step names and that can not have been there, or that must be gone.
pub(crate) enum Contradiction<'a> {
    /// The version after the step has no such field.
    Missing(&'a FieldPath),
    /// The version after the step still has the field that the step takes away.
    StillThere(&'a FieldPath),
}

impl<T: Clone> VersionFields<T> {
    /// The fields before the step, when these are the fields after it. Each contradiction is given
    /// to `report`, and what was meant is assumed.
    pub(crate) fn before<'s>(
        &self,
        step: &'s Step<'_>,
        mut report: impl FnMut(Contradiction<'s>),
    ) -> Self {
        let Self::Known(fields) = self else { return Self::Unknown };
        let mut fields = fields.clone();
        for operation in step.operations.iter().rev() {
            match operation {
                Operation::Rename(Renamed { old, new }) if new.is_top_level() => {
                    let known = fields.remove(new.root());
                    if known.is_none() {
                        report(Contradiction::Missing(new));
                    }
                    if fields.contains_key(old.root()) {
                        report(Contradiction::StillThere(old));
                    }
                    fields.insert(old.root().to_owned(), known.flatten());
                }
                Operation::Add(Assigned { field, .. }) if field.is_top_level() => {
                    if fields.remove(field.root()).is_none() {
                        report(Contradiction::Missing(field));
                    }
                }
                Operation::Remove(Removed { field, .. }) if field.is_top_level() => {
                    if fields.contains_key(field.root()) {
                        report(Contradiction::StillThere(field));
                    }
                    fields.insert(field.root().to_owned(), None);
                }
                // Inside of a field: the field itself is there before and after.
                Operation::Rename(Renamed { new: path, .. })
                | Operation::Add(Assigned { field: path, .. })
                | Operation::Remove(Removed { field: path, .. }) => {
                    if !fields.contains_key(path.root()) {
                        report(Contradiction::Missing(path));
                        fields.insert(path.root().to_owned(), None);
                    }
                }
                Operation::With(_) | Operation::Via(_) | Operation::Split(_) => {
                    return Self::Unknown;
                }
            }
        }
        Self::Known(fields)
    }

    /// The fields that the step adds, with what is known of them, when these are the fields after
    /// it.
    pub(crate) fn added_by<'s>(&self, step: &'s Step<'_>) -> Vec<(&'s Assigned, T)> {
        let Self::Known(fields) = self else { return Vec::new() };
        let mut fields = fields.clone();
        let mut added = Vec::new();
        for operation in step.operations.iter().rev() {
            match operation {
                Operation::Rename(Renamed { old, new }) if new.is_top_level() => {
                    let known = fields.remove(new.root()).flatten();
                    fields.insert(old.root().to_owned(), known);
                }
                Operation::Add(assigned) if assigned.field.is_top_level() => {
                    if let Some(Some(known)) = fields.remove(assigned.field.root()) {
                        added.push((assigned, known));
                    }
                }
                Operation::With(_) | Operation::Via(_) | Operation::Split(_) => break,
                _ => {}
            }
        }
        added
    }
}

#[cfg(test)]
mod tests {
    use syn::DeriveInput;

    use super::*;
    use crate::ctxt::Ctxt;
    use crate::model::upcast::Upcasts;

    /// The names of the fields of each version from the newest down, and the contradictions.
    fn history(newest: &[&str], steps: &str) -> (Vec<String>, Vec<String>) {
        let input: DeriveInput = syn::parse_str(&format!("{steps} struct E;")).unwrap();
        let ctxt = Ctxt::new();
        let upcasts = Upcasts::read(&ctxt, &input);
        ctxt.finish().unwrap();
        let fields = newest.iter().map(|name| ((*name).to_owned(), Some(()))).collect();
        let mut fields = VersionFields::Known(fields);
        let (mut versions, mut contradictions) = (Vec::new(), Vec::new());
        for step in upcasts.steps.iter().rev() {
            fields = fields.before(step, |contradiction| {
                contradictions.push(match contradiction {
                    Contradiction::Missing(path) => format!("{} misses {}", step.from, path.text()),
                    Contradiction::StillThere(path) => {
                        format!("{} still has {}", step.from, path.text())
                    }
                });
            });
            versions.push(match &fields {
                VersionFields::Known(fields) => {
                    let name = |(name, known): (&String, &Option<()>)| {
                        format!("{name}{}", if known.is_some() { "" } else { "?" })
                    };
                    fields.iter().map(name).collect::<Vec<_>>().join(" ")
                }
                VersionFields::Unknown => "unknown".to_owned(),
            });
        }
        (versions, contradictions)
    }

    #[test]
    fn each_step_is_undone_from_the_newest_version_back() {
        let (versions, contradictions) = history(
            &["amount", "currency", "address"],
            r#"#[upcast(from = 3, rename("address.zip" => "address.postcode"), add(currency = "CZK"))]
               #[upcast(from = 1, remove(note))]
               #[upcast(from = 2, rename("amt" => "amount"))]"#,
        );
        assert_eq!(versions, ["address amount", "address amt", "address amt note?"]);
        assert_eq!(contradictions, [""; 0]);
    }

    #[test]
    fn operations_of_one_step_are_undone_last_one_first() {
        let (versions, contradictions) = history(
            &["b"],
            r#"#[upcast(from = 1, rename("a" => "x"), rename("x" => "b"), add(gone = 1), remove(gone))]"#,
        );
        assert_eq!((versions, contradictions), (vec!["a".to_owned()], vec![]));
    }

    #[test]
    fn a_field_that_can_not_have_been_there_is_a_contradiction() {
        let (_, contradictions) = history(
            &["amount", "amt", "note"],
            r#"#[upcast(from = 2, rename("amt" => "amuont"), add(currency = 1))]
               #[upcast(from = 1, remove(note), rename("x.y" => "x.z"))]"#,
        );
        assert_eq!(
            contradictions,
            [
                "2 misses currency",
                "2 misses amuont",
                "2 still has amt",
                "1 misses x.z",
                "1 still has note"
            ]
        );
    }

    #[test]
    fn behind_a_function_nothing_is_known() {
        let steps = r#"#[upcast(from = 1, remove(whatever))] #[upcast(from = 2, with = f)]"#;
        assert_eq!(history(&["a"], steps), (vec!["unknown".to_owned(); 2], vec![]));
    }
}
