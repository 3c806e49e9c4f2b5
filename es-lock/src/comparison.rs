//! The comparison of a shape that was released with the one of today, place by place. It runs in the
//! derives, in tests, and while a crate compiles.

use crate::difference::Change;
use crate::difference::Compatibility::{self, Compatible, NeedsVersion};
use crate::difference::Difference;
use crate::name::{Name, is_same};
use crate::shape::{Field, Shape, Tagging, Variant, part, slice};
use crate::text::Text;

/// A walk over two shapes at once, up to the difference that is asked for.
pub(crate) struct Comparison {
    path: Text,
    /// How many differences to pass by.
    before: usize,
    /// Whether what is read in more ways here is read in fewer ways elsewhere: one variant of an
    /// untagged enum takes what the next one was read from.
    narrow: bool,
    /// Whether the place is stored in another object than the path says.
    flattened: bool,
}

/// Ends the walk if the difference is the one that is asked for.
macro_rules! report {
    ($found:expr) => {
        if let Some(found) = $found {
            return Some(found);
        }
    };
}

static NOTHING: Shape = Shape::Unknown;

impl Comparison {
    /// Begins at the path, and looks for the difference with the index.
    pub(crate) const fn new(at: &str, index: usize) -> Self {
        Self { path: Text::new().text(at), before: index, narrow: false, flattened: false }
    }

