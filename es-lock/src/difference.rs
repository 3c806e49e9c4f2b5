//! What differs between a shape that was released and the one of today, and whether what was written
//! is still read.

use crate::comparison::Comparison;
use crate::comparison::place::Place;
use crate::shape::Shape;
use crate::text::Text;

/// One thing that differs.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    pub(crate) path: Text,
    /// Whether it stands in a flattened field: stored in another object than the path says.
    pub(crate) flattened: bool,
    /// What happened to it.
    pub change: Change,
    /// Whether old payloads are still read.
    pub compatibility: Compatibility,
    /// What was released there; unknown if there was nothing.
    pub locked: &'a Shape,
    /// What is there today; unknown if there is nothing.
    pub now: &'a Shape,
    /// The name that an alias had.
    pub(crate) alias: &'a str,
}

/// What happened to a place in a shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// There is a field more.
    FieldAdded,
    /// There is a field more, of a name that another field was read from.
    NameTaken,
    /// There is a field less.
    FieldRemoved,
    /// There is a variant more.
    VariantAdded,
    /// There is a variant more, of a name that another variant was read by.
    VariantTaken,
    /// There is a variant less.
    VariantRemoved,
    /// It has another type.
    Retyped,
    /// It has a type that holds every old value.
    Widened,
    /// It may be missing.
    BecameOptional,
    /// It may not be missing any more.
    NoLongerOptional,
    /// It may be null still, but not missing any more.
    NoLongerMissing,
    /// It may be missing, and not null alone.
    MayBeMissing,
    /// A missing one is read as a default.
    DefaultGained,
    /// A missing one is not read as a default any more.
    DefaultLost,
    /// It may be left out when it is written.
    MayBeLeftOut,
    /// It is always written.
    AlwaysWritten,
    /// It is read still, and not written any more.
    NeverWritten,
    /// It is read by one more name.
    AliasGained,
    /// It is read by one name less.
    AliasLost,
    /// Names that it does not know are refused.
    NamesDenied,
    /// Names that it does not know are passed over.
    NamesIgnored,
    /// Unknown variants are read as this one.
    OtherGained,
    /// Unknown variants are not read as this one any more.
    OtherLost,
    /// The variants are told apart in another way.
    Retagged,
}

/// What a change means for payloads that were written before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Compatibility {
    /// They are read as before.
    Compatible,
    /// They are read only through a step: the event needs a new version.
    NeedsVersion,
}

/// The difference with the index, in a fixed order; none behind the last.
///
/// `at` is the path of the shapes inside the event.
pub const fn difference<'a>(
    locked: &'a Shape,
    now: &'a Shape,
    at: &str,
    index: usize,
) -> Option<Difference<'a>> {
    Comparison::new(at, index).shapes(Place::new(false), locked, now)
}

/// The difference with the index of a field that is flattened.
pub const fn difference_of_flattened<'a>(
    locked: &'a Shape,
    now: &'a Shape,
    at: &str,
    index: usize,
) -> Option<Difference<'a>> {
    Comparison::new(at, index).shapes(Place::new(true), locked, now)
}

/// All differences.
pub fn differences<'a>(
    locked: &'a Shape,
    now: &'a Shape,
) -> impl Iterator<Item = Difference<'a>> + use<'a> {
    (0..).map_while(move |index| difference(locked, now, "", index))
}

impl<'a> Difference<'a> {
    /// Where it is: `amount.currency`, `items[].price`, `by_name{}`, `kind:Card.number`. The
    /// payload itself has no path.
    pub const fn path(&self) -> &str {
        self.path.as_str()
    }

    /// Whether old payloads are still read.
    pub const fn is_compatible(&self) -> bool {
        matches!(self.compatibility, Compatibility::Compatible)
    }

    /// Whether it needs a version. `strict` is said where nothing but what was written is read, as by a
    /// codec that writes no names: there a change of what is never stored is still none.
    pub const fn is_refused(&self, strict: bool) -> bool {
        let of_nothing_stored = matches!(
            (self.change, self.locked, self.now),
            (Change::FieldAdded, _, Shape::Unwritten)
                | (Change::FieldRemoved, Shape::Unwritten, _)
                | (Change::NamesDenied | Change::NamesIgnored, _, _)
        );
        !self.is_compatible() || (strict && !of_nothing_stored)
    }

