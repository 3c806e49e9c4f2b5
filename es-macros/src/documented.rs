//! Every option stands in the documentation of its derive and in the table of the README.

use crate::attribute::AttributeKind;
use crate::model::{
    Aggregate, AggregateId, Command, Event, EventData, OwnEventSet, Projection, Upcasts,
};

const DERIVES: [(&str, AttributeKind); 8] = [
    ("Event", Event::ATTRIBUTE),
    ("Event", Upcasts::ATTRIBUTE),
    ("EventData", EventData::ATTRIBUTE),
    ("EventSet", OwnEventSet::ATTRIBUTE),
    ("Aggregate", Aggregate::ATTRIBUTE),
    ("AggregateId", AggregateId::ATTRIBUTE),
    ("Command", Command::ATTRIBUTE),
    ("Projection", Projection::ATTRIBUTE),
];

fn options(kind: &AttributeKind) -> impl Iterator<Item = &'static str> {
    kind.item_options.iter().chain(kind.field_options).copied()
}

/// Whether the text has the option as code: `` `name = ``, `` `name` `` or `(name = `.
fn names(text: &str, option: &str) -> bool {
    let written = |[start, end]: [&str; 2]| text.contains(&format!("{start}{option}{end}"));
    [["`", " = "], ["`", "`"], ["`", "("], ["(", " = "]].into_iter().any(written)
}

#[test]
fn every_option_stands_in_the_documentation_of_its_derive() {
    let source = include_str!("lib.rs");
    for (derive, kind) in DERIVES {
        let place = format!("#[proc_macro_derive({derive}, ");
        let (before, _) = source.split_once(&place).unwrap();
        let documentation = before.rsplit("\n}\n").next().unwrap();
        for option in options(&kind) {
            assert!(names(documentation, option), "`{option}` of `{derive}` is not documented");
        }
    }
}

#[test]
fn every_option_stands_in_the_table_of_the_readme() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    for (derive, kind) in DERIVES {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{derive}` |"))).unwrap();
        // What all of them take stands below the table.
        for option in options(&kind).filter(|option| *option != "crate") {
            assert!(names(row, option), "`{option}` of `{derive}` is not in the README");
        }
    }
}
