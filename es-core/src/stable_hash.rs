//! A hash that is recorded, so that it is the same in every program and never changes. It finds
//! what differs by accident; it keeps nobody from anything.

use serde_json::Value;

/// The hash of bytes: FNV-1a, 64 bits.
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    of_parts(&[bytes])
}

/// The hash of parts as if they were one.
pub(crate) fn of_parts(parts: &[&[u8]]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    parts.iter().copied().flatten().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The hash of a value in which the order of lists and of keys does not count: that of a hash set
/// or map means nothing.
// As deep as the value is; whoever made it has been there.
pub(crate) fn of_value(value: &Value) -> u64 {
    match value {
        Value::Null => 1,
        Value::Bool(value) => 2 + u64::from(*value),
        Value::Number(number) => mixed(4, of_bytes(number.to_string().as_bytes())),
        Value::String(text) => mixed(5, of_bytes(text.as_bytes())),
        Value::Array(values) => {
            let add = |sum: u64, value| sum.wrapping_add(mixed(6, of_value(value)));
            mixed(7, values.iter().fold(0, add))
        }
        Value::Object(fields) => {
            let add = |sum: u64, (key, value): (&String, &Value)| {
                sum.wrapping_add(mixed(of_bytes(key.as_bytes()), of_value(value)))
            };
            mixed(8, fields.iter().fold(0, add))
        }
    }
}

/// Two numbers as one, so that neither their order nor their sum is lost in a later sum.
pub(crate) fn mixed(first: u64, second: u64) -> u64 {
    of_parts(&[&first.to_le_bytes(), &second.to_le_bytes()])
}
