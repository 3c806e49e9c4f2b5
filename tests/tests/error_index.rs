//! The error index (`docs/errors.md`) is complete: every message has an entry, and every entry a
//! case that shows it.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Stands for a user's own names in the messages of the index.
const ANYTHING: &str = "…";

/// One entry: the messages in its first code block, and the cases it links.
struct Entry {
    title: String,
    messages: Vec<String>,
    cases: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn index() -> Vec<Entry> {
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    page.split("\n### ").skip(1).map(entry).collect()
}

fn entry(text: &str) -> Entry {
    let (title, rest) = text.split_once('\n').unwrap();
    let (_, block) = rest.split_once("```text\n").unwrap();
    let (messages, rest) = block.split_once("```").unwrap();
    let (_, cases) = rest.split_once("Cases: ").unwrap();
    let cases = cases.lines().next().unwrap().split(", ");
    Entry {
        title: title.to_owned(),
        messages: messages.lines().map(ToOwned::to_owned).collect(),
        cases: cases
            .map(|link| link.trim_start_matches("[`").split('`').next().unwrap().to_owned())
            .collect(),
    }
}

/// Whether a message is one that the pattern stands for.
fn matches(pattern: &str, message: &str) -> bool {
    let mut parts = pattern.split(ANYTHING);
    let Some(mut rest) = message.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            match rest.find(before) {
                Some(place) => rest = &rest[place + before.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

fn has_entry(index: &[Entry], message: &str) -> bool {
    index.iter().flat_map(|entry| &entry.messages).any(|pattern| matches(pattern, message))
}

/// The files below a folder of the repository that end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no `{ending}` in {folder}");
    files.sort();
    files
}

/// The first line of each error in an expected output.
fn errors(expected: &Path) -> Vec<String> {
    let output = fs::read_to_string(expected).unwrap();
    let errors = output.lines().filter(|line| line.starts_with("error"));
    errors.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
}

#[test]
fn every_error_of_every_case_has_an_entry() {
    let index = index();
    let mut missing = Vec::new();
    for file in files("tests/ui", ".stderr") {
        for error in errors(&file) {
            if !has_entry(&index, &error) {
                missing.push(format!("{}: {error}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/errors.md:\n{}", missing.join("\n"));
}

#[test]
fn every_message_of_every_entry_is_shown_by_a_case_that_the_entry_names() {
    for entry in index() {
        let mut shown = Vec::new();
        for case in &entry.cases {
            let expected = root().join("tests/ui").join(case).with_extension("stderr");
            assert!(expected.exists(), "`{}` names `{case}`, which is no case", entry.title);
            let errors = errors(&expected);
            let shows = |message: &String| errors.iter().any(|error| matches(message, error));
            assert!(entry.messages.iter().any(shows), "`{case}` is no case of `{}`", entry.title);
            shown.extend(errors);
        }
        for message in &entry.messages {
            let is_shown = shown.iter().any(|error| matches(message, error));
            assert!(is_shown, "no case of `{}` shows `{message}`", entry.title);
        }
    }
}

#[test]
fn every_message_in_the_sources_has_an_entry() {
    let index = index();
    let mut messages = Vec::new();
    for file in files("es-macros/src", ".rs") {
        let source: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        collect_messages(source, false, &mut messages);
    }
    for file in files("es-core/src", ".rs") {
        let source: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        collect_diagnostics(source, &mut messages);
    }
    assert!(messages.len() > 60, "the messages were not found in the sources");
    messages.retain(|message| !has_entry(&index, message));
    assert!(messages.is_empty(), "not in docs/errors.md:\n{}", messages.join("\n"));
}

/// Collects the strings that a derive reports: those with a help line, and those that stand in a
/// call of `error`. Tests and documentation are left out.
fn collect_messages(tokens: TokenStream, reported: bool, messages: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut in_error_call = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // An attribute; behind `#[cfg(test)]` stands a module of tests.
                let attribute = tokens.next().map(|token| token.to_string()).unwrap_or_default();
                if attribute.replace(' ', "") == "[cfg(test)]" {
                    for token in tokens.by_ref() {
                        let text = token.to_string();
                        if text == ";"
                            || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                        {
                            break;
                        }
                    }
                }
            }
            TokenTree::Ident(ident) => {
                in_error_call = ident == "error";
                continue;
            }
            TokenTree::Group(group) => {
                collect_messages(group.stream(), reported || in_error_call, messages);
            }
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    let text = text.value();
                    let sentence = text.split(' ').count() > 2;
                    if text.contains("\nhelp: ") || (reported && sentence) {
                        messages.push(with_anything(text.lines().next().unwrap()));
                    }
                }
            }
            TokenTree::Punct(_) => {}
        }
        in_error_call = false;
    }
}

/// Collects the messages of `#[diagnostic::on_unimplemented(message = "..")]`.
fn collect_diagnostics(tokens: TokenStream, messages: &mut Vec<String>) {
    let mut in_diagnostic = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => in_diagnostic = ident == "on_unimplemented",
            TokenTree::Group(group) if in_diagnostic => {
                let mut values = group.stream().into_iter().skip_while(
                    |token| !matches!(token, TokenTree::Ident(ident) if ident == "message"),
                );
                let message = values.nth(2).unwrap().to_string();
                let message = syn::parse_str::<syn::LitStr>(&message).unwrap().value();
                messages.push(with_anything(&message));
            }
            TokenTree::Group(group) => collect_diagnostics(group.stream(), messages),
            _ => {}
        }
    }
}

/// `` `{key}` is given twice `` with something in the place of `{key}`.
fn with_anything(template: &str) -> String {
    let mut message = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        message.push_str(before);
        message.push_str("anything");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    message + rest
}

#[test]
fn patterns_match_what_they_stand_for() {
    assert!(matches("`…` is given twice", "`name` is given twice"));
    assert!(matches("a … b … c", "a x b y b c"));
    assert!(!matches("`…` is given twice", "`name` is given twice here"));
    assert!(!matches("an event is a struct", "an event is a struct, not a union"));
}
