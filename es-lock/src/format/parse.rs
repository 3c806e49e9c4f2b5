//! The text of a lock, line by line.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Absence, Draft, Fact, Flags, Kind, Segment};
use super::error::{LockError, LockProblem, error};
use super::{FORMAT, HEXADECIMAL};
use crate::lock::{EntryKey, Lock, Outcome};
use crate::quoted;
use crate::scalar::Scalar;
use crate::shape::Tagging;

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
        let mut lines_of = LinesOf::default();
        for (line, text) in lines {
            read_line(line, text, &mut lines_of).map_err(|problem| error(line, problem))?;
        }
        let mut lock = Self { aggregates: lines_of.aggregates, ..Self::default() };
        for (key, draft) in lines_of.events {
            lock.entries.insert(key, draft.finish()?);
        }
        Ok(lock)
    }
}

/// What the lines have said so far.
#[derive(Default)]
struct LinesOf {
    events: BTreeMap<EntryKey, Draft>,
    aggregates: BTreeMap<String, BTreeSet<String>>,
}

fn read_line(line: usize, text: &str, lines_of: &mut LinesOf) -> Result<(), LockProblem> {
    if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| text.starts_with(mark)) {
        return Err(LockProblem::Conflict);
    }
    let (name, rest) = quoted::take_event(text).ok_or(LockProblem::NoEvent)?;
    let rest = rest.strip_prefix(' ').ok_or(LockProblem::NoEvent)?.trim_start();
    if let Some(event) = rest.strip_prefix("reads ") {
        let event = match quoted::take_event(event.trim_start()) {
            Some((event, "")) => event,
            _ => return Err(nonsense(rest)),
        };
        lines_of.aggregates.entry(name).or_default().insert(event);
        return Ok(());
    }
    let (version, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let version = number(version).filter(|version| *version > 0).ok_or(LockProblem::NoEvent)?;
    let fact = rest.trim_start();
    let draft = lines_of.events.entry((name, version)).or_default();
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
    let (absence, rest) = match text.split_once(' ') {
        Some(("optional", rest)) => (Absence::MissingOrNull, rest.trim_start()),
        Some(("nullable", rest)) => (Absence::Null, rest.trim_start()),
        _ => (Absence::None, text),
    };
    let end = rest.find([' ', '(']).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    let mut rest = rest.trim_start();
    let kind = match word {
        "json" => Kind::Json,
        "itself" => match rest.split_once(' ').unwrap_or((rest, "")) {
            (steps, behind) if steps.starts_with(|first: char| first.is_ascii_digit()) => {
                rest = behind.trim_start();
                Kind::Above(steps.parse().map_err(|_| wrong())?)
            }
            _ => Kind::Itself,
        },
        "list" => Kind::List,
        "set" => Kind::Set,
        "map" => Kind::Map,
        "tuple" => Kind::Tuple,
        "struct" => match rest.strip_prefix("closed") {
            Some(behind) => {
                rest = behind.trim_start();
                Kind::Closed
            }
            None => Kind::Struct,
        },
        "unit" => Kind::Unit,
        "unwritten" => Kind::Unwritten,
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
    Ok(Fact { absence, kind, flags })
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
