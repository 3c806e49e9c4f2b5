//! The contract as a program that does one call after another: too simple to be wrong.
//!
//! It does not answer, it judges an answer: contracts leave some choices to the store, such as the
//! positions and the length of a page.

use std::collections::HashMap;

use crate::commit::{AppendCondition, Appended, Commit, NewEvent};
use crate::conformance::history::{Answer, Call, Operation};
use crate::identity::EventId;
use crate::recorded::RecordedEvent;
use crate::store::Direction;
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// What a store holds.
#[derive(Default)]
pub(in crate::conformance) struct Model {
    events: Vec<Held>,
    versions: HashMap<StreamId, Version>,
}

/// What is known of a stored event.
#[derive(Clone, Debug)]
struct Held {
    position: Position,
    stream: StreamId,
    version: Version,
    event: NewEvent,
}

impl Held {
    fn is(&self, recorded: &RecordedEvent) -> bool {
        self.position == recorded.position
            && self.stream == recorded.stream
            && self.version == recorded.version
            && self.event.id == recorded.event_id
            && self.event.name == recorded.name
            && self.event.schema_version == recorded.schema_version
            && self.event.payload == recorded.payload
            && self.event.tags == recorded.tags
            && self.event.metadata == recorded.metadata
    }
}

/// Why an answer can not be right here.
type Judgement = Result<(), String>;

fn judge(right: bool, why: impl FnOnce() -> String) -> Judgement {
    if right { Ok(()) } else { Err(why()) }
}

impl Model {
    pub(in crate::conformance) fn head(&self) -> Position {
        self.events.last().map_or(Position::ZERO, |last| last.position)
    }

    /// How many events there are, to come back to with [`undo`](Self::undo).
    pub(in crate::conformance) fn len(&self) -> usize {
        self.events.len()
    }

    /// Forgets the events after the first `len`.
    pub(in crate::conformance) fn undo(&mut self, len: usize) {
        for held in self.events.drain(len..).rev() {
            let before = Version::new(held.version.get() - 1);
            self.versions.insert(held.stream, before);
        }
    }

    pub(in crate::conformance) fn version(&self, stream: &StreamId) -> Version {
        self.versions.get(stream).copied().unwrap_or_default()
    }

    fn find(&self, id: EventId) -> Option<&Held> {
        self.events.iter().find(|held| held.event.id == id)
    }

    /// Does a call whose answer is known.
    ///
    /// # Errors
    /// Says why the answer is not right when the call is done now.
    pub(in crate::conformance) fn accept(&mut self, operation: &Operation) -> Judgement {
        match (&operation.call, &operation.answer) {
            (Call::Append(commit, conditions), answer) => self.append(commit, conditions, answer),
            (Call::Head, Answer::Head(head)) => {
                judge(*head == self.head(), || format!("the head is {}, not {head}", self.head()))
            }
            (Call::Find(id), Answer::Found(found)) => self.found(*id, found.as_ref()),
            (Call::ReadStream(stream, range), Answer::Stream(events, version, next)) => {
                let actual = self.version(stream);
                judge(*version == actual, || {
                    format!("`{stream}` is at version {actual}, not {version}")
                })?;
                let wanted = self.wanted(range.direction, |held| {
                    held.stream == *stream && held.version >= range.from && held.version <= range.to
                });
                page(&wanted, events, range.limit)?;
                let expected = wanted.get(events.len()).map(|held| held.version);
                judge(*next == expected, || format!("`next` is {expected:?}, not {next:?}"))
            }
            (Call::Read(query, range), Answer::Events(events, head, more)) => {
                judge(*head == self.head(), || format!("the head is {}, not {head}", self.head()))?;
                let wanted = self.wanted(range.direction, |held| {
                    held.position > range.after
                        && held.position <= range.up_to
                        && query.matches(&held.event.name, held.event.tags.as_slice())
                });
                page(&wanted, events, range.limit)?;
                let expected = wanted.len() > events.len();
                judge(*more == expected, || format!("`more` is {expected}, not {more}"))
            }
            (_, other) => Err(format!("{other:?} is no answer to this call")),
        }
    }

    fn wanted(&self, direction: Direction, wanted: impl Fn(&Held) -> bool) -> Vec<&Held> {
        let mut found: Vec<_> = self.events.iter().filter(|held| wanted(held)).collect();
        if direction == Direction::Backward {
            found.reverse();
        }
        found
    }

    fn found(&self, id: EventId, found: Option<&RecordedEvent>) -> Judgement {
        match (self.find(id), found) {
            (None, None) => Ok(()),
            (Some(held), Some(found)) => {
                judge(held.is(found), || format!("it is {held:?}, not {found:?}"))
            }
            (Some(held), None) => Err(format!("it is stored at position {}", held.position)),
            (None, Some(found)) => {
                Err(format!("it is not stored, at {} or elsewhere", found.position))
            }
        }
    }

