//! What can be wrong with the text of a lock.

use std::fmt;

use super::FORMAT;

/// A text that is no lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: LockProblem,
}

/// What is wrong with a line of a lock.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LockProblem {
    /// The first line does not say which format follows.
    NoFormat,
    /// A newer program wrote it.
    OtherFormat(String),
    /// A merge left its marks.
    Conflict,
    /// The line does not begin with the name of an event and a version, or of an aggregate and `reads`.
    NoEvent,
    /// Nothing that a line can say.
    NoFact(String),
    /// The same is said before, and otherwise.
    Twice,
    /// A field of something that has none, or is not there.
    NoParent,
    /// Something that consists of parts, and one is missing.
    NoPart(&'static str),
    /// A version has no shape.
    NoShape,
    /// What a payload becomes stands there, but not the payload.
    NoPayload,
}

pub(super) fn error(line: usize, problem: LockProblem) -> LockError {
    LockError { line, problem }
}

impl std::error::Error for LockError {}

impl fmt::Display for LockError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: ", self.line)?;
        match &self.problem {
            LockProblem::NoFormat => {
                write!(formatter, "the first line must be `events.lock {FORMAT}`")
            }
            LockProblem::OtherFormat(format) => write!(
                formatter,
                "it has the format {format}, but this version of es-core knows {FORMAT}"
            ),
            LockProblem::Conflict => write!(
                formatter,
                "a merge left its marks; keep the lines of both sides and delete the marks"
            ),
            LockProblem::NoEvent => write!(
                formatter,
                "a line begins with the name of an event and a version, such as `account.opened 1`, or says what an aggregate reads: `account reads account.opened`"
            ),
            LockProblem::NoFact(text) => write!(formatter, "`{text}` makes no sense here"),
            LockProblem::Twice => write!(formatter, "another line says otherwise about the same"),
            LockProblem::NoParent => {
                write!(formatter, "no line says that there is something that this is a part of")
            }
            LockProblem::NoPart(part) => {
                write!(formatter, "the line of its `{part}` is missing")
            }
            LockProblem::NoShape => {
                write!(formatter, "no line says what the payload of this version is")
            }
            LockProblem::NoPayload => write!(formatter, "the line with the payload is missing"),
        }
    }
}
