//! The options that were given, with the checks that are the same for all of them.

use std::fmt::Display;

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Meta};

use super::nearest::nearest;
use super::raw::{self, Form, RawOption};
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

    /// All attributes of this kind above the item.
    pub(crate) fn all_on<'a>(
        &self,
        input: &'a DeriveInput,
    ) -> impl Iterator<Item = &'a Attribute> + use<'a> {
        let name = self.name;
        input.attrs.iter().filter(move |attribute| attribute.path().is_ident(name))
    }

    fn options(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Item => self.item_options,
            Place::Field => self.field_options,
        }
    }
}

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Item,
    Field,
}

impl Place {
    fn other(self) -> Self {
        match self {
            Self::Item => Self::Field,
            Self::Field => Self::Item,
        }
    }
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

    /// Reads each attribute of this kind above the item by itself.
    pub(crate) fn read_each<T: Default>(&self, mut read: impl FnMut(&mut T, Given<'_>)) -> Vec<T> {
        let mut all = Vec::new();
        for attribute in self.kind.all_on(self.input) {
            let mut one = T::default();
            self.read(std::slice::from_ref(attribute), Place::Item, |given| read(&mut one, given));
            all.push(one);
        }
        all
    }

    /// Reads every option on a field.
    pub(crate) fn read_field(&self, field: &syn::Field, read: impl FnMut(Given<'_>)) {
        self.read(&field.attrs, Place::Field, read);
    }

    /// Refuses the attribute on fields and variants, for a derive that has options only above the
    /// item.
    pub(crate) fn refuse_inside(&self) {
        let refuse = |attributes: &[Attribute]| {
            self.read(attributes, Place::Field, |_| {});
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
            let text = self.kind.options(place).iter().copied().find(|option| *option == "name");
            for mut option in raw::split(self.ctxt, self.tokens_of(attribute), text) {
                let name = option.key.unraw().to_string();
                let known = self.kind.options(place).iter().find(|known| **known == name);
                match known {
                    Some(name) => {
                        let meant = option.reported;
                        read(Given { ctxt: self.ctxt, name, option, meant });
                    }
                    // What it most likely means is read too: its value may have mistakes of its
                    // own, and it should not be asked for again.
                    None => {
                        if let Some(name) = self.refuse(place, &name, &option) {
                            option.key = Ident::new(name, option.key.span());
                            read(Given { ctxt: self.ctxt, name, option, meant: true });
                        }
                    }
                }
            }
        }
    }

    /// Refuses an option that the place does not have, and guesses which one is meant.
    fn refuse(&self, place: Place, key: &str, option: &RawOption) -> Option<&'static str> {
        let AttributeKind { name, noun, .. } = self.kind;
        let item = self.item();
        let (options, elsewhere) = (self.kind.options(place), self.kind.options(place.other()));
        let mut meant = None;
        let message = if elsewhere.contains(&key) {
            match place {
                Place::Item => format!(
                    "`{key}` belongs to a field, not to the {noun}\nhelp: move it to the field: `#[{name}({key})]`"
                ),
                Place::Field => format!(
                    "`{key}` belongs to the {noun}, not to a field\nhelp: move it to the `#[{name}(...)]` above `{item}`"
                ),
            }
        } else if options.is_empty() {
            let elsewhere = quoted(elsewhere);
            format!("`{name}` has no options here\nhelp: above `{item}` it takes {elsewhere}")
        } else {
            meant = nearest(key, options.iter().copied());
            let help = match (meant, options) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, [only]) => {
                    if let Form::Alone = option.form {
                        meant = Some(*only);
                    }
                    format!("the only option here is `{only}`")
                }
                (None, _) => format!("the options are {}", quoted(options)),
            };
            match place {
                Place::Item => format!("unknown `{name}` option `{key}`\nhelp: {help}"),
                Place::Field => format!("unknown `{name}` option `{key}` on a field\nhelp: {help}"),
            }
        };
        self.ctxt.error(&option.key, message);
        meant
    }

    /// What stands between the parentheses.
    fn tokens_of(&self, attribute: &Attribute) -> TokenStream {
        match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(value) => {
                let name = self.kind.name;
                self.ctxt.error(
                    &value.value,
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
    ctxt: &'a Ctxt,
    name: &'static str,
    option: RawOption,
    /// Whether the user wrote something else, which is reported.
    meant: bool,
}

impl Given<'_> {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Reads the value of an option that can be given any number of times.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Ctxt, &RawOption) -> Option<T>) -> Option<T> {
        self.option.read(self.ctxt, read)
    }

    /// Reads the value into its slot. An option can be given once.
    pub(crate) fn fill<T>(
        self,
        slot: &mut Slot<T>,
        read: impl FnOnce(&Ctxt, &RawOption) -> Option<T>,
    ) {
        let key = &self.option.key;
        if slot.is_missing() {
            let value = self.option.read(self.ctxt, read);
            slot.fill(key.clone(), value);
        } else if !self.meant {
            self.ctxt.error(key, format_args!("`{key}` is given twice\nhelp: keep one of them"));
        }
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
