//! The operations of one step happen in the order in which they are written.

use crate::attribute::operation::{Assigned, Removed, Renamed};
use crate::attribute::{FieldPath, Segment};
use crate::ctxt::Ctxt;
use crate::model::{Operation, Step};

/// What a step did to a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Added,
    RenamedTo,
    Removed,
    RenamedAway,
}

impl Done {
    /// Whether the field is there after it.
    fn leaves_it_there(self) -> bool {
        matches!(self, Self::Added | Self::RenamedTo)
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Added => "adds",
            Self::RenamedTo => "renames another field to",
            Self::Removed => "removes",
            Self::RenamedAway => "renames",
        }
    }
}

/// Refuses to make a field that the step made before, and to take away one that it took away before:
/// looked at from the struct, such a step would seem to contradict the struct.
pub(super) fn check(ctxt: &Ctxt, step: &Step<'_>) -> bool {
    let mut before: Vec<(&[Segment], Done)> = Vec::new();
    let mut sound = true;
    for operation in &step.operations {
        if let Operation::With(_) = operation {
            // What a function does nobody knows.
            before.clear();
        }
        for (path, now) in effects(operation) {
            let last = before.iter().rev().find(|(place, _)| *place == path.segments);
            if let Some((_, done)) = last
                && done.leaves_it_there() == now.leaves_it_there()
            {
                refuse(ctxt, path, *done, now);
                sound = false;
            }
            before.push((&path.segments, now));
        }
    }
    sound
}

fn refuse(ctxt: &Ctxt, path: &FieldPath, done: Done, now: Done) {
    let (field, first, second) = (path.text(), done.verb(), now.verb());
    if done == now {
        ctxt.error(
            path,
            format_args!("this step {second} `{field}` twice\nhelp: keep one of them"),
        );
    } else {
        ctxt.error(
            path,
            format_args!(
                "this step {second} `{field}` after it {first} it\nhelp: keep one of them"
            ),
        );
    }
}

/// What becomes of fields, in order.
fn effects(operation: &Operation) -> Vec<(&FieldPath, Done)> {
    match operation {
        Operation::Add(Assigned { field, .. }) => vec![(field, Done::Added)],
        Operation::Remove(Removed { field, .. }) => vec![(field, Done::Removed)],
        Operation::Rename(Renamed { old, new }) => {
            vec![(old, Done::RenamedAway), (new, Done::RenamedTo)]
        }
        Operation::With(_) | Operation::Via(_) | Operation::Split(_) => Vec::new(),
    }
}
