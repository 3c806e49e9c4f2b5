//! What the steps of an event make of the shape of a released version.

use es_lock::{Field, Shape};

use super::upcast::{Operation, Upcasts};
use crate::attribute::operation::{Assigned, Removed, Renamed};
use crate::attribute::{FieldPath, Segment};

/// The shape that version `from` has behind the steps up to `to`. Behind a function it is unknown.
pub(crate) fn replayed(shape: &Shape, from: u32, to: u32, upcasts: &Upcasts<'_>) -> Shape {
    let mut shape = shape.clone();
    for version in from..to {
        // A missing step is reported for itself.
        let Some(step) = upcasts.from(version) else { return Shape::Unknown };
        for operation in &step.operations {
            match operation {
                Operation::Rename(Renamed { old, new }) => match take(&mut shape, old) {
                    Taken::Field(mut field) => {
                        field.name = new.name().to_owned().into();
                        insert(&mut shape, new, field);
                    }
                    Taken::Nothing => {}
                    Taken::Unseen => forget(&mut shape, new),
                },
                Operation::Add(Assigned { field: path, .. }) => {
                    let field = match take(&mut shape, path) {
                        // One that is there stays as it is, one that was missing is there now.
                        Taken::Field(field) if field.shape != Shape::Unwritten => {
                            Field { default: false, omittable: false, ..field }
                        }
                        // What a function gives is not seen, what a literal gives is checked before.
                        _ => Field::new(path.name().to_owned().into(), Shape::Unknown),
                    };
                    insert(&mut shape, path, field);
                }
                Operation::Remove(Removed { field, .. }) => {
                    take(&mut shape, field);
                }
                Operation::With(_) | Operation::Via(_) | Operation::Split(_) => {
                    return Shape::Unknown;
                }
            }
        }
    }
    shape
}

/// What is found at the end of a path.
enum Taken {
    Field(Field),
    /// There is no such field.
    Nothing,
    /// The path leads to where shapes do not tell.
    Unseen,
}

fn take(shape: &mut Shape, path: &FieldPath) -> Taken {
    let Some(fields) = object(shape, path.parent()) else { return Taken::Unseen };
    let found =
        fields.iter().position(|field| !field.flatten && field.name.as_str() == path.name());
    match found {
        Some(index) => Taken::Field(fields.remove(index)),
        None if fields.iter().any(|field| field.flatten) => Taken::Unseen,
        None => Taken::Nothing,
    }
}

fn insert(shape: &mut Shape, path: &FieldPath, field: Field) {
    let Some(fields) = object(shape, path.parent()) else { return };
    fields.retain(|known| known.flatten || known.name != field.name);
    fields.push(field);
    fields.sort_by(|one, other| (&one.name, one.flatten).cmp(&(&other.name, other.flatten)));
}

/// Says that it is not known what a field is: something came to it from where shapes do not tell.
fn forget(shape: &mut Shape, path: &FieldPath) {
    let name = path.name().to_owned().into();
    insert(shape, path, Field::new(name, Shape::Unknown));
}

/// The fields of the object that the path leads to.
fn object<'s>(shape: &'s mut Shape, path: &[Segment]) -> Option<&'s mut Vec<Field>> {
    let shape = match shape {
        Shape::Optional(parts) | Shape::Nullable(parts) => {
            return object(parts.to_mut().first_mut()?, path);
        }
        shape => shape,
    };
    match (path, shape) {
        ([], Shape::Struct(fields) | Shape::Closed(fields)) => Some(fields.to_mut()),
        ([Segment::Field(name), rest @ ..], Shape::Struct(fields) | Shape::Closed(fields)) => {
            let field = fields.to_mut().iter_mut().find(|field| field.name.as_str() == name)?;
            object(&mut field.shape, rest)
        }
        (
            [Segment::Elements, rest @ ..],
            Shape::List(parts) | Shape::Set(parts) | Shape::Array(_, parts),
        ) => object(parts.to_mut().first_mut()?, rest),
        _ => None,
    }
}
