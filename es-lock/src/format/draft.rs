//! What the lines of one version say, put together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{LockError, LockProblem, error};
use crate::lock::{Entry, Outcome, Sample};
use crate::name::Name;
use crate::scalar::Scalar;
use crate::shape::{Field, Shape, Tagging, Variant};

/// What was read of one version so far; each fact with its line.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) line: usize,
    pub(super) shape: BTreeMap<Vec<Segment>, (usize, Fact)>,
    pub(super) codec: Option<String>,
    pub(super) payloads: BTreeMap<u32, Vec<u8>>,
    pub(super) outcomes: BTreeMap<(u32, u32, u32), (usize, Option<Outcome>)>,
}

/// A step of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Field(String),
    Flattened(String),
    Variant(String),
    Element,
    Key,
    Value,
}

/// What one line says about a place in a shape.
#[derive(Clone, PartialEq)]
pub(super) struct Fact {
    pub(super) absence: Absence,
    pub(super) kind: Kind,
    pub(super) flags: Flags,
}

/// How there can be no value.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Absence {
    None,
    Null,
    MissingOrNull,
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Scalar(Scalar),
    Json,
    Opaque(String),
    Itself,
    Above(u64),
    List,
    Set,
    Array(u64),
    Map,
    Tuple,
    Struct,
    Closed,
    Enum(Tagging),
    Unit,
    Unwritten,
}

#[derive(Clone, PartialEq, Default)]
pub(super) struct Flags {
    pub(super) default: bool,
    pub(super) omittable: bool,
    pub(super) other: bool,
    pub(super) aliases: Vec<Name>,
}

impl Draft {
    pub(super) fn finish(mut self) -> Result<Entry, LockError> {
        let root = self.shape.remove(&Vec::new());
        let Some((line, root)) = root else {
            return Err(error(self.line, LockProblem::NoShape));
        };
        let mut path = Vec::new();
        let shape = self.build(line, root, &mut path)?;
        if let Some((line, _)) = self.shape.values().min_by_key(|(line, _)| *line) {
            return Err(error(*line, LockProblem::NoParent));
        }
        let mut samples: BTreeMap<u32, Sample> = self
            .payloads
            .into_iter()
            .map(|(number, payload)| (number, Sample { payload, becomes: BTreeMap::new() }))
            .collect();
        for ((sample, record, _), (line, outcome)) in self.outcomes {
            let sample =
                samples.get_mut(&sample).ok_or_else(|| error(line, LockProblem::NoPayload))?;
            sample.becomes.entry(record).or_default().extend(outcome);
        }
        Ok(Entry { shape, codec: self.codec, samples })
    }

    /// Makes a shape of a fact and of those below it, which are taken out.
    fn build(
        &mut self,
        line: usize,
        fact: Fact,
        path: &mut Vec<Segment>,
    ) -> Result<Shape, LockError> {
        let shape = match fact.kind {
            Kind::Scalar(scalar) => Shape::Scalar(scalar),
            Kind::Json => Shape::Json,
            Kind::Opaque(label) => Shape::Opaque(label.into()),
            Kind::Itself => Shape::Itself,
            Kind::Above(steps) => Shape::Above(steps),
            Kind::Unit => Shape::Unit,
            Kind::Unwritten => Shape::Unwritten,
            Kind::List => Shape::List(self.parts(line, path, &[(Segment::Element, "[]")])?),
            Kind::Set => Shape::Set(self.parts(line, path, &[(Segment::Element, "[]")])?),
            Kind::Array(length) => {
                Shape::Array(length, self.parts(line, path, &[(Segment::Element, "[]")])?)
            }
            Kind::Map => Shape::Map(self.parts(
                line,
                path,
                &[(Segment::Key, "{key}"), (Segment::Value, "{}")],
            )?),
            Kind::Tuple => {
                let mut parts = Vec::new();
                while let Some(shape) = self.child(path, Segment::Field(parts.len().to_string()))? {
                    parts.push(shape);
                }
                Shape::Tuple(Cow::Owned(parts))
            }
            Kind::Struct => Shape::Struct(Cow::Owned(self.fields(path)?)),
            Kind::Closed => Shape::Closed(Cow::Owned(self.fields(path)?)),
            Kind::Enum(tagging) => {
                let mut variants = self.variants(path)?;
                if tagging == Tagging::Untagged {
                    // They are known by their place.
                    variants.sort_by_key(|variant| variant.name.as_str().parse::<u32>().ok());
                }
                Shape::Enum(tagging, Cow::Owned(variants))
            }
        };
        Ok(match fact.absence {
            Absence::None => shape,
            Absence::Null => Shape::Nullable(Cow::Owned(vec![shape])),
            Absence::MissingOrNull => Shape::Optional(Cow::Owned(vec![shape])),
        })
    }

    fn parts(
        &mut self,
        line: usize,
        path: &mut Vec<Segment>,
        segments: &[(Segment, &'static str)],
    ) -> Result<Cow<'static, [Shape]>, LockError> {
        let mut parts = Vec::new();
        for (segment, written) in segments {
            let part = self.child(path, segment.clone())?;
            parts.push(part.ok_or_else(|| error(line, LockProblem::NoPart(written)))?);
        }
        Ok(Cow::Owned(parts))
    }

    fn child(
        &mut self,
        path: &mut Vec<Segment>,
        segment: Segment,
    ) -> Result<Option<Shape>, LockError> {
        path.push(segment);
        let shape = match self.shape.remove(path) {
            Some((line, fact)) => Some(self.build(line, fact, path)?),
            None => None,
        };
        path.pop();
        Ok(shape)
    }

    /// The segments of the facts right below the path, sorted.
    fn below(&self, path: &[Segment]) -> Vec<Segment> {
        let facts = self.shape.range(path.to_vec()..);
        facts
            .take_while(|(known, _)| known.starts_with(path))
            .filter(|(known, _)| known.len() == path.len() + 1)
            .filter_map(|(known, _)| known.last().cloned())
            .collect()
    }

    fn fields(&mut self, path: &mut Vec<Segment>) -> Result<Vec<Field>, LockError> {
        let mut fields = Vec::new();
        for segment in self.below(path) {
            let (name, flatten) = match &segment {
                Segment::Field(name) => (name.clone(), false),
                Segment::Flattened(name) => (name.clone(), true),
                _ => continue,
            };
            path.push(segment);
            if let Some((line, fact)) = self.shape.remove(path) {
                let Flags { default, omittable, aliases, .. } = fact.flags.clone();
                let shape = self.build(line, fact, path)?;
                let (name, aliases) = (name.into(), Cow::Owned(aliases));
                fields.push(Field { name, shape, default, omittable, flatten, aliases });
            }
            path.pop();
        }
        fields.sort_by(|one, other| (&one.name, one.flatten).cmp(&(&other.name, other.flatten)));
        Ok(fields)
    }

    fn variants(&mut self, path: &mut Vec<Segment>) -> Result<Vec<Variant>, LockError> {
        let mut variants = Vec::new();
        for segment in self.below(path) {
            let Segment::Variant(name) = &segment else { continue };
            let name = name.clone().into();
            path.push(segment);
            if let Some((line, fact)) = self.shape.remove(path) {
                let Flags { other, aliases, .. } = fact.flags.clone();
                let shape = self.build(line, fact, path)?;
                variants.push(Variant { name, shape, other, aliases: Cow::Owned(aliases) });
            }
            path.pop();
        }
        Ok(variants)
    }
}