    const fn found<'a>(
        &mut self,
        change: Change,
        compatibility: Compatibility,
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        self.found_by_name(change, compatibility, locked, now, "")
    }

    const fn found_by_name<'a>(
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
        // What is written in another way is not read in another.
        let of_writing = matches!(change, Change::AlwaysWritten | Change::MayBeLeftOut);
        let compatibility = if self.narrow && !of_writing { NeedsVersion } else { compatibility };
        let (path, flattened) = (self.path, self.flattened);
        Some(Difference { path, flattened, change, compatibility, locked, now, alias })
    }

    /// The next difference of two shapes.
    pub(crate) const fn shapes<'a>(
        &mut self,
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        let ((was, was_optional), (is, is_optional)) = (locked.present(), now.present());
        // Of a type that is not known it is not known either whether it is an option.
        if (matches!(was, Shape::Unknown) && !was_optional)
            || (matches!(is, Shape::Unknown) && !is_optional)
        {
            return None;
        }
        if was_optional && !is_optional {
            report!(self.found(Change::NoLongerOptional, NeedsVersion, locked, now));
        }
        if !was_optional && is_optional {
            report!(self.found(Change::BecameOptional, Compatible, locked, now));
        }
        if was_optional && is_optional {
            match (locked.may_be_missing(), now.may_be_missing()) {
                (true, false) => {
                    report!(self.found(Change::NoLongerMissing, NeedsVersion, locked, now));
                }
                (false, true) => report!(self.found(Change::MayBeMissing, Compatible, locked, now)),
                _ => {}
            }
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
                self.found(change, compatibility, was, is)
            }
            (Shape::Json, Shape::Json)
            | (Shape::Itself, Shape::Itself)
            | (Shape::Unit, Shape::Unit) => None,
            (Shape::Opaque(one), Shape::Opaque(other)) if is_same(one.as_str(), other.as_str()) => {
                None
            }
            // The variant without content is written as a name alone, which is no content.
            (Shape::Unit, _) => self.found(Change::Retyped, NeedsVersion, was, is),
            (_, Shape::Json) => self.found(Change::Widened, Compatible, was, is),
            (Shape::List(one), Shape::List(other)) | (Shape::Set(one), Shape::Set(other)) => {
                self.inside("[]", part(one, 0), part(other, 0))
            }
            (Shape::Array(length, one), Shape::Array(other_length, other))
                if *length == *other_length =>
            {
                self.inside("[]", part(one, 0), part(other, 0))
            }
            (Shape::Set(one) | Shape::Array(_, one), Shape::List(other)) => {
                report!(self.found(Change::Widened, Compatible, was, is));
                self.inside("[]", part(one, 0), part(other, 0))
            }
            (Shape::Map(one), Shape::Map(other)) => {
                report!(self.inside("{key}", part(one, 0), part(other, 0)));
                self.inside("{}", part(one, 1), part(other, 1))
            }
            (Shape::Tuple(one), Shape::Tuple(other)) if slice(one).len() == slice(other).len() => {
                self.tuple(slice(one), slice(other))
            }
            (Shape::Struct(one), Shape::Struct(other)) => {
                self.members(Members::Fields(slice(one)), Members::Fields(slice(other)))
            }
            (Shape::Enum(one_tagging, one), Shape::Enum(other_tagging, other)) => {
                if !one_tagging.is(other_tagging) {
                    return self.found(Change::Retagged, NeedsVersion, was, is);
                }
                self.members(
                    Members::Variants(one_tagging, slice(one)),
                    Members::Variants(other_tagging, slice(other)),
                )
            }
            _ => self.found(Change::Retyped, NeedsVersion, was, is),
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

    /// Those that were there with what became of them, then those that are new.
    const fn members<'a>(
        &mut self,
        locked: Members<'a>,
        now: Members<'a>,
    ) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < locked.len() {
            let was = locked.get(index);
            let (length, narrow, flattened) = (self.enter(was), self.narrow, self.flattened);
            self.narrow = narrow || locked.shares_with_others(index);
            self.flattened = flattened || was.is_flattened();
            let found = match now.find(was) {
                Some(is) => self.member(locked, was, is),
                None => self.found(was.removed(), NeedsVersion, was.shape(), &NOTHING),
            };
            self.path.cut(length);
            (self.narrow, self.flattened) = (narrow, flattened);
            report!(found);
            index += 1;
        }
        let mut index = 0;
        while index < now.len() {
            let is = now.get(index);
            if locked.find(is).is_none() {
                let length = self.enter(is);
                let (change, compatibility) = locked.with(is);
                let found = self.found(change, compatibility, &NOTHING, is.shape());
                self.path.cut(length);
                report!(found);
            }
            index += 1;
        }
        None
    }

    const fn member<'a>(
        &mut self,
        locked: Members<'a>,
        was: Member<'a>,
        is: Member<'a>,
    ) -> Option<Difference<'a>> {
        match (was, is) {
            (Member::Field(was), Member::Field(is)) => report!(self.field(was, is)),
            (Member::Variant(was), Member::Variant(is)) => report!(self.variant(was, is)),
            // Those of structs are compared with those of structs.
            _ => {}
        }
        report!(self.aliases(locked, was, is));
        self.shapes(was.shape(), is.shape())
    }

    const fn field<'a>(&mut self, was: &'a Field, is: &'a Field) -> Option<Difference<'a>> {
        // Where it may have been missing until now, it was read as something else.
        if is.default && !was.default {
            let compatibility = if was.may_be_missing() { NeedsVersion } else { Compatible };
            report!(self.found(Change::DefaultGained, compatibility, &was.shape, &is.shape));
        }
        if was.default && !is.default {
            report!(self.found(Change::DefaultLost, NeedsVersion, &was.shape, &is.shape));
        }
        if is.omittable && !was.omittable {
            let compatibility = if is.may_be_missing() { Compatible } else { NeedsVersion };
            report!(self.found(Change::MayBeLeftOut, compatibility, &was.shape, &is.shape));
        }
        if was.omittable && !is.omittable {
            report!(self.found(Change::AlwaysWritten, Compatible, &was.shape, &is.shape));
        }
        None
    }

    const fn variant<'a>(&mut self, was: &'a Variant, is: &'a Variant) -> Option<Difference<'a>> {
        if is.other && !was.other {
            report!(self.found(Change::OtherGained, Compatible, &was.shape, &is.shape));
        }
        if was.other && !is.other {
            report!(self.found(Change::OtherLost, NeedsVersion, &was.shape, &is.shape));
        }
        None
    }

    const fn aliases<'a>(
        &mut self,
        locked: Members<'a>,
        was: Member<'a>,
        is: Member<'a>,
    ) -> Option<Difference<'a>> {
        let (before, today) = (was.aliases(), is.aliases());
        let mut index = 0;
        while index < before.len() {
            if !has(today, before[index].as_str()) {
                let alias = before[index].as_str();
                report!(self.found_by_name(
                    Change::AliasLost,
                    NeedsVersion,
                    was.shape(),
                    is.shape(),
                    alias
                ));
            }
            index += 1;
        }
        let mut index = 0;
        while index < today.len() {
            if !has(before, today[index].as_str()) {
                let alias = today[index].as_str();
                let compatibility = if locked.read(alias) { NeedsVersion } else { Compatible };
                report!(self.found_by_name(
                    Change::AliasGained,
                    compatibility,
                    was.shape(),
                    is.shape(),
                    alias
                ));
            }
            index += 1;
        }
        None
    }

    /// Goes into a field or variant; the answer leads back.
    const fn enter(&mut self, member: Member<'_>) -> usize {
        let length = self.path.length();
        match member {
            Member::Field(_) if length == 0 => {}
            Member::Field(_) => self.path.push("."),
            Member::Variant(_) => self.path.push(":"),
        }
        self.path.push(member.name().as_str());
        length
    }
}

/// The fields of a struct, or the variants of an enum.
#[derive(Clone, Copy)]
enum Members<'a> {
    Fields(&'a [Field]),
    Variants(&'a Tagging, &'a [Variant]),
}

