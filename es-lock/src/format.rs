//! `events.lock` as text: one line for each fact, sorted, so that a change is read in review.
//!
//! ```text
//! account.deposited 2 struct
//! account.deposited 2 .amount u64
//! account.deposited 2 .purpose optional enum (default, omittable)
//! account.deposited 2 .purpose:pension unit
//! account.deposited 2 payload 1 is {"amount":7,"purpose":"pension"}
//! account.deposited 2 payload 1 becomes 1.1 account.deposited 3 {"amount":7,"currency":"CZK"}
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::lock::{Entry, EntryKey, Lock, Outcome, Sample};
use crate::name::Name;
use crate::quoted::{self, Quoted};
use crate::scalar::Scalar;
use crate::shape::{Field, Shape, Tagging, Variant, part, slice};

/// The format that this crate reads and writes.
const FORMAT: &str = "1";

const HEADER: &str = "\
# What has been released: the shape of every event in every version, and payloads of each.
# `ES_LOCK=update cargo test` adds to it. Nothing in it is ever changed: stored events look like this.
";

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
    /// The line does not begin with the name of an event and a version.
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
                "a line begins with the name of an event and a version, such as `account.opened 1`"
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

// --- printing ---

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "events.lock {FORMAT}")?;
        formatter.write_str(HEADER)?;
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
        print_shape(&mut Lines { prefix: String::new(), formatter }, "", self, &[])
    }
}

