//! Values that have a shape.

use es_lock::{Scalar, Shape, Tagging, Variant};
use serde_json::{Map, Value, json};

/// How much of a value there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Everything that there can be. Where there is a choice of variants it is the choice with this number;
    /// see [`choices`].
    Full(usize),
    /// Nothing that may be missing.
    Sparse,
}

/// Why no value can be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NoSample {
    /// The type at the path keeps its shape to itself.
    Opaque { path: String, label: String },
    /// The type at the path holds itself without an end.
    Endless { path: String },
}

/// How many values it takes until each variant of each enum has been in one.
pub(super) fn choices(shape: &Shape) -> usize {
    let most = |parts: &[Shape]| parts.iter().map(choices).max().unwrap_or(1);
    match shape {
        Shape::Optional(parts) | Shape::Nullable(parts) | Shape::List(parts) => most(parts),
        Shape::Set(parts) | Shape::Array(_, parts) | Shape::Map(parts) => most(parts),
        Shape::Tuple(parts) | Shape::Holder(parts) => most(parts),
        Shape::Struct(fields) | Shape::Closed(fields) => {
            fields.iter().map(|field| choices(&field.shape)).max().unwrap_or(1)
        }
        Shape::Enum(_, variants) => {
            variants.iter().map(|variant| choices(&variant.shape)).sum::<usize>().max(1)
        }
        Shape::Scalar(_)
        | Shape::Json
        | Shape::Opaque(_)
        | Shape::Itself
        | Shape::Above(_)
        | Shape::Unknown
        | Shape::Unit
        | Shape::Unwritten => 1,
    }
}

/// A value of the shape, the same one every time.
pub(super) fn sample(shape: &Shape, fill: Fill) -> Result<Value, NoSample> {
    value(shape, fill, "")
}

fn value(shape: &Shape, fill: Fill, path: &str) -> Result<Value, NoSample> {
    let endless = || NoSample::Endless { path: path.to_owned() };
    Ok(match shape {
        Shape::Scalar(scalar) => scalar_value(*scalar),
        Shape::Json => json!({"any": ["json", 7, null]}),
        Shape::Opaque(label) => {
            let (path, label) = (path.to_owned(), label.as_str().to_owned());
            return Err(NoSample::Opaque { path, label });
        }
        Shape::Holder(parts) => value(parts.first().ok_or_else(endless)?, fill, path)?,
        Shape::Itself | Shape::Above(_) | Shape::Unknown => return Err(endless()),
        Shape::Unit | Shape::Unwritten => Value::Null,
        Shape::Optional(parts) | Shape::Nullable(parts) => match (parts.first(), fill) {
            (Some(part), Fill::Full(_)) => finite(value(part, fill, path))?.unwrap_or(Value::Null),
            _ => Value::Null,
        },
        Shape::List(parts) | Shape::Set(parts) => match (parts.first(), fill) {
            (Some(part), Fill::Full(_)) => {
                finite(value(part, fill, &format!("{path}[]")))?.into_iter().collect()
            }
            _ => json!([]),
        },
        Shape::Array(length, parts) => {
            let part = parts.first().ok_or_else(endless)?;
            let value = value(part, fill, &format!("{path}[]"))?;
            (0..*length).map(|_| value.clone()).collect()
        }
        Shape::Map(parts) => match (&**parts, fill) {
            ([key, part], Fill::Full(_)) => {
                let key = key_text(key);
                let part = finite(value(part, fill, &format!("{path}{{}}")))?;
                match (key, part) {
                    (Some(key), Some(part)) => Value::Object(Map::from_iter([(key, part)])),
                    _ => json!({}),
                }
            }
            _ => json!({}),
        },
        Shape::Tuple(parts) => {
            let parts = parts.iter().enumerate();
            let values = parts.map(|(index, part)| value(part, fill, &format!("{path}.{index}")));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Shape::Struct(fields) | Shape::Closed(fields) => {
            let mut object = Map::new();
            for field in &**fields {
                let name = field.name.as_str();
                if field.shape == Shape::Unwritten {
                    continue;
                }
                if fill == Fill::Sparse && (field.default || field.omittable) && !field.flatten {
                    continue;
                }
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                let value = value(&field.shape, fill, &path)?;
                match value {
                    Value::Object(inner) if field.flatten => object.extend(inner),
                    _ if field.flatten => {}
                    value => {
                        object.insert(name.to_owned(), value);
                    }
                }
            }
            Value::Object(object)
        }
        Shape::Enum(tagging, variants) => {
            let mut problem = endless();
            let (first, fill) = chosen(variants, fill);
            // One that can not be made leaves its turn to the next.
            for variant in variants[first..].iter().chain(&variants[..first]) {
                let path = format!("{path}:{}", variant.name);
                match value(&variant.shape, fill, &path) {
                    Ok(content) => return Ok(tagged(tagging, variant, content)),
                    Err(other) => problem = other,
                }
            }
            return Err(problem);
        }
    })
}

/// The variant whose turn it is, and which choice is to be made inside it.
fn chosen(variants: &[Variant], fill: Fill) -> (usize, Fill) {
    let Fill::Full(number) = fill else { return (0, fill) };
    let counts = || variants.iter().map(|variant| choices(&variant.shape));
    let mut left = number % counts().sum::<usize>().max(1);
    for (index, count) in counts().enumerate() {
        if left < count {
            return (index, Fill::Full(left));
        }
        left -= count;
    }
    (0, Fill::Full(0))
}

/// A value that holds itself without an end is left out where there may be none.
fn finite(value: Result<Value, NoSample>) -> Result<Option<Value>, NoSample> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(NoSample::Endless { .. }) => Ok(None),
        Err(opaque) => Err(opaque),
    }
}