/// One of them.
#[derive(Clone, Copy)]
enum Member<'a> {
    Field(&'a Field),
    Variant(&'a Variant),
}

impl<'a> Members<'a> {
    const fn len(self) -> usize {
        match self {
            Self::Fields(fields) => fields.len(),
            Self::Variants(_, variants) => variants.len(),
        }
    }

    const fn get(self, index: usize) -> Member<'a> {
        match self {
            Self::Fields(fields) => Member::Field(&fields[index]),
            Self::Variants(_, variants) => Member::Variant(&variants[index]),
        }
    }

    const fn find(self, wanted: Member<'_>) -> Option<Member<'a>> {
        let mut index = 0;
        while index < self.len() {
            let member = self.get(index);
            if member.is_flattened() == wanted.is_flattened()
                && is_same(member.name().as_str(), wanted.name().as_str())
            {
                return Some(member);
            }
            index += 1;
        }
        None
    }

    /// What it means that there is one more.
    const fn with(self, new: Member<'_>) -> (Change, Compatibility) {
        match (self, new) {
            (Self::Fields(_), Member::Field(field)) => {
                if !field.may_be_missing() {
                    (Change::FieldAdded, NeedsVersion)
                } else if !field.flatten && self.any_name_read(new) {
                    (Change::NameTaken, NeedsVersion)
                } else {
                    (Change::FieldAdded, Compatible)
                }
            }
            // What has no name comes last, and is read from what nothing else is read from.
            (Self::Variants(Tagging::Untagged, _), _) => (Change::VariantAdded, Compatible),
            _ if self.any_untagged() => (Change::VariantAdded, NeedsVersion),
            _ => (Change::VariantAdded, Compatible),
        }
    }

    /// Whether there is a variant without a name among those that have one.
    const fn any_untagged(self) -> bool {
        let Self::Variants(_, variants) = self else { return false };
        let mut index = 0;
        while index < variants.len() {
            if variants[index].is_untagged() {
                return true;
            }
            index += 1;
        }
        false
    }

    const fn any_name_read(self, member: Member<'_>) -> bool {
        if self.read(member.name().as_str()) {
            return true;
        }
        let aliases = member.aliases();
        let mut index = 0;
        while index < aliases.len() {
            if self.read(aliases[index].as_str()) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether what is stored by the name is read into one of them.
    const fn read(self, name: &str) -> bool {
        let mut index = 0;
        while index < self.len() {
            let member = self.get(index);
            let read = match member {
                Member::Field(field) if field.flatten => takes(&field.shape, name),
                _ => is_same(member.name().as_str(), name) || has(member.aliases(), name),
            };
            if read {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether what this one is not read from is read into another one.
    const fn shares_with_others(self, index: usize) -> bool {
        match self {
            Self::Variants(Tagging::Untagged, variants) => index + 1 < variants.len(),
            Self::Variants(_, variants) => variants[index].is_untagged(),
            Self::Fields(fields) => {
                let mut other = 0;
                while other < fields.len() {
                    if other != index && fields[index].flatten && fields[other].takes_the_rest() {
                        return true;
                    }
                    other += 1;
                }
                false
            }
        }
    }
}

impl<'a> Member<'a> {
    const fn name(self) -> &'a Name {
        match self {
            Self::Field(field) => &field.name,
            Self::Variant(variant) => &variant.name,
        }
    }

    const fn shape(self) -> &'a Shape {
        match self {
            Self::Field(field) => &field.shape,
            Self::Variant(variant) => &variant.shape,
        }
    }

    const fn aliases(self) -> &'a [Name] {
        match self {
            Self::Field(field) => slice(&field.aliases),
            Self::Variant(variant) => slice(&variant.aliases),
        }
    }

    const fn is_flattened(self) -> bool {
        matches!(self, Self::Field(Field { flatten: true, .. }))
    }

    const fn removed(self) -> Change {
        match self {
            Self::Field(_) => Change::FieldRemoved,
            Self::Variant(_) => Change::VariantRemoved,
        }
    }
}

impl Field {
    /// Whether it is flattened and takes every name that no other field has.
    pub const fn takes_the_rest(&self) -> bool {
        self.flatten
            && matches!(self.shape.present().0, Shape::Map(_) | Shape::Json | Shape::Opaque(_))
    }
}

/// Whether a flattened value of the shape is read from what stands under the name.
const fn takes(shape: &Shape, name: &str) -> bool {
    match shape.present().0 {
        Shape::Struct(fields) => Members::Fields(slice(fields)).read(name),
        Shape::Enum(tagging, variants) => {
            let variants = slice(variants);
            let (tag, content) = match tagging {
                Tagging::External => return Members::Variants(tagging, variants).read(name),
                Tagging::Internal(tag) => (Some(tag), None),
                Tagging::Adjacent(tag, content) => (Some(tag), Some(content)),
                Tagging::Untagged => (None, None),
            };
            if is_called(tag, name) || is_called(content, name) {
                return true;
            }
            let mut index = 0;
            while content.is_none() && index < variants.len() {
                if takes(&variants[index].shape, name) {
                    return true;
                }
                index += 1;
            }
            false
        }
        Shape::Unit | Shape::Scalar(_) => false,
        _ => true,
    }
}

const fn is_called(named: Option<&Name>, name: &str) -> bool {
    match named {
        Some(named) => is_same(named.as_str(), name),
        None => false,
    }
}

const fn has(names: &[Name], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if is_same(names[index].as_str(), name) {
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
