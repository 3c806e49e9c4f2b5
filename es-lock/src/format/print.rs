//! A lock as text.

use std::fmt::{self, Write as _};

use super::{FORMAT, HEXADECIMAL};
use crate::lock::{Entry, Lock};
use crate::name::Name;
use crate::owners::Owners;
use crate::quoted::Quoted;
use crate::shape::{Field, Shape, Tagging, Variant, part, slice};

const HEADER: &str = "\
# What has been released: what each aggregate reads, the shape of each event in each version, payloads of it.
# `ES_LOCK=update cargo test` adds to it. Nothing in it is ever changed: stored events look like this.
";

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "events.lock {FORMAT}")?;
        formatter.write_str(HEADER)?;
        for (aggregate, events) in &self.aggregates {
            formatter.write_char('\n')?;
            for event in events {
                writeln!(formatter, "{} reads {}", Quoted::event(aggregate), Quoted::event(event))?;
            }
        }
        for ((event, version), entry) in &self.entries {
            formatter.write_char('\n')?;
            let mut lines =
                Lines { prefix: format!("{} {version}", Quoted::event(event)), formatter };
            entry.print(&mut lines)?;
        }
        Ok(())
    }
}

struct Lines<'a, 'b> {
    prefix: String,
    formatter: &'a mut fmt::Formatter<'b>,
}

impl Lines<'_, '_> {
    fn line(&mut self, fact: fmt::Arguments<'_>) -> fmt::Result {
        let separator = if self.prefix.is_empty() { "" } else { " " };
        writeln!(self.formatter, "{}{separator}{fact}", self.prefix)
    }
}

/// The lines that a lock would have.
impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_shape(&mut Lines { prefix: String::new(), formatter }, "", self, &[], Owners::NONE)
    }
}

impl Entry {
    fn print(&self, lines: &mut Lines<'_, '_>) -> fmt::Result {
        print_shape(lines, "", &self.shape, &[], Owners::NONE)?;
        if let Some(codec) = &self.codec {
            lines.line(format_args!("codec {}", Quoted::word(codec)))?;
        }
        for (number, sample) in &self.samples {
            lines.line(format_args!("payload {number} is {}", Bytes(&sample.payload)))?;
            for (record, outcomes) in &sample.becomes {
                if outcomes.is_empty() {
                    lines.line(format_args!("payload {number} becomes {record}.0 nothing"))?;
                }
                for (index, outcome) in outcomes.iter().enumerate() {
                    lines.line(format_args!(
                        "payload {number} becomes {record}.{} {} {} {}",
                        index + 1,
                        Quoted::event(&outcome.event),
                        outcome.version,
                        Bytes(&outcome.payload)
                    ))?;
                }
            }
        }
        Ok(())
    }
}

fn print_shape(
    lines: &mut Lines<'_, '_>,
    path: &str,
    shape: &Shape,
    flags: &[String],
    owners: Owners,
) -> fmt::Result {
    let (present, _) = shape.present();
    let owners = owners.at(shape);
    let mut fact = if path.is_empty() { String::new() } else { format!("{path} ") };
    match shape {
        Shape::Holder(parts) if part(parts, 0).may_be_missing() => fact.push_str("optional "),
        Shape::Holder(_) if shape.is_optional() => fact.push_str("nullable "),
        Shape::Optional(_) => fact.push_str("optional "),
        Shape::Nullable(_) => fact.push_str("nullable "),
        _ => {}
    }
    match present {
        // Only what is known is written into a lock.
        Shape::Unknown | Shape::Optional(_) | Shape::Nullable(_) | Shape::Holder(_) => {
            fact.push_str("unknown")
        }
        Shape::Scalar(scalar) => fact.push_str(scalar.name()),
        Shape::Json => fact.push_str("json"),
        Shape::Opaque(label) => write!(fact, "opaque {}", Quoted::word(label.as_str()))?,
        Shape::Itself => match owners.steps_to_holder() {
            Some(steps) => write!(fact, "itself {steps}")?,
            None => fact.push_str("itself"),
        },
        Shape::Above(steps) => write!(fact, "itself {steps}")?,
        Shape::List(_) => fact.push_str("list"),
        Shape::Set(_) => fact.push_str("set"),
        Shape::Array(length, _) => write!(fact, "array {length}")?,
        Shape::Map(_) => fact.push_str("map"),
        Shape::Tuple(_) => fact.push_str("tuple"),
        Shape::Struct(_) => fact.push_str("struct"),
        Shape::Closed(_) => fact.push_str("struct closed"),
        Shape::Enum(tagging, _) => match tagging {
            Tagging::External => fact.push_str("enum"),
            Tagging::Internal(tag) => write!(fact, "enum tag={}", Quoted::word(tag.as_str()))?,
            Tagging::Adjacent(tag, content) => write!(
                fact,
                "enum tag={} content={}",
                Quoted::word(tag.as_str()),
                Quoted::word(content.as_str())
            )?,
            Tagging::Untagged => fact.push_str("enum untagged"),
        },
        Shape::Unit => fact.push_str("unit"),
        Shape::Unwritten => fact.push_str("unwritten"),
    }
    if !flags.is_empty() {
        write!(fact, " ({})", flags.join(", "))?;
    }
    lines.line(format_args!("{fact}"))?;
    match present {
        Shape::List(parts) | Shape::Set(parts) | Shape::Array(_, parts) => {
            print_shape(lines, &format!("{path}[]"), part(parts, 0), &[], owners.below())
        }
        Shape::Map(parts) => {
            print_shape(lines, &format!("{path}{{key}}"), part(parts, 0), &[], owners.below())?;
            print_shape(lines, &format!("{path}{{}}"), part(parts, 1), &[], owners.below())
        }
        Shape::Tuple(parts) => {
            for (index, part) in slice(parts).iter().enumerate() {
                print_shape(lines, &format!("{path}.{index}"), part, &[], owners.below())?;
            }
            Ok(())
        }
        Shape::Struct(fields) | Shape::Closed(fields) => {
            for field in slice(fields) {
                let separator = if field.flatten { ".." } else { "." };
                let path = format!("{path}{separator}{}", Quoted::segment(field.name.as_str()));
                print_shape(lines, &path, &field.shape, &field_flags(field), owners.below())?;
            }
            Ok(())
        }
        Shape::Enum(_, variants) => {
            for variant in slice(variants) {
                let path = format!("{path}:{}", Quoted::segment(variant.name.as_str()));
                print_shape(
                    lines,
                    &path,
                    &variant.shape,
                    &variant_flags(variant),
                    owners.of_variant(&variant.shape),
                )?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn field_flags(field: &Field) -> Vec<String> {
    let mut flags = Vec::new();
    if field.default {
        flags.push("default".to_owned());
    }
    if field.omittable {
        flags.push("omittable".to_owned());
    }
    flags.extend(slice(&field.aliases).iter().map(alias));
    flags
}

fn variant_flags(variant: &Variant) -> Vec<String> {
    let mut flags = Vec::new();
    if variant.other {
        flags.push("other".to_owned());
    }
    flags.extend(slice(&variant.aliases).iter().map(alias));
    flags
}

fn alias(name: &Name) -> String {
    format!("alias={}", Quoted::word(name.as_str()))
}

/// Bytes as they are if they are text of one line, as hexadecimal digits otherwise.
struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &&str| {
            !text.is_empty()
                && !text.starts_with(HEXADECIMAL)
                && text.trim() == *text
                && !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        };
        if let Some(text) = std::str::from_utf8(self.0).ok().filter(plain) {
            return formatter.write_str(text);
        }
        formatter.write_str(HEXADECIMAL)?;
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
