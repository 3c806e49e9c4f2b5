//! What differs between a shape that was released and the one of today, and whether what was written
//! is still read.

use crate::name::{Name, is_same};
use crate::shape::{Field, Shape, Tagging, Variant, part, slice};
use crate::text::Text;

/// One thing that differs.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    path: Text,
    /// What happened to it.
    pub change: Change,
    /// Whether old payloads are still read.
    pub compatibility: Compatibility,
    /// What was released there; unknown if there was nothing.
    pub locked: &'a Shape,
    /// What is there today; unknown if there is nothing.
    pub now: &'a Shape,
    /// The name that an alias had.
    alias: &'a str,
}

/// What happened to a place in a shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// There is a field more.
    FieldAdded,
    /// There is a field less.
    FieldRemoved,
    /// There is a variant more.
    VariantAdded,
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
    /// A missing one is read as a default.
    DefaultGained,
    /// A missing one is not read as a default any more.
    DefaultLost,
    /// It may be left out when it is written.
    MayBeLeftOut,
    /// It is always written.
    AlwaysWritten,
    /// It is read by one more name.
    AliasGained,
    /// It is read by one name less.
    AliasLost,
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
    let mut walk = Walk { path: Text::new().text(at), before: index };
    walk.shapes(locked, now)
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
        matches!(self.compatibility, Compatible)
    }

    /// The difference in words: ``field `amount` is u64 in {locked}, and text here``.
    pub const fn describe(&self, text: Text, locked: &str) -> Text {
        let text = self.subject(text);
        let was = match self.change {
            Change::FieldAdded | Change::VariantAdded => {
                return text.text(" is not in ").text(locked);
            }
            Change::FieldRemoved | Change::VariantRemoved => {
                return text.text(" is in ").text(locked).text(", but not here");
            }
            Change::Retyped | Change::Widened => {
                let text = self.locked.describe(text.text(" is "));
                let text = text.text(" in ").text(locked).text(", but ");
                return self.now.describe(text).text(" here");
            }
            Change::BecameOptional => [" is always there in ", ", but optional here"],
            Change::NoLongerOptional => [" is optional in ", ", but not here"],
            Change::DefaultGained => [" must be there in ", ", but has a default here"],
            Change::DefaultLost => [" may be missing in ", ", but has no default here"],
            Change::MayBeLeftOut => [" is always written in ", ", but may be left out here"],
            Change::AlwaysWritten => [" may be left out in ", ", but is always written here"],
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
            Change::OtherGained => [" is no `other` in ", ", but here it is"],
            Change::OtherLost => [" stands for unknown variants in ", ", but not here"],
            Change::Retagged => [" tells its variants apart in another way in ", " than here"],
        };
        text.text(was[0]).text(locked).text(was[1])
    }

    /// What `#[upcast(from = .., ..)]` needs besides `from`, as far as the difference alone says.
    pub const fn step(&self, text: Text) -> Text {
        // A step names a field of objects and of what stands in them, not one of a variant or a map.
        if is_plain(self.path()) {
            match self.change {
                Change::FieldAdded | Change::DefaultLost => {
                    let text = push_field(text.text("add("), self.path());
                    return text.text(" = ...)");
                }
                Change::FieldRemoved => {
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
            | Change::VariantRemoved
            | Change::OtherGained
            | Change::OtherLost => "variant `",
            _ => "field `",
        };
        text.text(noun).text(self.path()).text("`")
    }
}

/// A walk over two shapes at once, up to the difference that is asked for.
struct Walk {
    path: Text,
    /// How many differences to pass by.
    before: usize,
}

/// Ends the walk if the difference is the one that is asked for.
macro_rules! report {
    ($found:expr) => {
        if let Some(found) = $found {
            return Some(found);
        }
    };
}

use Compatibility::{Compatible, NeedsVersion};

static NOTHING: Shape = Shape::Unknown;

impl Walk {
    const fn found<'a>(
        &mut self,
        change: Change,
        compatibility: Compatibility,
        locked: &'a Shape,
        now: &'a Shape,
        alias: &'a str,
    ) -> Option<Difference<'a>> {
        if self.before > 0 {
            self.before -= 1;
            return None;
        }
        Some(Difference { path: self.path, change, compatibility, locked, now, alias })
    }

    const fn shapes<'a>(&mut self, locked: &'a Shape, now: &'a Shape) -> Option<Difference<'a>> {
        let ((was, was_optional), (is, is_optional)) = (locked.present(), now.present());
        // Of a type that is not known it is not known either whether it is an option.
        if (matches!(was, Shape::Unknown) && !was_optional)
            || (matches!(is, Shape::Unknown) && !is_optional)
        {
            return None;
        }
        if was_optional && !is_optional {
            report!(self.found(Change::NoLongerOptional, NeedsVersion, locked, now, ""));
        }
        if !was_optional && is_optional {
            report!(self.found(Change::BecameOptional, Compatible, locked, now, ""));
        }
        match (was, is) {
            (Shape::Unknown, _) | (_, Shape::Unknown) => None,
            (Shape::Scalar(narrow), Shape::Scalar(wide)) => {
                if narrow.is(*wide) {
                    return None;
                }
                let (change, compatibility) = if wide.holds(*narrow) {
                    (Change::Widened, Compatible)
                } else {
                    (Change::Retyped, NeedsVersion)
                };
                self.found(change, compatibility, was, is, "")
            }
            (Shape::Json, Shape::Json)
            | (Shape::Itself, Shape::Itself)
            | (Shape::Unit, Shape::Unit) => None,
            (Shape::Opaque(one), Shape::Opaque(other)) if is_same(one.as_str(), other.as_str()) => {
                None
            }
            (_, Shape::Json) => self.found(Change::Widened, Compatible, was, is, ""),
            (Shape::List(one), Shape::List(other)) | (Shape::Set(one), Shape::Set(other)) => {
                self.inside("[]", part(one, 0), part(other, 0))
            }
            (Shape::Array(length, one), Shape::Array(other_length, other))
                if *length == *other_length =>
            {
                self.inside("[]", part(one, 0), part(other, 0))
            }
            (Shape::Set(one) | Shape::Array(_, one), Shape::List(other)) => {
                report!(self.found(Change::Widened, Compatible, was, is, ""));
                self.inside("[]", part(one, 0), part(other, 0))
            }
            (Shape::Map(one), Shape::Map(other)) => {
                report!(self.inside("{key}", part(one, 0), part(other, 0)));
                self.inside("{}", part(one, 1), part(other, 1))
            }
            (Shape::Tuple(one), Shape::Tuple(other)) if slice(one).len() == slice(other).len() => {
                self.tuple(slice(one), slice(other))
            }
            (Shape::Struct(one), Shape::Struct(other)) => self.fields(slice(one), slice(other)),
            (Shape::Enum(one_tagging, one), Shape::Enum(other_tagging, other)) => {
                if !one_tagging.is(other_tagging) {
                    return self.found(Change::Retagged, NeedsVersion, was, is, "");
                }
                self.variants(slice(one), slice(other))
            }
            _ => self.found(Change::Retyped, NeedsVersion, was, is, ""),
        }
    }

    const fn inside<'a>(
        &mut self,
        segment: &str,
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        let length = self.path.length();
        self.path.push(segment);
        let found = self.shapes(locked, now);
        self.path.cut(length);
        found
    }

    const fn tuple<'a>(&mut self, locked: &'a [Shape], now: &'a [Shape]) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < locked.len() {
            let length = self.path.length();
            self.path = self.path.text(".").number(index as u64);
            let found = self.shapes(&locked[index], &now[index]);
            self.path.cut(length);
            report!(found);
            index += 1;
        }
        None
    }

    const fn fields<'a>(
        &mut self,
        locked: &'a [Field],
        now: &'a [Field],
    ) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < locked.len() {
            let was = &locked[index];
            let length = self.enter(".", &was.name);
            let found = match field(now, was) {
                Some(is) => self.field(was, is),
                None => self.found(Change::FieldRemoved, NeedsVersion, &was.shape, &NOTHING, ""),
            };
            self.path.cut(length);
            report!(found);
            index += 1;
        }
        let mut index = 0;
        while index < now.len() {
            let is = &now[index];
            if field(locked, is).is_none() {
                let length = self.enter(".", &is.name);
                let compatibility = if is.may_be_missing() { Compatible } else { NeedsVersion };
                let found = self.found(Change::FieldAdded, compatibility, &NOTHING, &is.shape, "");
                self.path.cut(length);
                report!(found);
            }
            index += 1;
        }
        None
    }

    const fn field<'a>(&mut self, was: &'a Field, is: &'a Field) -> Option<Difference<'a>> {
        if is.default && !was.default {
            report!(self.found(Change::DefaultGained, Compatible, &was.shape, &is.shape, ""));
        }
        if was.default && !is.default {
            // An option needs no default to be read where it is missing.
            let compatibility = if is.may_be_missing() { Compatible } else { NeedsVersion };
            report!(self.found(Change::DefaultLost, compatibility, &was.shape, &is.shape, ""));
        }
        if is.omittable && !was.omittable {
            let compatibility = if is.may_be_missing() { Compatible } else { NeedsVersion };
            report!(self.found(Change::MayBeLeftOut, compatibility, &was.shape, &is.shape, ""));
        }
        if was.omittable && !is.omittable {
            report!(self.found(Change::AlwaysWritten, Compatible, &was.shape, &is.shape, ""));
        }
        report!(self.aliases(slice(&was.aliases), slice(&is.aliases), &was.shape, &is.shape));
        self.shapes(&was.shape, &is.shape)
    }

    const fn variants<'a>(
        &mut self,
        locked: &'a [Variant],
        now: &'a [Variant],
    ) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < locked.len() {
            let was = &locked[index];
            let length = self.enter(":", &was.name);
            let found = match variant(now, &was.name) {
                Some(is) => self.variant(was, is),
                None => self.found(Change::VariantRemoved, NeedsVersion, &was.shape, &NOTHING, ""),
            };
            self.path.cut(length);
            report!(found);
            index += 1;
        }
        let mut index = 0;
        while index < now.len() {
            let is = &now[index];
            if variant(locked, &is.name).is_none() {
                let length = self.enter(":", &is.name);
                let found = self.found(Change::VariantAdded, Compatible, &NOTHING, &is.shape, "");
                self.path.cut(length);
                report!(found);
            }
            index += 1;
        }
        None
    }

    const fn variant<'a>(&mut self, was: &'a Variant, is: &'a Variant) -> Option<Difference<'a>> {
        if is.other && !was.other {
            report!(self.found(Change::OtherGained, Compatible, &was.shape, &is.shape, ""));
        }
        if was.other && !is.other {
            report!(self.found(Change::OtherLost, NeedsVersion, &was.shape, &is.shape, ""));
        }
        report!(self.aliases(slice(&was.aliases), slice(&is.aliases), &was.shape, &is.shape));
        self.shapes(&was.shape, &is.shape)
    }

    const fn aliases<'a>(
        &mut self,
        was: &'a [Name],
        is: &'a [Name],
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < was.len() {
            if !contains(is, &was[index]) {
                let alias = was[index].as_str();
                report!(self.found(Change::AliasLost, NeedsVersion, locked, now, alias));
            }
            index += 1;
        }
        let mut index = 0;
        while index < is.len() {
            if !contains(was, &is[index]) {
                let alias = is[index].as_str();
                report!(self.found(Change::AliasGained, Compatible, locked, now, alias));
            }
            index += 1;
        }
        None
    }

    /// Goes into a field or variant; the answer leads back.
    const fn enter(&mut self, separator: &str, name: &Name) -> usize {
        let length = self.path.length();
        if length > 0 || separator.as_bytes()[0] != b'.' {
            self.path.push(separator);
        }
        self.path.push(name.as_str());
        length
    }
}