    fn append(
        &mut self,
        commit: &Commit,
        conditions: &[AppendCondition],
        answer: &Answer,
    ) -> Judgement {
        let stored = self.stored(commit);
        match answer {
            Answer::Refused(why) => {
                Err(format!("the commit is well formed, but was refused: {why}"))
            }
            Answer::Appended(appended) if appended.repeated => {
                let Stored::All(first) = stored else {
                    return Err("the commit is not stored yet, or not whole".to_owned());
                };
                judge(first == *appended, || format!("the first answer was {first:?}"))
            }
            Answer::Reused(id, position) => {
                let held = self.find(*id).is_some_and(|held| held.position == *position);
                judge(held && matches!(stored, Stored::Other), || {
                    "no event of the commit is stored as another event there".to_owned()
                })
            }
            _ if !matches!(stored, Stored::Nothing) => {
                Err("events of the commit are stored already".to_owned())
            }
            Answer::Conflict(stream, expected, actual) => {
                let asked =
                    commit.streams().any(|to| to.stream == *stream && to.expected == *expected);
                let version = self.version(stream);
                judge(asked && version == *actual && !expected.admits(version), || {
                    format!("`{stream}` is at version {version}")
                })
            }
            Answer::Condition(index, position) => {
                let failing = self.failing(conditions);
                judge(failing == Some((*index, *position)), || match failing {
                    None => "every condition holds".to_owned(),
                    Some((index, at)) => {
                        format!("condition {index} fails because of position {at}")
                    }
                })
            }
            Answer::Appended(appended) => {
                for to in commit.streams() {
                    let version = self.version(&to.stream);
                    judge(to.expected.admits(version), || {
                        format!("`{}` is at version {version}", to.stream)
                    })?;
                }
                if let Some((index, at)) = self.failing(conditions) {
                    return Err(format!("condition {index} fails because of position {at}"));
                }
                self.store(commit, appended)
            }
            other => Err(format!("{other:?} is no answer to this call")),
        }
    }

    fn store(&mut self, commit: &Commit, appended: &Appended) -> Judgement {
        let head = self.head();
        judge(appended.first_position > head, || {
            format!("the head is {head}, which the new positions must be above")
        })?;
        let last = appended.first_position.plus(commit.event_count() as u64 - 1);
        judge(appended.last_position == last, || format!("the last position must be {last}"))?;
        let answered = std::iter::once(&appended.version).chain(&appended.more_versions);
        let versions: Vec<_> = commit
            .streams()
            .map(|to| self.version(&to.stream).plus(to.events.len() as u64))
            .collect();
        judge(versions.iter().eq(answered), || format!("the versions must be {versions:?}"))?;
        let mut position = appended.first_position;
        for to in commit.streams() {
            for event in &to.events {
                let version = self.version(&to.stream).next();
                self.versions.insert(to.stream.clone(), version);
                let (stream, event) = (to.stream.clone(), event.clone());
                self.events.push(Held { position, stream, version, event });
                position = position.next();
            }
        }
        Ok(())
    }

    /// The first condition that fails, and the first event that matches it.
    fn failing(&self, conditions: &[AppendCondition]) -> Option<(usize, Position)> {
        conditions.iter().enumerate().find_map(|(index, condition)| {
            let matching = self.events.iter().find(|held| {
                Some(held.position) > condition.after
                    && condition.query.matches(&held.event.name, held.event.tags.as_slice())
            });
            matching.map(|held| (index, held.position))
        })
    }

    /// What is stored of a commit.
    fn stored(&self, commit: &Commit) -> Stored {
        let ids = commit.streams().flat_map(|to| to.events.iter().map(move |event| (to, event)));
        let all: Vec<_> = ids.map(|(to, event)| (to, event, self.find(event.id))).collect();
        if all.iter().all(|(.., held)| held.is_none()) {
            return Stored::Nothing;
        }
        let first = all[0].2.map_or(Position::ZERO, |held| held.position);
        let same = all.iter().enumerate().all(|(index, (to, event, held))| {
            held.is_some_and(|held| {
                held.stream == to.stream
                    && held.event.name == event.name
                    && held.event.schema_version == event.schema_version
                    && held.event.payload == event.payload
                    && held.position == first.plus(index as u64)
            })
        });
        if !same {
            return Stored::Other;
        }
        let last_of = |to: &crate::StreamAppend| {
            let last = to.events.last().and_then(|event| self.find(event.id));
            last.map_or(Version::ZERO, |held| held.version)
        };
        let mut versions = commit.streams().map(last_of);
        Stored::All(Appended {
            first_position: first,
            last_position: first.plus(all.len() as u64 - 1),
            version: versions.next().unwrap_or_default(),
            more_versions: versions.collect(),
            repeated: true,
        })
    }
}

enum Stored {
    Nothing,
    All(Appended),
    /// Some events, or others under the same ids.
    Other,
}

/// Judges a page: the first events that are wanted, at most `limit`, and not none.
fn page(wanted: &[&Held], found: &[RecordedEvent], limit: usize) -> Judgement {
    let least = usize::from(limit > 0 && !wanted.is_empty());
    let right = (least..=limit.min(wanted.len())).contains(&found.len())
        && wanted.iter().zip(found).all(|(held, found)| held.is(found));
    judge(right, || {
        let shown: Vec<_> = wanted
            .iter()
            .take(found.len().max(1))
            .map(|held| format!("{} ({} v{})", held.position, held.stream, held.version))
            .collect();
        format!("the page begins with the events at {shown:?}")
    })
}
