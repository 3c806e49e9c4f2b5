//! The options that were given, with the checks that are the same for all of them.

use std::fmt::Display;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Meta};

use super::nearest::nearest;
use super::raw::{self, RawOption};
use super::slot::Slot;
use crate::ctxt::Ctxt;

/// The attribute of one derive: which options it has, and where each of them belongs.
pub(crate) struct AttributeKind {
    /// As it is written: `event`.
    pub(crate) name: &'static str,
    /// What it describes: `event`, `set of events`.
    pub(crate) noun: &'static str,
    /// The options above the item.
    pub(crate) item_options: &'static [&'static str],
    /// The options on a field.
    pub(crate) field_options: &'static [&'static str],
}

impl AttributeKind {
    /// The first attribute of this kind above the item, if there is one.
    pub(crate) fn first_on<'a>(&self, input: &'a DeriveInput) -> Option<&'a Attribute> {
        input.attrs.iter().find(|attribute| attribute.path().is_ident(self.name))
    }
}

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Item,
    Field,
}

/// The attributes of one kind on an item and its fields.
pub(crate) struct Attributes<'a> {
    ctxt: &'a Ctxt,
    kind: &'static AttributeKind,
    input: &'a DeriveInput,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(
        ctxt: &'a Ctxt,
        kind: &'static AttributeKind,
        input: &'a DeriveInput,
    ) -> Self {
        Self { ctxt, kind, input }
    }

    /// Reads every option above the item.
    pub(crate) fn read_item(&self, read: impl FnMut(Given<'_>)) {
        self.read(&self.input.attrs, Place::Item, read);
    }

    /// Reads every option on a field.
    pub(crate) fn read_field(&self, field: &syn::Field, read: impl FnMut(Given<'_>)) {
        self.read(&field.attrs, Place::Field, read);
    }

    /// Refuses the attribute on fields and variants, for a derive that has options only above the
    /// item.
    pub(crate) fn refuse_inside(&self) {
        let refuse = |attributes: &[Attribute]| {
            self.read(attributes, Place::Field, |given| given.refuse());
        };
        match &self.input.data {
            Data::Struct(data) => data.fields.iter().for_each(|field| refuse(&field.attrs)),
            Data::Union(data) => data.fields.named.iter().for_each(|field| refuse(&field.attrs)),
            Data::Enum(data) => {
                for variant in &data.variants {
                    refuse(&variant.attrs);
                    variant.fields.iter().for_each(|field| refuse(&field.attrs));
                }
            }
        }
    }

    fn read(&self, attributes: &[Attribute], place: Place, mut read: impl FnMut(Given<'_>)) {
        for attribute in attributes {
            if !attribute.path().is_ident(self.kind.name) {
                continue;
            }
            for option in raw::split(self.ctxt, self.tokens_of(attribute)) {
                read(Given { attributes: self, place, option });
            }
        }
    }

    /// What stands between the parentheses.
    fn tokens_of(&self, attribute: &Attribute) -> TokenStream {
        match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(value) => {
                let name = self.kind.name;
                self.ctxt.error(
                    value,
                    format_args!(
                        "the options of `{name}` stand in parentheses\nhelp: write `#[{name}(...)]`"
                    ),
                );
                TokenStream::new()
            }
            // `#[event]`, and whatever else an attribute can become, has no options.
            _ => TokenStream::new(),
        }
    }

    /// `struct Deposited`, to say where an option belongs.
    fn item(&self) -> impl Display {
        let keyword = match &self.input.data {
            Data::Struct(_) => "struct",
            Data::Enum(_) => "enum",
            Data::Union(_) => "union",
        };
        format!("{keyword} {}", self.input.ident)
    }
}

/// One option that was given.
pub(crate) struct Given<'a> {
    attributes: &'a Attributes<'a>,
    place: Place,
    option: RawOption,
}

impl Given<'_> {
    pub(crate) fn name(&self) -> String {
        self.option.key.unraw().to_string()
    }

    /// Reads the value into its slot. An option can be given once.
    pub(crate) fn fill<T>(
        self,
        slot: &mut Slot<T>,
        read: impl FnOnce(&Ctxt, &RawOption) -> Option<T>,
    ) {
        let RawOption { key, .. } = &self.option;
        if slot.is_missing() {
            let value = read(self.attributes.ctxt, &self.option);
            slot.fill(key.clone(), value);
        } else {
            self.error(format_args!("`{key}` is given twice\nhelp: keep one of them"));
        }
    }

    /// Refuses an option that the place does not have: it is unknown or stands in the wrong place.
    pub(crate) fn refuse(self) {
        let AttributeKind { name, noun, item_options, field_options } = *self.attributes.kind;
        let (key, item) = (self.name(), self.attributes.item());
        let (here, elsewhere, on_a_field) = match self.place {
            Place::Item => (item_options, field_options, ""),
            Place::Field => (field_options, item_options, " on a field"),
        };
        if elsewhere.contains(&key.as_str()) {
            let place = match self.place {
                Place::Item => format!(
                    "belongs to a field, not to the {noun}\nhelp: move it to the field: `#[{name}({key})]`"
                ),
                Place::Field => format!(
                    "belongs to the {noun}, not to a field\nhelp: move it to the `#[{name}(...)]` above `{item}`"
                ),
            };
            return self.error(format_args!("`{key}` {place}"));
        }
        if here.is_empty() {
            let options = quoted(item_options);
            return self.error(format_args!(
                "`{name}` has no options for a field\nhelp: above `{item}` the options are {options}"
            ));
        }
        let help = match nearest(&key, here.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if here.len() == 1 => format!("the only option here is {}", quoted(here)),
            None => format!("the options are {}", quoted(here)),
        };
        self.error(format_args!("unknown `{name}` option `{key}`{on_a_field}\nhelp: {help}"));
    }

    fn error(&self, message: impl Display) {
        self.attributes.ctxt.record(syn::Error::new(self.option.key.span(), message));
    }
}

/// `` `name`, `version` and `codec` ``
fn quoted(words: &[&str]) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        text.push_str(match index {
            0 => "",
            _ if index + 1 == words.len() => " and ",
            _ => ", ",
        });
        text.push('`');
        text.push_str(word);
        text.push('`');
    }
    text
}
