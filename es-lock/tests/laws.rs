//! Laws of shapes and locks: what is printed reads as the same, nothing differs from itself, and
//! every change of a shape is noticed.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;

use es_lock::{
    Change, Compatibility, Digest, Entry, Field, Lock, LockProblem, Name, Outcome, Sample, Scalar,
    Shape, Tagging, Variant, differences,
};
use proptest::prelude::*;
use proptest::sample::Index;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z][a-z_0-9]{0,8}",
        1 => "[a-zé. :\\[\\]{}()=,\"\\\\\u{1}\u{2028}#-]{1,6}",
    ]
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    prop::collection::btree_set(name(), 0..3)
        .prop_map(|names| names.into_iter().map(Name::from).collect())
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop::sample::select(Scalar::all().collect::<Vec<_>>())
}

fn leaf() -> impl Strategy<Value = Shape> {
    prop_oneof![
        6 => scalar().prop_map(Shape::Scalar),
        1 => Just(Shape::Json),
        1 => Just(Shape::Itself),
        1 => (0_u64..9).prop_map(Shape::Above),
        1 => name().prop_map(|label| Shape::Opaque(label.into())),
    ]
}

fn tagging() -> impl Strategy<Value = Tagging> {
    prop_oneof![
        Just(Tagging::External),
        name().prop_map(|tag| Tagging::Internal(tag.into())),
        (name(), name()).prop_map(|(tag, content)| Tagging::Adjacent(tag.into(), content.into())),
        Just(Tagging::Untagged),
    ]
}

fn fields(shape: impl Strategy<Value = Shape>) -> impl Strategy<Value = Vec<Field>> {
    let facts = (shape, any::<[bool; 3]>(), names());
    prop::collection::btree_map((name(), any::<bool>()), facts, 0..5).prop_map(|fields| {
        let fields = fields.into_iter().map(|((name, flatten), facts)| {
            let (shape, [default, omittable, _], aliases) = facts;
            let aliases = if flatten { Vec::new() } else { aliases };
            Field { name: name.into(), shape, default, omittable, flatten, aliases: aliases.into() }
        });
        fields.collect()
    })
}

