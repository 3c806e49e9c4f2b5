//! Laws of the steps over random shapes and random chains: the tables that the derive makes do what
//! the steps say, applied by hand to an object that is taken apart into its leaves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    JsonObject, NewValue, Operation, Segment, Step, StepKind, StoredObject, Upcasted, Upcasts,
};
use crate::identity::EventId;
use crate::metadata::Metadata;
use crate::recorded::RecordedEvent;
use crate::tag::Tags;
use crate::version::{Position, SchemaVersion, Version};

/// An operation as a person would say it. Paths are names; `[]` goes into a list.
#[derive(Clone, Debug)]
enum Said {
    Rename(Vec<&'static str>, &'static str, &'static str),
    Add(Vec<&'static str>, &'static str, u64),
    Remove(Vec<&'static str>, &'static str),
}

/// Where a leaf stands: names, and numbers of elements.
type Place = Vec<String>;

/// An object as its leaves; an object or a list with nothing in it is one itself.
type Leaves = BTreeMap<Place, Value>;

fn take_apart(value: &Value, place: &Place, leaves: &mut Leaves) {
    let inside = |name: String| place.iter().cloned().chain([name]).collect::<Place>();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                take_apart(value, &inside(name.clone()), leaves);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (index, value) in elements.iter().enumerate() {
                take_apart(value, &inside(format!("#{index}")), leaves);
            }
        }
        leaf => {
            leaves.insert(place.clone(), leaf.clone());
        }
    }
}

/// Whether a place lies at or below the end of a path.
fn lies_in(place: &[String], path: &[&str]) -> bool {
    place.len() >= path.len()
        && path.iter().zip(place).all(|(said, name)| match *said {
            "[]" => name.starts_with('#'),
            said => said == name,
        })
}

/// The objects that a path leads to: every place of one, with whether it is empty.
fn objects(leaves: &Leaves, path: &[&str]) -> Vec<Place> {
    let mut places: Vec<Place> = leaves
        .iter()
        .filter(|(place, leaf)| {
            lies_in(place, path)
                && (place.len() > path.len() || **leaf == json!({}))
                && !place.get(path.len()).is_some_and(|name| name.starts_with('#'))
        })
        .map(|(place, _)| place[..path.len()].to_vec())
        .collect();
    places.dedup();
    places
}

/// An object that lost its last field is a leaf, and one that gets a first field is none any more.
fn tidy(leaves: &mut Leaves, object: &Place) {
    let empty = object.clone();
    let inner = leaves.keys().any(|place| place.len() > object.len() && place.starts_with(object));
    if inner {
        leaves.remove(&empty);
    } else {
        leaves.insert(empty, json!({}));
    }
}

/// Applies an operation by hand; nothing if a rename meets a field that is there.
fn by_hand(leaves: &mut Leaves, said: &Said) -> Option<()> {
    let (Said::Rename(path, ..) | Said::Add(path, ..) | Said::Remove(path, ..)) = said;
    for object in objects(leaves, path) {
        let below = |leaves: &Leaves, name: &str| -> Vec<Place> {
            let field: Place = object.iter().cloned().chain([name.to_owned()]).collect();
            leaves.keys().filter(|place| place.starts_with(&field)).cloned().collect()
        };
        match said {
            Said::Rename(_, old, new) => {
                let moved = below(leaves, old);
                if !moved.is_empty() && !below(leaves, new).is_empty() {
                    return None;
                }
                for place in moved {
                    let leaf = leaves.remove(&place)?;
                    let mut place = place;
                    (*new).clone_into(&mut place[object.len()]);
                    leaves.insert(place, leaf);
                }
            }
            Said::Add(_, name, value) => {
                if below(leaves, name).is_empty() {
                    let field = object.iter().cloned().chain([(*name).to_owned()]).collect();
                    leaves.insert(field, json!(value));
                }
            }
            Said::Remove(_, name) => {
                for place in below(leaves, name) {
                    leaves.remove(&place);
                }
            }
        }
        tidy(leaves, &object);
    }
    Some(())
}

/// The operation as the derive would put it into the table.
fn in_the_table(said: &Said) -> Operation {
    let parent = |path: &[&'static str]| -> &'static [Segment] {
        let segment = |name: &&'static str| match *name {
            "[]" => Segment::Elements,
            name => Segment::Field(name),
        };
        Vec::leak(path.iter().map(segment).collect())
    };
    match said {
        Said::Rename(path, old, new) => {
            Operation::Rename { path: "path", parent: parent(path), old, new }
        }
        Said::Add(path, name, value) => Operation::Add {
            path: "path",
            parent: parent(path),
            name,
            value: NewValue::Json(value.to_string().leak()),
        },
        Said::Remove(path, name) => {
            Operation::Remove { path: "path", parent: parent(path), name, undone: None }
        }
    }
}

fn table(steps: &[Vec<Said>]) -> &'static Upcasts {
    let step = |said: &Vec<Said>| Step {
        text: "step",
        kind: StepKind::Object {
            operations: Vec::leak(said.iter().map(in_the_table).collect()),
            inverse: None,
        },
    };
    Box::leak(Box::new(Upcasts {
        oldest: 1,
        steps: Vec::leak(steps.iter().map(step).collect()),
        object: Some(crate::__private::object_of::<crate::codec::Json>),
    }))
}