impl Entry {
    fn print(&self, lines: &mut Lines<'_, '_>) -> fmt::Result {
        print_shape(lines, "", &self.shape, &[])?;
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
) -> fmt::Result {
    let (present, optional) = shape.present();
    let mut fact = if path.is_empty() { String::new() } else { format!("{path} ") };
    if optional {
        fact.push_str("optional ");
    }
    match present {
        // Only what is known is written into a lock.
        Shape::Unknown | Shape::Optional(_) => fact.push_str("unknown"),
        Shape::Scalar(scalar) => fact.push_str(scalar.name()),
        Shape::Json => fact.push_str("json"),
        Shape::Opaque(label) => write!(fact, "opaque {}", Quoted::word(label.as_str()))?,
        Shape::Itself => fact.push_str("itself"),
        Shape::List(_) => fact.push_str("list"),
        Shape::Set(_) => fact.push_str("set"),
        Shape::Array(length, _) => write!(fact, "array {length}")?,
        Shape::Map(_) => fact.push_str("map"),
        Shape::Tuple(_) => fact.push_str("tuple"),
        Shape::Struct(_) => fact.push_str("struct"),
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
    }
    if !flags.is_empty() {
        write!(fact, " ({})", flags.join(", "))?;
    }
    lines.line(format_args!("{fact}"))?;
    match present {
        Shape::List(parts) | Shape::Set(parts) | Shape::Array(_, parts) => {
            print_shape(lines, &format!("{path}[]"), part(parts, 0), &[])
        }
        Shape::Map(parts) => {
            print_shape(lines, &format!("{path}{{key}}"), part(parts, 0), &[])?;
            print_shape(lines, &format!("{path}{{}}"), part(parts, 1), &[])
        }
        Shape::Tuple(parts) => {
            for (index, part) in slice(parts).iter().enumerate() {
                print_shape(lines, &format!("{path}.{index}"), part, &[])?;
            }
            Ok(())
        }
        Shape::Struct(fields) => {
            for field in slice(fields) {
                let separator = if field.flatten { ".." } else { "." };
                let path = format!("{path}{separator}{}", Quoted::segment(field.name.as_str()));
                print_shape(lines, &path, &field.shape, &field_flags(field))?;
            }
            Ok(())
        }
        Shape::Enum(_, variants) => {
            for variant in slice(variants) {
                let path = format!("{path}:{}", Quoted::segment(variant.name.as_str()));
                print_shape(lines, &path, &variant.shape, &variant_flags(variant))?;
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

const HEXADECIMAL: &str = "hex:";

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

// --- parsing ---

impl std::str::FromStr for Lock {
    type Err = LockError;

    fn from_str(text: &str) -> Result<Self, LockError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        match lines.next() {
            Some((line, header)) => match header.strip_prefix("events.lock ").map(str::trim) {
                Some(FORMAT) => {}
                Some(format) => {
                    return Err(error(line, LockProblem::OtherFormat(format.to_owned())));
                }
                None => return Err(error(line, LockProblem::NoFormat)),
            },
            None => return Err(error(1, LockProblem::NoFormat)),
        }
        let mut drafts = BTreeMap::<EntryKey, Draft>::new();
        for (line, text) in lines {
            read_line(line, text, &mut drafts).map_err(|problem| error(line, problem))?;
        }
        let mut lock = Self::default();
        for (key, draft) in drafts {
            lock.entries.insert(key, draft.finish()?);
        }
        Ok(lock)
    }
}

fn error(line: usize, problem: LockProblem) -> LockError {
    LockError { line, problem }
}

/// What was read of one version so far; each fact with its line.
#[derive(Default)]
struct Draft {
    line: usize,
    shape: BTreeMap<Vec<Segment>, (usize, Fact)>,
    codec: Option<String>,
    payloads: BTreeMap<u32, Vec<u8>>,
    outcomes: BTreeMap<(u32, u32, u32), (usize, Option<Outcome>)>,
}

/// A step of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Field(String),
    Flattened(String),
    Variant(String),
    Element,
    Key,
    Value,
}

/// What one line says about a place in a shape.
#[derive(Clone, PartialEq)]
struct Fact {
    optional: bool,
    kind: Kind,
    flags: Flags,
}

#[derive(Clone, PartialEq)]
enum Kind {
    Scalar(Scalar),
    Json,
    Opaque(String),
    Itself,
    List,
    Set,
    Array(u64),
    Map,
    Tuple,
    Struct,
    Enum(Tagging),
    Unit,
}

#[derive(Clone, PartialEq, Default)]
struct Flags {
    default: bool,
    omittable: bool,
    other: bool,
    aliases: Vec<Name>,
}

fn read_line(
    line: usize,
    text: &str,
    drafts: &mut BTreeMap<EntryKey, Draft>,
) -> Result<(), LockProblem> {
    if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| text.starts_with(mark)) {
        return Err(LockProblem::Conflict);
    }
    let (event, rest) = quoted::take_event(text).ok_or(LockProblem::NoEvent)?;
    let rest = rest.strip_prefix(' ').ok_or(LockProblem::NoEvent)?.trim_start();
    let (version, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let version = number(version).filter(|version| *version > 0).ok_or(LockProblem::NoEvent)?;
    let fact = rest.trim_start();
    let draft = drafts.entry((event, version)).or_default();
    if draft.line == 0 {
        draft.line = line;
    }
    if let Some(codec) = fact.strip_prefix("codec ") {
        let codec = whole_word(codec.trim())?;
        return set(&mut draft.codec, codec);
    }
    if let Some(payload) = fact.strip_prefix("payload ") {
        return read_payload(line, payload, draft);
    }
    let (path, fact) = take_path(fact)?;
    let fact = read_fact(fact.trim())?;
    match draft.shape.get(&path) {
        Some((_, known)) if *known != fact => Err(LockProblem::Twice),
        Some(_) => Ok(()),
        None => {
            draft.shape.insert(path, (line, fact));
            Ok(())
        }
    }
}

fn set<T: PartialEq>(slot: &mut Option<T>, value: T) -> Result<(), LockProblem> {
    match slot {
        Some(known) if *known != value => Err(LockProblem::Twice),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    (digits || text == "0").then(|| text.parse().ok()).flatten()
}

fn nonsense(text: &str) -> LockProblem {
    LockProblem::NoFact(text.to_owned())
}

/// A word with nothing behind it.
fn whole_word(text: &str) -> Result<String, LockProblem> {
    match quoted::take_word(text) {
        Some((word, "")) => Ok(word),
        _ => Err(nonsense(text)),
    }
}

/// `1 is {..}` or `1 becomes 1.1 account.deposited 2 {..}`
fn read_payload(line: usize, text: &str, draft: &mut Draft) -> Result<(), LockProblem> {
    let wrong = || nonsense(text);
    let (sample, rest) = text.trim_start().split_once(' ').ok_or_else(wrong)?;
    let sample = number(sample).ok_or_else(wrong)?;
    let (word, rest) = rest.split_once(' ').ok_or_else(wrong)?;
    match word {
        "is" => {
            let payload = read_bytes(rest).ok_or_else(wrong)?;
            match draft.payloads.insert(sample, payload.clone()) {
                Some(known) if known != payload => Err(LockProblem::Twice),
                _ => Ok(()),
            }
        }
        "becomes" => {
            let (place, rest) = rest.split_once(' ').ok_or_else(wrong)?;
            let (record, ordinal) = place.split_once('.').ok_or_else(wrong)?;
            let record = number(record).ok_or_else(wrong)?;
            let ordinal = number(ordinal).ok_or_else(wrong)?;
            let outcome = if ordinal == 0 && rest == "nothing" {
                None
            } else {
                let (event, rest) = quoted::take_event(rest).ok_or_else(wrong)?;
                let rest = rest.strip_prefix(' ').ok_or_else(wrong)?;
                let (version, rest) = rest.split_once(' ').ok_or_else(wrong)?;
                let version = number(version).filter(|version| *version > 0).ok_or_else(wrong)?;
                let payload = read_bytes(rest).ok_or_else(wrong)?;
                Some(Outcome { event, version, payload })
            };
            match draft.outcomes.insert((sample, record, ordinal), (line, outcome.clone())) {
                Some((_, known)) if known != outcome => Err(LockProblem::Twice),
                _ => Ok(()),
            }
        }
        _ => Err(wrong()),
    }
}

fn read_bytes(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix(HEXADECIMAL) else {
        return Some(text.as_bytes().to_vec());
    };
    let digits = digits.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    (digits.len() % 2 == 0)
        .then(|| {
            digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
        })
        .flatten()
}

/// Takes `.purpose:pension` from the beginning.
fn take_path(text: &str) -> Result<(Vec<Segment>, &str), LockProblem> {
    let mut path = Vec::new();
    let mut rest = text;
    loop {
        let segment: fn(String) -> Segment;
        if let Some(behind) = rest.strip_prefix("..") {
            (segment, rest) = (Segment::Flattened, behind);
        } else if let Some(behind) = rest.strip_prefix('.') {
            (segment, rest) = (Segment::Field, behind);
        } else if let Some(behind) = rest.strip_prefix(':') {
            (segment, rest) = (Segment::Variant, behind);
        } else if let Some(behind) = rest.strip_prefix("[]") {
            path.push(Segment::Element);
            rest = behind;
            continue;
        } else if let Some(behind) = rest.strip_prefix("{key}") {
            path.push(Segment::Key);
            rest = behind;
            continue;
        } else if let Some(behind) = rest.strip_prefix("{}") {
            path.push(Segment::Value);
            rest = behind;
            continue;
        } else {
            break;
        }
        let (name, behind) = quoted::take_segment(rest).ok_or_else(|| nonsense(text))?;
        path.push(segment(name));
        rest = behind;
    }
    if path.is_empty() || rest.starts_with(' ') { Ok((path, rest)) } else { Err(nonsense(text)) }
}

/// Reads `optional enum tag=type (default, alias=amt)`.
fn read_fact(text: &str) -> Result<Fact, LockProblem> {
    let wrong = || nonsense(text);
    let (optional, rest) = match text.strip_prefix("optional ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let end = rest.find([' ', '(']).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    let mut rest = rest.trim_start();
    let kind = match word {
        "json" => Kind::Json,
        "itself" => Kind::Itself,
        "list" => Kind::List,
        "set" => Kind::Set,
        "map" => Kind::Map,
        "tuple" => Kind::Tuple,
        "struct" => Kind::Struct,
        "unit" => Kind::Unit,
        "opaque" => {
            let (label, behind) = quoted::take_word(rest).ok_or_else(wrong)?;
            rest = behind.trim_start();
            Kind::Opaque(label)
        }
        "array" => {
            let end = rest.find(' ').unwrap_or(rest.len());
            let (length, behind) = rest.split_at(end);
            rest = behind.trim_start();
            Kind::Array(length.parse().map_err(|_| wrong())?)
        }
        "enum" => {
            let (tagging, behind) = take_tagging(rest).ok_or_else(wrong)?;
            rest = behind;
            Kind::Enum(tagging)
        }
        _ => Kind::Scalar(Scalar::named(word).ok_or_else(wrong)?),
    };
    let flags = match rest {
        "" => Flags::default(),
        _ => {
            let flags = rest.strip_prefix('(').and_then(|flags| flags.strip_suffix(')'));
            read_flags(flags.ok_or_else(wrong)?).ok_or_else(wrong)?
        }
    };
    Ok(Fact { optional, kind, flags })
}

fn take_tagging(text: &str) -> Option<(Tagging, &str)> {
    if let Some(rest) = text.strip_prefix("untagged") {
        return Some((Tagging::Untagged, rest.trim_start()));
    }
    let Some(rest) = text.strip_prefix("tag=") else { return Some((Tagging::External, text)) };
    let (tag, rest) = quoted::take_word(rest)?;
    let rest = rest.trim_start();
    let Some(rest) = rest.strip_prefix("content=") else {
        return Some((Tagging::Internal(tag.into()), rest));
    };
    let (content, rest) = quoted::take_word(rest)?;
    Some((Tagging::Adjacent(tag.into(), content.into()), rest.trim_start()))
}

fn read_flags(text: &str) -> Option<Flags> {
    let mut flags = Flags::default();
    let mut rest = text.trim();
    loop {
        let behind;
        if let Some(alias) = rest.strip_prefix("alias=") {
            let (alias, after) = quoted::take_word(alias)?;
            flags.aliases.push(alias.into());
            behind = after;
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            match word.trim_end() {
                "default" => flags.default = true,
                "omittable" => flags.omittable = true,
                "other" => flags.other = true,
                _ => return None,
            }
            behind = after;
        }
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(flags);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

impl Draft {
    fn finish(mut self) -> Result<Entry, LockError> {
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
            Kind::Unit => Shape::Unit,
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
            Kind::Enum(tagging) => {
                let mut variants = self.variants(path)?;
                if tagging == Tagging::Untagged {
                    // They are known by their place.
                    variants.sort_by_key(|variant| variant.name.as_str().parse::<u32>().ok());
                }
                Shape::Enum(tagging, Cow::Owned(variants))
            }
        };
        Ok(if fact.optional { Shape::Optional(Cow::Owned(vec![shape])) } else { shape })
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
