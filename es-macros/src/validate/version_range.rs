//! Rules of the versions of an event: which are read, which is written.

use syn::LitInt;

use crate::attribute::Slot;
use crate::ctxt::Ctxt;
use crate::model::Event;

/// Checks `version`, `oldest` and `write_version`. Steps are checked only against versions that
/// make sense.
pub(crate) fn check(ctxt: &Ctxt, event: &Event<'_>) -> bool {
    let ident = &event.input.ident;
    // A version that could not be read is reported already, and nothing is known of it.
    let unread = |number: &Slot<LitInt>| !number.is_missing() && number.value().is_none();
    if unread(&event.version) || unread(&event.oldest) {
        return false;
    }
    let mut sound = true;
    let mut refuse = |literal: &LitInt, message: &dyn std::fmt::Display| {
        ctxt.error(literal, message);
        sound = false;
    };
    if let Some(version) = event.version.value()
        && event.newest() == 0
    {
        refuse(
            version,
            &"the versions of an event start at 1\nhelp: write `version = 1`, or leave it out",
        );
    }
    let (newest, oldest) = (event.newest().max(1), event.oldest());
    if let Some(literal) = event.oldest.value() {
        if oldest == 0 {
            refuse(
                literal,
                &"the versions of an event start at 1\nhelp: leave `oldest` out: it is 1 then",
            );
        } else if oldest > newest {
            refuse(
                literal,
                &format_args!(
                    "`{ident}` is version {newest}, so its oldest version can not be {oldest}\nhelp: write `oldest = {newest}`, or raise `version`"
                ),
            );
        }
    }
    if let Some(literal) = event.write_version.value() {
        let written = event.written_version();
        if written >= newest {
            refuse(
                literal,
                &format_args!(
                    "`write_version` is for an older version than {newest}, which is written without it\nhelp: remove it"
                ),
            );
        } else if written < oldest {
            refuse(
                literal,
                &format_args!(
                    "version {written} of `{ident}` could not be read back: the oldest that is read is {oldest}\nhelp: write `write_version = {oldest}`"
                ),
            );
        }
    }
    sound
}