fn variants(shape: impl Strategy<Value = Shape>) -> impl Strategy<Value = (Tagging, Vec<Variant>)> {
    let facts = (prop_oneof![Just(Shape::Unit), shape], any::<bool>(), names());
    (tagging(), prop::collection::btree_map(name(), facts, 0..5)).prop_map(|(tagging, variants)| {
        let mut place = 0;
        let variant = |(name, (shape, other, aliases)): (String, (Shape, bool, Vec<Name>))| {
            let name = if tagging == Tagging::Untagged { place.to_string() } else { name };
            place += 1;
            Variant { name: name.into(), shape, other, aliases: aliases.into() }
        };
        let variants = variants.into_iter().map(variant).collect();
        (tagging.clone(), variants)
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    leaf().prop_recursive(4, 40, 5, |inner| {
        let one =
            |make: fn(Vec<Shape>) -> Shape| inner.clone().prop_map(move |part| make(vec![part]));
        prop_oneof![
            inner.clone().prop_map(|part| match part {
                // An option of an option is written like an option.
                Shape::Optional(parts) | Shape::Nullable(parts) => Shape::Optional(parts),
                part => Shape::Optional(vec![part].into()),
            }),
            inner.clone().prop_map(|part| match part {
                Shape::Optional(parts) | Shape::Nullable(parts) => Shape::Nullable(parts),
                part => Shape::Nullable(vec![part].into()),
            }),
            one(|parts| Shape::List(parts.into())),
            one(|parts| Shape::Set(parts.into())),
            (0_u64..20, inner.clone()).prop_map(|(n, part)| Shape::Array(n, vec![part].into())),
            (leaf(), inner.clone()).prop_map(|(key, part)| Shape::Map(vec![key, part].into())),
            prop::collection::vec(inner.clone(), 0..12)
                .prop_map(|parts| Shape::Tuple(parts.into())),
            fields(inner.clone()).prop_map(|fields| Shape::Struct(fields.into())),
            fields(inner.clone()).prop_map(|fields| Shape::Closed(fields.into())),
            variants(inner).prop_map(|(tagging, all)| Shape::Enum(tagging, all.into())),
        ]
    })
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[{}\":a-z0-9 ,é]{0,20}".prop_map(String::into_bytes),
        "hex:[0-9a-f]{0,4}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..8),
    ]
}

fn samples() -> impl Strategy<Value = BTreeMap<u32, Sample>> {
    let outcome = (name(), 1_u32..9, payload()).prop_map(|(event, version, payload)| Outcome {
        event,
        version,
        payload,
    });
    let becomes = prop::collection::btree_map(1_u32..9, prop::collection::vec(outcome, 0..3), 0..3);
    let sample = (payload(), becomes).prop_map(|(payload, becomes)| Sample { payload, becomes });
    prop::collection::btree_map(1_u32..20, sample, 0..3)
}

fn lock() -> impl Strategy<Value = Lock> {
    let codec = prop::option::of(name());
    let entry = (shape(), codec, samples()).prop_map(|(shape, codec, samples)| Entry {
        shape,
        codec,
        samples,
    });
    let entries = prop::collection::btree_map((name(), 1_u32..5), entry, 0..4);
    let reads = prop::collection::btree_set(name(), 1..4);
    let aggregates = prop::collection::btree_map(name(), reads, 0..3);
    (entries, aggregates).prop_map(|(entries, aggregates)| Lock { entries, aggregates })
}

/// Changes something somewhere in a shape. None if there is nothing to change so.
fn mutated(shape: &Shape, kind: u8, place: &Index) -> Option<Shape> {
    let mut spots = Vec::new();
    collect(shape, &mut Vec::new(), &mut spots);
    let spot = place.get(&spots);
    let mut changed = shape.clone();
    let target = at(&mut changed, spot);
    let was = target.clone();
    match kind % 9 {
        0 => *target = Shape::Scalar(Scalar::Bool),
        1 => *target = Shape::TEXT,
        2 => match target {
            Shape::Optional(parts) => *target = Shape::Nullable(parts.clone()),
            Shape::Nullable(parts) => *target = parts.first()?.clone(),
            _ => *target = Shape::Optional(vec![target.clone()].into()),
        },
        3 => match target {
            Shape::Struct(fields) | Shape::Closed(fields) => {
                let name = Name::from("a field that nobody has".to_owned());
                fields.to_mut().push(Field::new(name, Shape::TEXT));
            }
            _ => return None,
        },
        4 => match target {
            Shape::Struct(fields) | Shape::Closed(fields) if !fields.is_empty() => {
                drop(fields.to_mut().pop())
            }
            Shape::Enum(_, variants) if !variants.is_empty() => drop(variants.to_mut().pop()),
            Shape::Tuple(parts) if !parts.is_empty() => drop(parts.to_mut().pop()),
            _ => return None,
        },
        5 => match target {
            Shape::Struct(fields) | Shape::Closed(fields) => {
                let field = fields.to_mut().first_mut()?;
                field.default = !field.default;
            }
            Shape::Enum(_, variants) => {
                let variant = variants.to_mut().first_mut()?;
                variant.other = !variant.other;
            }
            _ => return None,
        },
        6 => match target {
            Shape::Struct(fields) | Shape::Closed(fields) => {
                let field = fields.to_mut().first_mut()?;
                field.omittable = !field.omittable;
            }
            Shape::Enum(tagging, _) => {
                *tagging = match tagging {
                    Tagging::External => Tagging::Internal("t".to_owned().into()),
                    _ => Tagging::External,
                };
            }
            _ => return None,
        },
        7 => match target {
            Shape::Struct(fields) => *target = Shape::Closed(fields.clone()),
            Shape::Closed(fields) => *target = Shape::Struct(fields.clone()),
            _ => return None,
        },
        _ => match target {
            Shape::Struct(fields) | Shape::Closed(fields) => {
                let field = fields.to_mut().first_mut()?;
                field.aliases.to_mut().push("an alias that nobody has".to_owned().into());
            }
            Shape::Array(length, _) => *length += 1,
            _ => return None,
        },
    }
    // Some are what they were made.
    (*target != was).then_some(changed)
}

fn children(shape: &Shape) -> Vec<&Shape> {
    match shape {
        Shape::Optional(parts)
        | Shape::Nullable(parts)
        | Shape::List(parts)
        | Shape::Set(parts)
        | Shape::Array(_, parts)
        | Shape::Map(parts)
        | Shape::Tuple(parts) => parts.iter().collect(),
        Shape::Struct(fields) | Shape::Closed(fields) => {
            fields.iter().map(|field| &field.shape).collect()
        }
        Shape::Enum(_, variants) => variants.iter().map(|variant| &variant.shape).collect(),
        _ => Vec::new(),
    }
}

/// The places in a shape at which there is something with a kind of its own.
fn collect(shape: &Shape, path: &mut Vec<usize>, spots: &mut Vec<Vec<usize>>) {
    spots.push(path.clone());
    for (index, child) in children(shape).into_iter().enumerate() {
        // What stands inside of an option has its place already.
        let is_option = |shape: &Shape| matches!(shape, Shape::Optional(_) | Shape::Nullable(_));
        if is_option(shape) && !is_option(child) {
            for (inner, grandchild) in children(child).into_iter().enumerate() {
                path.extend([index, inner]);
                collect(grandchild, path, spots);
                path.truncate(path.len() - 2);
            }
            continue;
        }
        path.push(index);
        collect(child, path, spots);
        path.pop();
    }
}

fn at<'s>(shape: &'s mut Shape, path: &[usize]) -> &'s mut Shape {
    let [first, rest @ ..] = path else { return shape };
    let child = match shape {
        Shape::Optional(parts)
        | Shape::Nullable(parts)
        | Shape::List(parts)
        | Shape::Set(parts)
        | Shape::Array(_, parts)
        | Shape::Map(parts)
        | Shape::Tuple(parts) => &mut parts.to_mut()[*first],
        Shape::Struct(fields) | Shape::Closed(fields) => &mut fields.to_mut()[*first].shape,
        Shape::Enum(_, variants) => &mut variants.to_mut()[*first].shape,
        other => return other,
    };
    at(child, rest)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_lock_reads_as_the_same_lock_and_prints_as_the_same_text(lock in lock()) {
        let text = lock.to_string();
        let read: Lock = text.parse().unwrap();
        prop_assert_eq!(&read, &lock);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn the_order_of_lines_does_not_matter(lock in lock(), seed in any::<prop::sample::Selector>()) {
        let text = lock.to_string();
        let (header, lines) = text.split_once('\n').unwrap();
        let mut rest: Vec<_> = lines.lines().collect();
        let mut shuffled = Vec::new();
        while !rest.is_empty() {
            let index = seed.select(0..rest.len());
            shuffled.push(rest.swap_remove(index));
        }
        let shuffled = format!("{header}\n{}\n", shuffled.join("\n"));
        prop_assert_eq!(shuffled.parse::<Lock>().unwrap(), lock);
    }

    #[test]
    fn a_shape_does_not_differ_from_itself(shape in shape()) {
        prop_assert_eq!(differences(&shape, &shape).count(), 0);
    }

    #[test]
    fn every_change_is_noticed(shape in shape(), kind in any::<u8>(), place in any::<Index>()) {
        if let Some(changed) = mutated(&shape, kind, &place) {
            let found: Vec<_> = differences(&shape, &changed).collect();
            prop_assert!(!found.is_empty(), "{shape}became\n{changed}");
            prop_assert!(differences(&changed, &shape).next().is_some());
            prop_assert_ne!(Digest::new().shape(&shape), Digest::new().shape(&changed));
        }
    }

    #[test]
    fn what_is_lost_on_the_way_back_is_not_compatible_both_ways(
        shape in shape(), kind in any::<u8>(), place in any::<Index>()
    ) {
        // A change that loses nothing in either direction is only one of words: of what may be
        // left out, of a default of an option, of a name more that is read, or of names that
        // nobody wrote.
        if let Some(changed) = mutated(&shape, kind, &place) {
            let compatible = |one: &Shape, other: &Shape| {
                differences(one, other).all(|found| found.compatibility == Compatibility::Compatible)
            };
            if compatible(&shape, &changed) && compatible(&changed, &shape) {
                let words = differences(&shape, &changed).all(|found| matches!(
                    found.change,
                    Change::DefaultGained | Change::DefaultLost | Change::MayBeLeftOut | Change::AlwaysWritten
                        | Change::NamesDenied | Change::NamesIgnored
                ));
                prop_assert!(words, "{shape}became\n{changed}");
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(events.lock 1\n)?([a-z .:{}()\\[\\]\"\\\\=0-9\n]|payload|becomes|is|enum|struct){0,40}") {
        let _ = text.parse::<Lock>();
    }
}

fn problem(lines: &str) -> (usize, LockProblem) {
    let error = format!("events.lock 1\n{lines}").parse::<Lock>().unwrap_err();
    (error.line, error.problem)
}

#[test]
fn what_is_no_lock_is_refused_with_its_line() {
    assert_eq!("".parse::<Lock>().unwrap_err().problem, LockProblem::NoFormat);
    assert_eq!("a 1 struct".parse::<Lock>().unwrap_err().problem, LockProblem::NoFormat);
    let newer = "# hello\nevents.lock 2\nwhatever".parse::<Lock>().unwrap_err();
    assert_eq!((newer.line, newer.problem), (2, LockProblem::OtherFormat("2".to_owned())));
    assert_eq!(problem("a 1 struct\n<<<<<<< HEAD"), (3, LockProblem::Conflict));
    assert_eq!(problem("a 1 struct\n=======\n"), (3, LockProblem::Conflict));
    assert_eq!(problem("a struct"), (2, LockProblem::NoEvent));
    assert_eq!(problem("a 0 struct"), (2, LockProblem::NoEvent));
    assert_eq!(problem("a 1 strct"), (2, LockProblem::NoFact("strct".to_owned())));
    assert_eq!(problem("a 1 struct\na 1 .x u64\na 1 .x u32"), (4, LockProblem::Twice));
    assert_eq!(problem("a 1 struct\na 1 .x.y u64"), (3, LockProblem::NoParent));
    assert_eq!(problem("a 1 u64\na 1 .x u64"), (3, LockProblem::NoParent));
    assert_eq!(problem("a 1 list"), (2, LockProblem::NoPart("[]")));
    assert_eq!(problem("\n\na 1 .x u64"), (4, LockProblem::NoShape));
    assert_eq!(
        problem("a 1 struct\na 1 payload 1 becomes 1.1 a 2 {}"),
        (3, LockProblem::NoPayload)
    );
    // Both sides of a merge may have added the same line.
    assert!("events.lock 1\na 1 struct\na 1 struct".parse::<Lock>().is_ok());
}

#[test]
fn a_field_that_is_not_written_stands_in_a_lock() {
    let field = Field {
        aliases: vec![Name::new("amount")].into(),
        ..Field::new(Name::new("legacy"), Shape::Unwritten)
    };
    let shape = Shape::Struct(vec![field].into());
    assert_eq!(shape.to_string(), "struct\n.legacy unwritten (alias=amount)\n");
    let lines = "a 1 struct\na 1 .legacy unwritten (alias=amount)";
    let lock = format!("events.lock 1\n{lines}").parse::<Lock>().unwrap();
    assert_eq!(lock.entries.values().next().unwrap().shape, shape);
    assert_eq!(differences(&shape, &shape).count(), 0);
}
