//! What a check answers when a store breaks a rule.

use std::fmt;

use crate::conformance::rule::Rule;

/// The longest part of an answer that is shown.
const SHOWN: usize = 6000;

/// A check that a store did not pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The name of the check, as [`Check::name`](crate::conformance::Check::name) has it.
    pub check: &'static str,
    /// What the store did.
    pub breach: Breach,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the store does not pass `{}`\n{}", self.check, self.breach)
    }
}

impl std::error::Error for Failure {}

/// A rule, and what a store did instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The rule that is broken.
    pub rule: Rule,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, expected, found } = self;
        write!(
            formatter,
            "  {rule}\n  expected: {}\n     found: {}",
            Shortened(expected),
            Shortened(found)
        )
    }
}

/// What a check answers.
pub(super) type Verdict = Result<(), Breach>;

/// A text of which the middle is left out when it is long.
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        if text.len() <= SHOWN {
            return formatter.write_str(text);
        }
        let (mut head, mut tail) = (SHOWN * 2 / 3, text.len() - SHOWN / 3);
        while !text.is_char_boundary(head) {
            head -= 1;
        }
        while !text.is_char_boundary(tail) {
            tail += 1;
        }
        write!(formatter, "{} [.. {} bytes ..] {}", &text[..head], tail - head, &text[tail..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::Contract;

    #[test]
    fn a_failure_says_the_check_the_rule_what_was_expected_and_what_was_found() {
        let breach = Breach {
            rule: Rule { contract: Contract::StateStore, number: 6 },
            expected: "one".to_owned(),
            found: "ž".repeat(4000),
        };
        let text = Failure { check: "state_store::get", breach }.to_string();
        assert!(text.starts_with(
            "the store does not pass `state_store::get`\n  rule 6 of `StateStore`: A durable store \
             answers after the record is on disk.\n  expected: one\n     found: žž"
        ));
        assert!(text.contains(" [.. 2000 bytes ..] žž"), "{text}");
    }
}
