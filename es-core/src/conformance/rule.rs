//! The rules of the contracts, read from where they stand: the documentation of the ports.

use std::fmt;

/// The contract that a rule belongs to.
// The variants do not have the names of the ports: the compiler would then write `es_core::StateStore`
// for `StateStore` in the messages of users.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Contract {
    /// The contract of [`EventStore`](crate::EventStore#contract).
    Log,
    /// The contract of [`ConditionalAppend`](crate::ConditionalAppend#contract).
    Conditions,
    /// The contract of [`StateStore`](crate::StateStore#contract).
    Records,
    /// The contract of [`RecordedAppend`](crate::RecordedAppend#contract).
    Copies,
    /// The contract of [`ProjectionStore`](crate::ProjectionStore#contract).
    Projections,
    /// The contract of [`RowFamily`](crate::RowFamily#contract).
    Rows,
    /// The contract of [`StreamRemoval`](crate::StreamRemoval#contract).
    Removals,
    /// The contract of [`InlineStore`](crate::InlineStore#contract).
    Inlines,
    /// The contract of [`FencedStore`](crate::FencedStore#contract).
    Fences,
}

impl Contract {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Log,
        Self::Conditions,
        Self::Records,
        Self::Copies,
        Self::Projections,
        Self::Rows,
        Self::Removals,
        Self::Inlines,
        Self::Fences,
    ];

    /// The name of the trait.
    pub const fn port(self) -> &'static str {
        match self {
            Self::Log => "EventStore",
            Self::Conditions => "ConditionalAppend",
            Self::Records => "StateStore",
            Self::Copies => "RecordedAppend",
            Self::Projections => "ProjectionStore",
            Self::Rows => "RowFamily",
            Self::Removals => "StreamRemoval",
            Self::Inlines => "InlineStore",
            Self::Fences => "FencedStore",
        }
    }

    /// Its rules in order.
    pub fn rules(self) -> Vec<Rule> {
        let lines = self.lines();
        let numbers = lines.iter().filter_map(|line| Some(begins_with_number(line)?.0));
        numbers.map(|number| Rule { contract: self, number }).collect()
    }

    const fn source(self) -> &'static str {
        match self {
            Self::Log | Self::Conditions => include_str!("../store/event_store.rs"),
            Self::Records => include_str!("../store/state_store.rs"),
            Self::Copies => include_str!("../store/recorded_append.rs"),
            Self::Projections | Self::Rows => include_str!("../store/projection_store.rs"),
            Self::Removals => include_str!("../store/stream_removal.rs"),
            Self::Inlines => include_str!("../store/inline_store.rs"),
            Self::Fences => include_str!("../store/fence.rs"),
        }
    }

    /// The lines of the documentation from `# Contract` to the trait.
    fn lines(self) -> Vec<&'static str> {
        let declaration = format!("\npub trait {}:", self.port());
        let above = self.source().split(&declaration).next().unwrap_or_default();
        let contract = above.rsplit("/// # Contract\n").next().unwrap_or_default();
        contract.lines().map_while(|line| line.strip_prefix("///")).map(str::trim).collect()
    }
}

/// `(3, "the text")` of `3. the text`.
fn begins_with_number(line: &str) -> Option<(u8, &str)> {
    let (number, text) = line.split_once(". ")?;
    Some((number.parse().ok()?, text))
}

/// One rule of a contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule {
    /// The contract.
    pub contract: Contract,
    /// Its number there.
    pub number: u8,
}

impl Rule {
    /// What it says, in the words of the contract.
    pub fn text(self) -> String {
        let mut text = String::new();
        for line in self.contract.lines() {
            match begins_with_number(line) {
                Some((number, begin)) if number == self.number => begin.clone_into(&mut text),
                Some(_) if !text.is_empty() => break,
                // A rule ends where a line is empty.
                None if !text.is_empty() && line.is_empty() => break,
                None if !text.is_empty() => {
                    text.push(' ');
                    text.push_str(line);
                }
                _ => {}
            }
        }
        text
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "rule {} of `{}`: {}", self.number, self.contract.port(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_from_the_documentation_of_the_ports() {
        let counts = [
            (Contract::Log, 17),
            (Contract::Conditions, 6),
            (Contract::Records, 6),
            (Contract::Copies, 4),
            (Contract::Projections, 8),
            (Contract::Rows, 4),
            (Contract::Removals, 7),
            (Contract::Inlines, 8),
            (Contract::Fences, 6),
        ];
        assert!(counts.iter().map(|(contract, _)| contract).eq(Contract::ALL));
        for (contract, count) in counts {
            let numbers: Vec<_> = contract.rules().iter().map(|rule| rule.number).collect();
            assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        }
        let rule = Rule { contract: Contract::Log, number: 6 };
        assert_eq!(
            rule.to_string(),
            "rule 6 of `EventStore`: A durable store answers after the events are on disk."
        );
        let rule = Rule { contract: Contract::Log, number: 1 };
        assert!(rule.text().starts_with("A commit is stored whole"), "{rule}");
        assert!(rule.text().ends_with("the future is dropped."), "{rule}");
    }
}
