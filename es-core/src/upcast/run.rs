//! Running the steps of an event.

use std::any::Any;

use super::{Operation, Part, Step, StepKind, StoredObject, UpcastError, Upcasts};
use crate::codec::CodecError;
use crate::recorded::Recorded;
use crate::version::SchemaVersion;

/// What the steps have made of a stored event.
pub(crate) enum Upcasted<'a> {
    /// The object of the newest version.
    Object(StoredObject<'a>),
    /// The event itself.
    Event(Box<dyn Any>),
    /// Several events.
    Parts(Vec<Part>),
}

/// Why they could not.
pub(crate) enum Problem {
    NewerVersion,
    BelowOldest,
    Step { from: SchemaVersion, step: &'static str, error: UpcastError },
    Payload(CodecError),
}

/// How far a stored event has come.
enum State<'a> {
    Stored,
    Object(StoredObject<'a>),
    Struct(Box<dyn Any>),
}

/// Runs the steps from the version that is stored up to the `newest`.
pub(crate) fn upcast<'a>(
    upcasts: &'static Upcasts,
    newest: SchemaVersion,
    recorded: &Recorded<'a>,
) -> Result<Upcasted<'a>, Problem> {
    let stored = recorded.schema_version;
    if stored > newest {
        return Err(Problem::NewerVersion);
    }
    let first = stored.get().checked_sub(upcasts.oldest).ok_or(Problem::BelowOldest)?;
    let steps = usize::try_from(first).ok().and_then(|first| upcasts.steps.get(first..));
    let steps = steps.filter(|steps| !steps.is_empty()).ok_or(Problem::BelowOldest)?;
    let mut state = State::Stored;
    for (from, step) in (stored.get()..).zip(steps) {
        let failed = |error| Problem::Step {
            from: crate::__private::schema_version(from),
            step: step.text,
            error,
        };
        state = match &step.kind {
            StepKind::Object { operations, .. } => {
                let mut object = match state {
                    State::Object(object) => object,
                    State::Stored => object_of(upcasts, recorded)?,
                    State::Struct(_) => return Err(failed(out_of_order())),
                };
                for operation in *operations {
                    operation.apply(&mut object, recorded).map_err(failed)?;
                }
                State::Object(object)
            }
            StepKind::Via { read, from_object, next, .. } => {
                let old = match state {
                    State::Struct(old) => old,
                    State::Stored => read(recorded.payload).map_err(Problem::Payload)?,
                    State::Object(object) => from_object(&object)
                        .map_err(|error| failed(UpcastError::new(error.to_string())))?,
                };
                State::Struct(next(old).map_err(failed)?)
            }
            StepKind::Split { into, run } => {
                let parts = match state {
                    State::Stored => run.of_payload(recorded),
                    State::Object(object) => run.of_object(&object, recorded),
                    State::Struct(_) => Err(out_of_order()),
                };
                let parts = parts.and_then(|parts| check(parts, into, recorded));
                return parts.map(Upcasted::Parts).map_err(failed);
            }
        };
    }
    match state {
        State::Object(object) => Ok(Upcasted::Object(object)),
        State::Struct(event) => Ok(Upcasted::Event(event)),
        State::Stored => Err(Problem::BelowOldest),
    }
}

fn object_of<'a>(upcasts: &Upcasts, recorded: &Recorded<'a>) -> Result<StoredObject<'a>, Problem> {
    match upcasts.object {
        Some(object) => object(recorded.payload).map_err(Problem::Payload),
        None => Ok(StoredObject::default()),
    }
}

/// The derive puts typed steps behind all others.
fn out_of_order() -> UpcastError {
    UpcastError::new("a step over the object follows a struct of old")
}

/// Refuses parts that the attribute does not name, and one that would be split again without end.
fn check(
    parts: Vec<Part>,
    into: &[&str],
    recorded: &Recorded<'_>,
) -> Result<Vec<Part>, UpcastError> {
    for part in &parts {
        if !into.contains(&part.name) {
            return Err(UpcastError::new(format!(
                "the function made `{}`, which `into(..)` does not list",
                part.name
            )));
        }
        if part.name == recorded.name && part.schema_version <= recorded.schema_version {
            return Err(UpcastError::new(format!(
                "the function made version {} of `{}` of version {}, which would be split again",
                part.schema_version, part.name, recorded.schema_version
            )));
        }
    }
    Ok(parts)
}

/// Undoes steps, the last one first, down to the version `written`.
pub(crate) fn downcast(
    upcasts: &Upcasts,
    written: SchemaVersion,
    object: &mut StoredObject<'_>,
) -> Result<(), (&'static str, UpcastError)> {
    let first = written.get().saturating_sub(upcasts.oldest);
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let steps: &[Step] = upcasts.steps.get(first..).unwrap_or_default();
    for step in steps.iter().rev() {
        let undone = match &step.kind {
            StepKind::Object { inverse: Some(inverse), .. }
            | StepKind::Via { inverse: Some(inverse), .. } => {
                object.change(|object| inverse.undo(object))
            }
            StepKind::Object { operations, inverse: None } => {
                operations.iter().rev().try_for_each(|operation: &Operation| operation.undo(object))
            }
            StepKind::Via { inverse: None, .. } | StepKind::Split { .. } => {
                Err(UpcastError::new("the step can not be undone"))
            }
        };
        undone.map_err(|error| (step.text, error))?;
    }
    Ok(())
}
