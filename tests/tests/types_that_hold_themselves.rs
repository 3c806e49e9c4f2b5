//! A type that holds itself stands in a lock, and the lock says which type is meant.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "only the shapes are looked at")]

use es_core::lock::{Lock, differences};
use es_core::prelude::*;

#[derive(EventData)]
struct Node {
    children: Vec<Node>,
}

#[derive(EventData)]
struct Nested(Vec<Nested>);

#[derive(EventData)]
struct Around {
    nested: Nested,
}

#[derive(EventData)]
struct Pair(u8, Option<Box<Pair>>);

#[derive(EventData)]
struct Page<T> {
    all: Vec<T>,
}

#[derive(EventData)]
struct Paged {
    inner: Page<Paged>,
}

#[derive(EventData)]
enum Tree {
    Leaf,
    Node { children: Vec<Tree> },
    Of(Node),
}

/// The lines of the shape in a lock, which is read again as a shape that does not differ.
fn lines<T: EventData>() -> String {
    let text = T::SHAPE.to_string();
    let lines: String = text.lines().map(|line| format!("a 1 {line}\n")).collect();
    let lock: Lock = format!("events.lock 1\n{lines}").parse().unwrap();
    let read = &lock.entries.values().next().unwrap().shape;
    assert_eq!(differences(read, &T::SHAPE).count(), 0, "{text}");
    assert_eq!(read.to_string(), text);
    text
}

#[test]
fn the_struct_or_enum_around_is_meant_where_nothing_is_said() {
    assert_eq!(lines::<Node>(), "struct\n.children list\n.children[] itself\n");
    assert!(lines::<Tree>().contains(":Node.children[] itself\n"));
}

#[test]
fn another_type_is_so_many_steps_away() {
    assert_eq!(lines::<Around>(), "struct\n.nested list\n.nested[] itself 1\n");
    assert_eq!(lines::<Pair>(), "tuple\n.0 u8\n.1 optional itself 1\n");
    assert!(lines::<Paged>().contains(".inner.all[] itself 3\n"));
    assert_eq!(lines::<Vec<Nested>>(), "list\n[] list\n[][] itself 1\n");
    assert!(lines::<Tree>().contains(":Of.children[] itself\n"));
}