const fn field<'a>(fields: &'a [Field], wanted: &Field) -> Option<&'a Field> {
    let mut index = 0;
    while index < fields.len() {
        let field = &fields[index];
        if field.flatten == wanted.flatten && is_same(field.name.as_str(), wanted.name.as_str()) {
            return Some(field);
        }
        index += 1;
    }
    None
}

const fn variant<'a>(variants: &'a [Variant], name: &Name) -> Option<&'a Variant> {
    let mut index = 0;
    while index < variants.len() {
        if is_same(variants[index].name.as_str(), name.as_str()) {
            return Some(&variants[index]);
        }
        index += 1;
    }
    None
}

const fn contains(names: &[Name], name: &Name) -> bool {
    let mut index = 0;
    while index < names.len() {
        if is_same(names[index].as_str(), name.as_str()) {
            return true;
        }
        index += 1;
    }
    false
}

impl Tagging {
    const fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::External, Self::External) | (Self::Untagged, Self::Untagged) => true,
            (Self::Internal(one), Self::Internal(other)) => is_same(one.as_str(), other.as_str()),
            (Self::Adjacent(tag, content), Self::Adjacent(other_tag, other_content)) => {
                is_same(tag.as_str(), other_tag.as_str())
                    && is_same(content.as_str(), other_content.as_str())
            }
            _ => false,
        }
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
