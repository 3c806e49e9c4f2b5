//! What is written must be read again. Serde lets the two differ.

use syn::{Data, DeriveInput};

use crate::ctxt::Ctxt;
use crate::model::{Rules, SerdeField, SerdeItem};

/// Checks that what serde writes of the item is what it reads.
pub(super) fn check(ctxt: &Ctxt, input: &DeriveInput) {
    let item = SerdeItem::read(&input.attrs);
    if item.foreign {
        return;
    }
    match &input.data {
        Data::Struct(data) => {
            if let Some(tag) = item.tag.as_ref().filter(|_| item.deny_unknown_fields) {
                let ident = &input.ident;
                ctxt.error(
                    ident,
                    format_args!(
                        "`{ident}` is written with the tag `{tag}`, but denies it when it is read: to serde the tag of a struct is an unknown field\nhelp: leave `deny_unknown_fields` out, or `tag`"
                    ),
                );
            }
            fields(ctxt, &item.fields(&data.fields, Rules::default()));
        }
        Data::Enum(data) => {
            for variant in &data.variants {
                let serde = SerdeItem::read(&variant.attrs);
                if serde.skip_serializing && serde.skip_deserializing {
                    continue;
                }
                let names = item.variant_names(&variant.ident, &serde);
                let ident = &variant.ident;
                if serde.skip_deserializing {
                    ctxt.error(
                        ident,
                        format_args!(
                            "variant `{ident}` is written, but not read: what is stored as it is lost\nhelp: write `#[serde(skip)]`, or leave `skip_deserializing` out"
                        ),
                    );
                } else if let (Some(written), Some(read)) = (&names.serialize, &names.deserialize)
                    && written != read
                    && !item.untagged
                    && !serde.untagged
                    && !serde.skip_serializing
                    && !serde.aliases.contains(written)
                {
                    ctxt.error(
                        ident,
                        format_args!(
                            "variant `{ident}` is written as `{written}`, but not read by that name\nhelp: add `#[serde(alias = \"{written}\")]`"
                        ),
                    );
                }
                fields(ctxt, &serde.fields(&variant.fields, item.rename_all_fields));
            }
        }
        Data::Union(_) => {}
    }
}

fn fields(ctxt: &Ctxt, fields: &[SerdeField<'_>]) {
    for serde in fields {
        let field = serde.field;
        if serde.flatten || (serde.skip_serializing && serde.skip_deserializing) {
            continue;
        }
        let Some(ident) = &field.ident else {
            if serde.skip_serializing_if {
                ctxt.error(
                    &field.ty,
                    "what is read by its place can not be left out\nhelp: give the fields names, or leave `skip_serializing_if` out",
                );
            }
            continue;
        };
        if serde.skip_deserializing {
            ctxt.error(
                ident,
                format_args!(
                    "field `{ident}` is written, but not read: what is stored in it is lost\nhelp: write `#[serde(skip)]`, or leave `skip_deserializing` out"
                ),
            );
        } else if (serde.skip_serializing || serde.skip_serializing_if) && !serde.may_be_missing() {
            ctxt.error(
                ident,
                format_args!(
                    "field `{ident}` is not always written, but must be there when it is read\nhelp: add `#[serde(default)]`"
                ),
            );
        } else if let (Some(written), Some(read)) = (serde.written_as(), serde.read_as())
            && written != read
            && !serde.aliases.iter().any(|alias| alias == written)
        {
            ctxt.error(
                ident,
                format_args!(
                    "field `{ident}` is written as `{written}`, but not read by that name\nhelp: add `#[serde(alias = \"{written}\")]`"
                ),
            );
        }
    }
}
