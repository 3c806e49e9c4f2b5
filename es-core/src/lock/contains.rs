//! Whether an outcome is what it was.

use serde_json::Value;

/// Whether `found` says all that `expected` says. A field more is allowed: an event may get one that
/// old payloads do not have.
pub(super) fn contains(expected: &[u8], found: &[u8]) -> bool {
    let parsed = |bytes| serde_json::from_slice::<Value>(bytes);
    match (parsed(expected), parsed(found)) {
        (Ok(expected), Ok(found)) => holds(&expected, &found),
        // Not JSON.
        _ => expected == found,
    }
}

fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().all(|(name, value)| {
            match found.get(name) {
                Some(found) => holds(value, found),
                // A field that is empty may be left out.
                None => value.is_null(),
            }
        }),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| holds(expected, found))
        }
        (Value::Number(expected), Value::Number(found)) => {
            expected == found || expected.as_f64() == found.as_f64()
        }
        _ => expected == found,
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn more_fields_are_allowed_and_others_are_not() {
        let is = |expected: &str, found: &str| contains(expected.as_bytes(), found.as_bytes());
        assert!(is(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(is(r#"{"a":null}"#, r#"{}"#));
        assert!(is(r#"[{"a":1}]"#, r#"[{"a":1.0,"b":null}]"#));
        assert!(!is(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!is(r#"{"a":1}"#, r#"{"b":1}"#));
        assert!(!is(r#"[1]"#, r#"[1,2]"#));
        assert!(!is("x", "y"));
    }
}
