//! The comparison of a shape that was released with the one of today, place by place. It runs in the
//! derives, in tests, and while a crate compiles.

mod beside;
mod closed;
mod integers;
mod members;
mod order;
pub(crate) mod place;

use self::beside::Beside;
use self::members::{Member, Members, has};
use self::place::{Around, Place};
use crate::difference::Change;
use crate::difference::Compatibility::{self, Compatible, NeedsVersion};
use crate::difference::Difference;
use crate::name::is_same;
use crate::owners::Owners;
use crate::shape::{Field, Shape, Tagging, Variant, part, slice};
use crate::text::Text;

/// A walk over two shapes at once, up to the difference that is asked for.
pub(crate) struct Comparison {
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

static NOTHING: Shape = Shape::Unknown;

impl Comparison {
    /// Begins at the path, and looks for the difference with the index.
    pub(crate) const fn new(at: &str, index: usize) -> Self {
        Self { path: Text::new().text(at), before: index }
    }

    const fn found<'a>(
        &mut self,
        place: Place<'_>,
        change: Change,
        compatibility: Compatibility,
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        self.found_by_name(place, change, compatibility, locked, now, "")
    }

    const fn found_by_name<'a>(
        &mut self,
        place: Place<'_>,
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
        let of_writing = matches!(
            change,
            // Who denies what it does not know still reads what it wrote.
            Change::AlwaysWritten | Change::MayBeLeftOut | Change::NamesDenied
        );
        let compatibility = if place.narrow && !of_writing { NeedsVersion } else { compatibility };
        let (path, flattened) = (self.path, place.flattened);
        Some(Difference { path, flattened, change, compatibility, locked, now, alias })
    }

    /// The next difference of two shapes.
    pub(crate) const fn shapes<'a>(
        &mut self,
        place: Place<'_>,
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        if let (Shape::Unwritten, _) | (_, Shape::Unwritten) = (locked, now) {
            // It is said of the field.
            return None;
        }
        let ((was, was_optional), (is, is_optional)) = (locked.present(), now.present());
        let place = place.at(locked, now);
        // Of a type that is not known it is not known either whether it is an option.
        if (matches!(was, Shape::Unknown) && !was_optional)
            || (matches!(is, Shape::Unknown) && !is_optional)
        {
            return None;
        }
        if was_optional && !is_optional {
            report!(self.found(place, Change::NoLongerOptional, NeedsVersion, locked, now));
        }
        if !was_optional && is_optional {
            report!(self.found(place, Change::BecameOptional, Compatible, locked, now));
        }
        if was_optional && is_optional {
            match (locked.may_be_missing(), now.may_be_missing()) {
                (true, false) => {
                    report!(self.found(place, Change::NoLongerMissing, NeedsVersion, locked, now));
                }
                (false, true) => {
                    report!(self.found(place, Change::MayBeMissing, Compatible, locked, now))
                }
                _ => {}
            }
        }
        match (was, is) {
            (Shape::Unknown, _) | (_, Shape::Unknown) => None,
            (Shape::Scalar(narrow), Shape::Scalar(wide)) => {
                if narrow.is(*wide) {
                    return None;
                }
                let lost = wide.is_long() && !narrow.is_long() && place.is_ever_buffered();
                let (change, compatibility) = if wide.holds(*narrow) && !lost {
                    (Change::Widened, Compatible)
                } else {
                    (Change::Retyped, NeedsVersion)
                };
                self.found(place, change, compatibility, was, is)
            }
            (Shape::Json, Shape::Json) | (Shape::Unit, Shape::Unit) => None,
            (Shape::Itself | Shape::Above(_), Shape::Itself | Shape::Above(_))
                if Owners::mean_the_same((place.was_owners, was), (place.is_owners, is)) =>
            {
                None
            }
            (Shape::Opaque(one), Shape::Opaque(other)) if is_same(one.as_str(), other.as_str()) => {
                None
            }
            // The variant without content is written as a name alone, which is no content.
            (Shape::Unit, _) => self.found(place, Change::Retyped, NeedsVersion, was, is),
            // There a greater one is read as a number with a fraction.
            (_, Shape::Json) if place.holds_long(was) => {
                self.found(place, Change::Retyped, NeedsVersion, was, is)
            }
            // There it takes what is stored in other flattened fields too.
            (_, Shape::Json) if place.is_shared() => {
                self.found(place, Change::Retyped, NeedsVersion, was, is)
            }
            (_, Shape::Json) => self.found(place, Change::Widened, Compatible, was, is),
            (Shape::List(one), Shape::List(other)) | (Shape::Set(one), Shape::Set(other)) => {
                self.inside(place, "[]", part(one, 0), part(other, 0))
            }
            (Shape::Array(length, one), Shape::Array(other_length, other))
                if *length == *other_length =>
            {
                self.inside(place, "[]", part(one, 0), part(other, 0))
            }
            (Shape::Set(one) | Shape::Array(_, one), Shape::List(other)) => {
                report!(self.found(place, Change::Widened, Compatible, was, is));
                self.inside(place, "[]", part(one, 0), part(other, 0))
            }
            (Shape::Map(one), Shape::Map(other)) => {
                report!(self.inside(place, "{key}", part(one, 0), part(other, 0)));
                self.inside(place, "{}", part(one, 1), part(other, 1))
            }
            (Shape::Tuple(one), Shape::Tuple(other)) if slice(one).len() == slice(other).len() => {
                self.tuple(place, slice(one), slice(other))
            }
            (
                Shape::Struct(one) | Shape::Closed(one),
                Shape::Struct(other) | Shape::Closed(other),
            ) => {
                match (was, is) {
                    (Shape::Struct(_), Shape::Closed(_)) => {
                        let others = place.holds_other_names(slice(one));
                        let compatibility = if others { NeedsVersion } else { Compatible };
                        report!(self.found(place, Change::NamesDenied, compatibility, was, is));
                    }
                    (Shape::Closed(_), Shape::Struct(_)) => {
                        report!(self.found(place, Change::NamesIgnored, Compatible, was, is));
                    }
                    _ => {}
                }
                let around = Around { shape: was, further: place.around };
                let place = place.within(&around);
                self.members(place, Members::Fields(slice(one)), Members::Fields(slice(other)))
            }
            (Shape::Enum(one_tagging, one), Shape::Enum(other_tagging, other)) => {
                if !one_tagging.is(other_tagging) {
                    return self.found(place, Change::Retagged, NeedsVersion, was, is);
                }
                let around = Around { shape: was, further: place.around };
                let place = place.within(&around);
                self.members(
                    place,
                    Members::Variants(one_tagging, slice(one)),
                    Members::Variants(other_tagging, slice(other)),
                )
            }
            _ => self.found(place, Change::Retyped, NeedsVersion, was, is),
        }
    }

    const fn inside<'a>(
        &mut self,
        place: Place<'_>,
        segment: &str,
        locked: &'a Shape,
        now: &'a Shape,
    ) -> Option<Difference<'a>> {
        let length = self.path.length();
        self.path.push(segment);
        let found = self.shapes(place.of_part(), locked, now);
        self.path.cut(length);
        found
    }

    const fn tuple<'a>(
        &mut self,
        place: Place<'_>,
        locked: &'a [Shape],
        now: &'a [Shape],
    ) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < locked.len() {
            let length = self.path.length();
            self.path = self.path.text(".").number(index as u64);
            let found = self.shapes(place.of_part(), &locked[index], &now[index]);
            self.path.cut(length);
            report!(found);
            index += 1;
        }
        None
    }

    /// Those that were there with what became of them, then those that are new.
    const fn members<'a>(
        &mut self,
        place: Place<'_>,
        locked: Members<'a>,
        now: Members<'a>,
    ) -> Option<Difference<'a>> {
        let mut index = 0;
        while index < locked.len() {
            let was = locked.get(index);
            let length = self.enter(was);
            let beside = Beside { members: locked, except: index, further: place.beside };
            let today = now.find(was);
            let inside = place.of_member(&beside, today);
            let found = match today {
                Some(is) => self.member([place, inside], locked, was, is),
                None => {
                    let (change, compatibility) = now.without(place, was);
                    self.found(inside, change, compatibility, was.shape(), &NOTHING)
                }
            };
            self.path.cut(length);
            report!(found);
            index += 1;
        }
        let mut index = 0;
        while index < now.len() {
            let is = now.get(index);
            if locked.find(is).is_none() {
                let length = self.enter(is);
                let (change, compatibility) = locked.with(place, is);
                let found = self.found(place, change, compatibility, &NOTHING, is.shape());
                self.path.cut(length);
                report!(found);
            }
            index += 1;
        }
        None
    }

    /// `inside` is the place of the member in the struct or enum.
    const fn member<'a>(
        &mut self,
        [place, inside]: [Place<'_>; 2],
        locked: Members<'a>,
        was: Member<'a>,
        is: Member<'a>,
    ) -> Option<Difference<'a>> {
        match (was, is) {
            (Member::Field(was), Member::Field(is)) if was.is_unwritten() || is.is_unwritten() => {
                report!(self.unwritten(inside, was, is));
            }
            (Member::Field(was), Member::Field(is)) => report!(self.field(inside, was, is)),
            (Member::Variant(was), Member::Variant(is)) => report!(self.variant(inside, was, is)),
            // Those of structs are compared with those of structs.
            _ => {}
        }
        report!(self.aliases([place, inside], locked, was, is));
        self.shapes(inside, was.shape(), is.shape())
    }

    const fn field<'a>(
        &mut self,
        place: Place<'_>,
        was: &'a Field,
        is: &'a Field,
    ) -> Option<Difference<'a>> {
        // Where it may have been missing until now, it was read as something else.
        if is.default && !was.default {
            let compatibility = if was.may_be_missing() { NeedsVersion } else { Compatible };
            report!(self.found(place, Change::DefaultGained, compatibility, &was.shape, &is.shape));
        }
        if was.default && !is.default {
            report!(self.found(place, Change::DefaultLost, NeedsVersion, &was.shape, &is.shape));
        }
        if is.omittable && !was.omittable {
            let compatibility = if is.may_be_missing() { Compatible } else { NeedsVersion };
            report!(self.found(place, Change::MayBeLeftOut, compatibility, &was.shape, &is.shape));
        }
        if was.omittable && !is.omittable {
            report!(self.found(place, Change::AlwaysWritten, Compatible, &was.shape, &is.shape));
        }
        None
    }

    /// Of a field that is read and not written the names count, since nothing else of it is stored.
    const fn unwritten<'a>(
        &mut self,
        place: Place<'_>,
        was: &'a Field,
        is: &'a Field,
    ) -> Option<Difference<'a>> {
        match (was.is_unwritten(), is.is_unwritten()) {
            (false, true) => {
                self.found(place, Change::NeverWritten, NeedsVersion, &was.shape, &is.shape)
            }
            (true, false) if is.may_be_missing() => {
                self.found(place, Change::AlwaysWritten, Compatible, &was.shape, &is.shape)
            }
            (true, false) => {
                self.found(place, Change::FieldAdded, NeedsVersion, &was.shape, &is.shape)
            }
            _ => None,
        }
    }

    const fn variant<'a>(
        &mut self,
        place: Place<'_>,
        was: &'a Variant,
        is: &'a Variant,
    ) -> Option<Difference<'a>> {
        if is.other && !was.other {
            report!(self.found(place, Change::OtherGained, Compatible, &was.shape, &is.shape));
        }
        if was.other && !is.other {
            report!(self.found(place, Change::OtherLost, NeedsVersion, &was.shape, &is.shape));
        }
        None
    }

    const fn aliases<'a>(
        &mut self,
        [place, inside]: [Place<'_>; 2],
        locked: Members<'a>,
        was: Member<'a>,
        is: Member<'a>,
    ) -> Option<Difference<'a>> {
        let (before, today) = (was.aliases(), is.aliases());
        let mut index = 0;
        while index < before.len() {
            if !has(today, before[index].as_str()) {
                let alias = before[index].as_str();
                // Nothing was written by it.
                let unwritten = matches!(was.shape(), Shape::Unwritten);
                let compatibility = if unwritten { Compatible } else { NeedsVersion };
                report!(self.found_by_name(
                    inside,
                    Change::AliasLost,
                    compatibility,
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
                let compatibility =
                    if place.is_name_taken(locked, alias) { NeedsVersion } else { Compatible };
                report!(self.found_by_name(
                    inside,
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
