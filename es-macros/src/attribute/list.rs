//! Lists in an attribute: `events(Opened, billing::Paid as BillingPaid)`, `derive(Debug, Clone)`.

use proc_macro2::{Ident, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Lit, LitStr, Path, Token};

use super::raw::{Form, RawOption, split_at_commas};
use super::value;
use crate::ctxt::Ctxt;
use crate::written::written;

/// Reads `derive(Debug, Clone)`.
pub(crate) fn listed_paths(ctxt: &Ctxt, option: &RawOption) -> Option<Vec<Path>> {
    let list = value::list(ctxt, option)?;
    let mut paths = Vec::new();
    for tokens in split_at_commas(list) {
        let tokens = TokenStream::from_iter(tokens);
        match syn::parse2(tokens.clone()) {
            Ok(path) => paths.push(path),
            Err(_) => {
                let quoted = syn::parse2::<LitStr>(tokens.clone()).ok();
                let meant = quoted.and_then(|quoted| quoted.parse::<Path>().ok());
                let meant = meant.map_or_else(|| "Debug".to_owned(), written);
                ctxt.error(
                    &tokens,
                    format_args!(
                        "expected the name of a derive, such as `Debug`\nhelp: write `{meant}`"
                    ),
                );
            }
        }
    }
    Some(paths)
}

/// Reads the event types of `into(Deposited, billing::Paid)`.
pub(crate) fn listed_event_types(ctxt: &Ctxt, option: &RawOption) -> Option<Vec<Path>> {
    let list = value::list(ctxt, option)?;
    let mut paths = Vec::new();
    for tokens in split_at_commas(list) {
        let tokens = TokenStream::from_iter(tokens);
        match syn::parse2(tokens.clone()) {
            Ok(path) => match word_of_the_language(&path) {
                Some(message) => ctxt.error(&path, message),
                None => paths.push(path),
            },
            Err(_) => ctxt.error(&tokens, help_for_entry(&tokens)),
        }
    }
    Some(paths)
}

/// Reads the stored names of `retired("account.frozen", ..)`.
pub(crate) fn listed_names(ctxt: &Ctxt, option: &RawOption) -> Option<Vec<LitStr>> {
    let list = value::list_of_texts(ctxt, option)?;
    let mut names = Vec::new();
    for tokens in split_at_commas(list) {
        let tokens = TokenStream::from_iter(tokens);
        match syn::parse2(tokens.clone()) {
            Ok(name) => names.push(name),
            Err(_) => {
                let (key, entry) = (&option.key, written(&tokens));
                ctxt.error(
                    &tokens,
                    format_args!(
                        "`{key}` lists stored names, which are strings, not types\nhelp: write `{key}(\"...\")`, with the name under which `{entry}` was stored"
                    ),
                );
            }
        }
    }
    Some(names)
}

/// What `events` of an aggregate may be.
pub(crate) enum EventsOption {
    /// `events(Opened, Paid)`
    Listed(ListedEvents),
    /// `events = AccountEvent`
    Own(Path),
}

/// The events of a list.
pub(crate) struct ListedEvents {
    pub(crate) events: Vec<ListedEvent>,
    /// Whether the list has an entry that could not be read, which is reported.
    pub(crate) mistaken: bool,
}

impl ListedEvents {
    /// Whether nothing is listed. A list in which nothing could be read is not an empty list.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.mistaken
    }
}

/// An event of a list, and the name of its variant if the list gives one.
pub(crate) type ListedEvent = (Path, Option<Ident>);

/// Reads `events(..)` or `events = AccountEvent`.
pub(crate) fn events(ctxt: &Ctxt, option: &RawOption) -> Option<EventsOption> {
    if let Form::Value(value) = &option.form
        && let Ok(own) = syn::parse2(value.clone())
    {
        return Some(EventsOption::Own(own));
    }
    listed_events(ctxt, option).map(EventsOption::Listed)
}

/// Reads `events(Opened, billing::Paid as BillingPaid)`.
pub(crate) fn listed_events(ctxt: &Ctxt, option: &RawOption) -> Option<ListedEvents> {
    let entries = split_at_commas(value::list(ctxt, option)?);
    let mut events = Vec::new();
    for tokens in &entries {
        let tokens = TokenStream::from_iter(tokens.iter().cloned());
        match listed_event.parse2(tokens.clone()) {
            Ok(event) => match word_of_the_language(&event.0) {
                Some(message) => ctxt.error(&event.0, message),
                None => events.push(event),
            },
            Err(_) => ctxt.error(&tokens, help_for_entry(&tokens)),
        }
    }
    Some(ListedEvents { mistaken: events.len() < entries.len(), events })
}

fn listed_event(input: ParseStream<'_>) -> syn::Result<ListedEvent> {
    let path = input.parse()?;
    let alias = match input.parse::<Option<Token![as]>>()? {
        Some(_) => Some(input.parse()?),
        None => None,
    };
    Ok((path, alias))
}

/// What is wrong with a path that ends in `Self` or `crate`, if it does: it parses, and can name no
/// variant.
fn word_of_the_language(path: &Path) -> Option<String> {
    let (first, last) = (path.segments.first()?, path.segments.last()?);
    let written = written(path);
    if first.ident == "Self" || last.ident == "Self" {
        return Some(format!(
            "`{written}` is no event: `Self` stands for the type with this list\nhelp: write the name of a struct with `#[derive(Event)]`"
        ));
    }
    let is_module = ["self", "super", "crate"].iter().any(|word| last.ident == word);
    is_module.then(|| {
        format!(
            "`{written}` is no event but a module\nhelp: write which event of it: `{written}::Event`"
        )
    })
}

fn help_for_entry(tokens: &TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(Lit::Str(name)) if syn::parse_str::<Path>(&name.value()).is_ok() => format!(
            "an event is listed by its type, not by a string\nhelp: write `{}`",
            name.value()
        ),
        Ok(Lit::Str(_)) => {
            "an event is listed by its type, not by its stored name\nhelp: write the name of the struct"
                .to_owned()
        }
        _ => format!(
            "`{}` is no entry of a list of events\nhelp: write `Event`, `path::to::Event` or `path::to::Event as Variant`",
            written(tokens)
        ),
    }
}
