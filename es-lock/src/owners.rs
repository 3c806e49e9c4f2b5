//! Whom a place means that says it is the type itself.

use crate::shape::Shape;

/// The types around a place of which one may be meant, each by its depth.
#[derive(Clone, Copy)]
pub(crate) struct Owners {
    depth: usize,
    /// The nearest that is said to hold itself, which is meant if there is one.
    holder: Option<usize>,
    /// The nearest struct or enum.
    named: Option<usize>,
    /// The same, where the fields of a variant belong to its enum.
    declared: Option<usize>,
    /// Whether the place is the content of a variant.
    is_content: bool,
}

/// What is around everything that is compared.
const OUTSIDE: usize = usize::MAX;

impl Owners {
    /// Around nothing.
    pub(crate) const NONE: Self =
        Self { depth: 0, holder: None, named: None, declared: None, is_content: false };

    /// With the shape that stands at the place.
    pub(crate) const fn at(self, shape: &Shape) -> Self {
        let depth = Some(self.depth);
        let (present, _) = shape.present();
        let is_struct = matches!(present, Shape::Struct(_) | Shape::Closed(_));
        let is_named = is_struct || matches!(present, Shape::Enum(..));
        Self {
            holder: if shape.is_holder() { depth } else { self.holder },
            named: if is_named { depth } else { self.named },
            declared: match is_named && !(is_struct && self.is_content) {
                true => depth,
                false => self.declared,
            },
            ..self
        }
    }

    /// Of a part of what stands at the place.
    pub(crate) const fn below(self) -> Self {
        Self { depth: self.depth + 1, is_content: false, ..self }
    }

    /// Of a variant of the enum that stands at the place.
    pub(crate) const fn of_variant(self, content: &Shape) -> Self {
        // A type that holds itself is no list of fields.
        Self { is_content: !content.is_holder(), ..self.below() }
    }

    /// How far the type is that is meant, if it is not the one that everybody takes for it.
    pub(crate) fn steps_to_holder(self) -> Option<usize> {
        let holder = self.holder.filter(|holder| Some(*holder) != self.declared)?;
        Some(self.depth - holder)
    }

    /// Whether one type is meant by a place of a released shape and by the same one of today's.
    pub(crate) const fn mean_the_same(was: (Self, &Shape), is: (Self, &Shape)) -> bool {
        let ([one, or_one], [other, or_other]) = (was.0.meant(was.1), is.0.meant(is.1));
        // Where a part of an event is compared alone, it means the event without saying so.
        let may_be_outside = is.0.holder.is_none() && matches!(is.1, Shape::Itself);
        one == other
            || one == or_other
            || or_one == other
            || or_one == or_other
            || (may_be_outside && one == OUTSIDE)
    }

    /// The depths of the types that may be meant. Locks are older than the count of steps: where they
    /// say nothing else it is the nearest struct, or the enum of which that is a variant.
    const fn meant(self, shape: &Shape) -> [usize; 2] {
        if let Shape::Above(steps) = shape {
            let depth = self.depth as u64;
            let meant = if *steps <= depth { (depth - *steps) as usize } else { OUTSIDE };
            return [meant, meant];
        }
        match (self.holder, self.named, self.declared) {
            (Some(holder), ..) => [holder, holder],
            (None, Some(named), Some(declared)) => [named, declared],
            (None, Some(named), None) => [named, named],
            (None, None, _) => [OUTSIDE, OUTSIDE],
        }
    }
}