fn tagged(tagging: &Tagging, variant: &Variant, content: Value) -> Value {
    let name = variant.name.as_str();
    match tagging {
        Tagging::External if variant.shape == Shape::Unit => json!(name),
        Tagging::External => json!({ name: content }),
        Tagging::Internal(tag) => {
            let mut object = match content {
                Value::Object(object) => object,
                _ => Map::new(),
            };
            object.insert(tag.as_str().to_owned(), json!(name));
            Value::Object(object)
        }
        Tagging::Adjacent(tag, _) if variant.shape == Shape::Unit => json!({ tag.as_str(): name }),
        Tagging::Adjacent(tag, inside) => json!({ tag.as_str(): name, inside.as_str(): content }),
        Tagging::Untagged => content,
    }
}

/// A key is text, whatever it stands for.
fn key_text(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Scalar(scalar) => match scalar_value(*scalar) {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(boolean) => Some(boolean.to_string()),
            _ => None,
        },
        Shape::Enum(Tagging::External, variants) => variants
            .iter()
            .find(|variant| variant.shape == Shape::Unit)
            .map(|variant| variant.name.as_str().to_owned()),
        _ => None,
    }
}

fn scalar_value(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool => json!(true),
        Scalar::Integer { .. } => json!(7),
        // One that binary floating point holds exactly.
        Scalar::Float { .. } => json!(0.5),
        Scalar::Char => json!("c"),
        Scalar::Text => json!("text"),
        Scalar::Bytes => json!([7]),
        Scalar::Uuid => json!("01900000-0000-7000-8000-000000000007"),
        Scalar::Timestamp => json!("2024-02-29T12:30:00Z"),
        Scalar::Date => json!("2024-02-29"),
        Scalar::Time => json!("12:30:00"),
        Scalar::DateTime => json!("2024-02-29T12:30:00"),
        Scalar::Span | Scalar::SignedDuration => json!("PT1H30M"),
        Scalar::Number => json!(7),
        Scalar::StreamId => json!("category/id"),
        Scalar::Tag => json!("key:value"),
        Scalar::Duration => json!({"secs": 90, "nanos": 7}),
        Scalar::IpAddress | Scalar::Ipv4Address => json!("127.0.0.1"),
        Scalar::Ipv6Address => json!("::1"),
        Scalar::SocketAddress => json!("127.0.0.1:80"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use es_lock::Lock;

    use super::*;

    fn shape(lines: &str) -> Shape {
        let lock: Lock = format!("events.lock 1\ne 1 struct\n{lines}").parse().unwrap();
        lock.entries[&("e".to_owned(), 1)].shape.clone()
    }

    #[test]
    fn each_variant_of_each_enum_stands_in_a_value() {
        let shape = shape(
            "e 1 .place enum\n\
             e 1 .place:floor unit\n\
             e 1 .place:shelf struct\n\
             e 1 .place:shelf.side enum\n\
             e 1 .place:shelf.side:left unit\n\
             e 1 .place:shelf.side:right unit\n\
             e 1 .kinds list\n\
             e 1 .kinds[] enum untagged\n\
             e 1 .kinds[]:0 text\n\
             e 1 .kinds[]:1 bool\n",
        );
        assert_eq!(choices(&shape), 3);
        let values = (0..3).map(|number| sample(&shape, Fill::Full(number)).unwrap().to_string());
        let expected = [
            r#"{"kinds":["text"],"place":"floor"}"#,
            r#"{"kinds":[true],"place":{"shelf":{"side":"left"}}}"#,
            r#"{"kinds":["text"],"place":{"shelf":{"side":"right"}}}"#,
        ];
        assert_eq!(values.collect::<BTreeSet<_>>(), expected.map(String::from).into());
    }

    #[test]
    fn a_variant_that_can_not_be_made_leaves_its_turn_to_the_next() {
        let shape = shape(
            "e 1 .next enum\n\
             e 1 .next:end unit\n\
             e 1 .next:more struct\n\
             e 1 .next:more.next itself\n",
        );
        for number in 0..choices(&shape) {
            let value = sample(&shape, Fill::Full(number)).unwrap().to_string();
            assert_eq!(value, r#"{"next":"end"}"#);
        }
    }
}