    /// The difference in words: ``field `amount` is u64 in {locked}, and text here``.
    pub const fn describe(&self, text: Text, locked: &str) -> Text {
        let text = self.subject(text);
        let was = match self.change {
            Change::FieldAdded | Change::VariantAdded => {
                return text.text(" is not in ").text(locked);
            }
            Change::NameTaken => {
                return text.text(" takes what another field has in ").text(locked);
            }
            Change::VariantTaken => {
                return text.text(" takes what another variant has in ").text(locked);
            }
            Change::FieldRemoved | Change::VariantRemoved => {
                return text.text(" is in ").text(locked).text(", but not here");
            }
            Change::Retyped if self.locked.is_itself() && self.now.is_itself() => {
                [" stands for another type around it in ", " than here"]
            }
            Change::Retyped | Change::Widened => {
                let text = self.locked.describe(text.text(" is "));
                let text = text.text(" in ").text(locked).text(", but ");
                return self.now.describe(text).text(" here");
            }
            Change::BecameOptional => [" is always there in ", ", but optional here"],
            Change::NoLongerOptional => [" is optional in ", ", but not here"],
            Change::NoLongerMissing => [" may be missing in ", ", but not here"],
            Change::MayBeMissing => [" must be there in ", ", but may be missing here"],
            Change::DefaultGained => [" has no default in ", ", but here it has"],
            Change::DefaultLost => [" has a default in ", ", but not here"],
            Change::MayBeLeftOut => [" is always written in ", ", but may be left out here"],
            Change::AlwaysWritten => [" may be left out in ", ", but is always written here"],
            Change::NeverWritten => [" is written in ", ", but not here"],
            Change::AliasGained => {
                return text
                    .text(" is not read by the name `")
                    .text(self.alias)
                    .text("` in ")
                    .text(locked)
                    .text(", but here it is");
            }
            Change::AliasLost => {
                return text
                    .text(" is also read by the name `")
                    .text(self.alias)
                    .text("` in ")
                    .text(locked)
                    .text(", but not here");
            }
            Change::NamesDenied => [" passes over unknown fields in ", ", but denies them here"],
            Change::NamesIgnored => [" denies unknown fields in ", ", but not here"],
            Change::OtherGained => [" is no `other` in ", ", but here it is"],
            Change::OtherLost => [" stands for unknown variants in ", ", but not here"],
            Change::Retagged => [" tells its variants apart in another way in ", " than here"],
        };
        text.text(was[0]).text(locked).text(was[1])
    }

    /// What `#[upcast(from = .., ..)]` needs besides `from`, as far as the difference alone says.
    pub const fn step(&self, text: Text) -> Text {
        // A step names a field of objects and of what stands in them, not one of a variant or a map.
        if is_plain(self.path()) && !self.flattened {
            match self.change {
                Change::FieldAdded | Change::DefaultLost => {
                    let text = push_field(text.text("add("), self.path());
                    return text.text(" = ...)");
                }
                Change::FieldRemoved | Change::NeverWritten => {
                    return push_field(text.text("remove("), self.path()).text(")");
                }
                _ => {}
            }
        }
        text.text("with = path::to::function")
    }

    /// ``field `amount` ``
    const fn subject(&self, text: Text) -> Text {
        if self.path().is_empty() {
            return text.text("the payload");
        }
        let noun = match self.change {
            Change::VariantAdded
            | Change::VariantTaken
            | Change::VariantRemoved
            | Change::OtherGained
            | Change::OtherLost => "variant `",
            _ => "field `",
        };
        text.text(noun).text(self.path()).text("`")
    }
}

/// Whether the path goes through objects only.
const fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if matches!(bytes[index], b':' | b'{' | b'"') {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

/// A field as a step names it: alone, or in quotes when it lies deeper.
const fn push_field(text: Text, path: &str) -> Text {
    let bytes = path.as_bytes();
    let mut index = 0;
    let mut is_word = !bytes[0].is_ascii_digit();
    while index < bytes.len() {
        is_word = is_word && (bytes[index].is_ascii_alphanumeric() || bytes[index] == b'_');
        index += 1;
    }
    if is_word { text.text(path) } else { text.text("\"").text(path).text("\"") }
}
