//! The order of names, also while compiling.

/// Whether the one stands before the other where names are sorted.
pub(super) const fn is_before(one: &str, other: &str) -> bool {
    let (mut ones, mut others) = (one.as_bytes(), other.as_bytes());
    while let ([one, one_rest @ ..], [other, other_rest @ ..]) = (ones, others) {
        if *one != *other {
            return *one < *other;
        }
        (ones, others) = (one_rest, other_rest);
    }
    ones.is_empty() && !others.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_bytes() {
        assert!(is_before("content", "type"));
        assert!(is_before("", "a"));
        assert!(is_before("a", "ab"));
        assert!(!is_before("ab", "a"));
        assert!(!is_before("value", "kind"));
        assert!(!is_before("a", "a"));
    }
}