/// The object of the newest version, or nothing if a step fails.
fn upcast(upcasts: &'static Upcasts, stored: u32, payload: &Value) -> Option<JsonObject> {
    let newest = u32::try_from(upcasts.steps.len()).unwrap() + 1;
    let recorded = RecordedEvent {
        position: Position::new(1),
        stream: "a/1".parse().unwrap(),
        version: Version::new(1),
        event_id: EventId::generate(),
        name: "n".to_owned(),
        schema_version: SchemaVersion::try_from(stored).unwrap(),
        payload: payload.to_string().into_bytes().into(),
        tags: Tags::new(),
        recorded_at: Timestamp::UNIX_EPOCH,
        occurred_at: None,
        metadata: Metadata::EMPTY,
    };
    let newest = SchemaVersion::try_from(newest).unwrap();
    match super::upcast(upcasts, newest, &recorded.as_recorded()) {
        Ok(Upcasted::Object(object)) => Some(object.read().unwrap()),
        _ => None,
    }
}

const SCALARS: [&str; 4] = ["s1", "s2", "s3", "s.4"];
const OBJECTS: [&str; 3] = ["o1", "o2", "o3"];
const LISTS: [&str; 3] = ["l1", "l2", "l3"];

fn name_of(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(names)
}

/// An object whose fields are of the kind that their names say, three levels deep.
fn object() -> impl Strategy<Value = Value> {
    let scalars = || {
        btree_map(
            name_of(&SCALARS),
            prop_oneof![
                any::<i64>().prop_map(Value::from),
                Just(Value::Null),
                "[a-ž]{0,3}".prop_map(Value::from)
            ],
            0..3,
        )
    };
    let of = |fields: BTreeMap<&'static str, Value>| {
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let leaf = scalars().prop_map(of).boxed();
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let objects = btree_map(
            name_of(&OBJECTS),
            prop_oneof![4 => inner.clone(), 1 => Just(Value::Null)],
            0..3,
        );
        let lists = btree_map(name_of(&LISTS), vec(inner, 0..3).prop_map(Value::Array), 0..3);
        (scalars(), objects, lists).prop_map(move |(mut fields, objects, lists)| {
            fields.extend(objects);
            fields.extend(lists);
            of(fields)
        })
    })
}

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    let part = prop_oneof![
        name_of(&OBJECTS).prop_map(|name| vec![name]),
        name_of(&LISTS).prop_map(|name| vec![name, "[]"]),
    ];
    vec(part, 0..3).prop_map(|parts| parts.concat())
}

fn operation() -> impl Strategy<Value = Said> {
    let two = |names: &'static [&'static str]| {
        (name_of(names), name_of(names)).prop_filter("two names", |(old, new)| old != new)
    };
    let any_two = prop_oneof![two(&SCALARS), two(&OBJECTS), two(&LISTS)];
    let any_one = prop_oneof![name_of(&SCALARS), name_of(&OBJECTS), name_of(&LISTS)];
    prop_oneof![
        3 => (path(), any_two).prop_map(|(path, (old, new))| Said::Rename(path, old, new)),
        2 => (path(), name_of(&SCALARS), any::<u64>())
            .prop_map(|(path, name, value)| Said::Add(path, name, value)),
        1 => (path(), any_one).prop_map(|(path, name)| Said::Remove(path, name)),
    ]
}

fn leaves(value: &Value) -> Leaves {
    let mut leaves = Leaves::new();
    take_apart(value, &Place::new(), &mut leaves);
    leaves
}

proptest! {
    #[test]
    fn upcasting_is_applying_the_steps_by_hand(
        payload in object(),
        steps in vec(vec(operation(), 1..4), 1..6),
        skipped in 0_usize..5,
    ) {
        let first = skipped.min(steps.len() - 1);
        let mut wanted = Some(leaves(&payload));
        for said in steps[first..].iter().flatten() {
            wanted = wanted.and_then(|mut leaves| by_hand(&mut leaves, said).map(|()| leaves));
        }
        let stored = u32::try_from(first).unwrap() + 1;
        let found = upcast(table(&steps), stored, &payload);
        prop_assert_eq!(found.map(|object| leaves(&Value::Object(object))), wanted);
    }

    #[test]
    fn what_is_upcast_and_written_as_the_older_version_is_what_it_was(
        payload in object(),
        renames in vec((path(), 0_usize..4), 1..6),
    ) {
        // Every step gives a field a name that was not there before, and adds another such.
        const NEW: [[&str; 2]; 6] =
            [["n1", "a1"], ["n2", "a2"], ["n3", "a3"], ["n4", "a4"], ["n5", "a5"], ["n6", "a6"]];
        let steps: Vec<Vec<Said>> = renames
            .into_iter()
            .zip(NEW)
            .map(|((path, old), [new, added])| {
                vec![Said::Rename(path.clone(), SCALARS[old], new), Said::Add(path, added, 7)]
            })
            .collect();
        let upcasts = table(&steps);
        let newest = Value::Object(upcast(upcasts, 1, &payload).unwrap());
        let mut object = StoredObject::of(newest).unwrap();
        super::downcast(upcasts, SchemaVersion::FIRST, &mut object).unwrap();
        prop_assert_eq!(Value::Object(object.values().unwrap()), payload);
    }
}
