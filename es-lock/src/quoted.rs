//! Names in the text of a lock: as they are, or in quotes.

use std::fmt::{self, Write as _};

/// Prints a name as it is if it is a plain word, in quotes otherwise.
pub(crate) struct Quoted<'a> {
    name: &'a str,
    /// What a plain word may hold besides letters, digits, `_` and `-`.
    also: &'static str,
}

impl<'a> Quoted<'a> {
    /// The name of an event: `account.opened`.
    pub(crate) fn event(name: &'a str) -> Self {
        Self { name, also: "./" }
    }

    /// A name inside a path.
    pub(crate) fn segment(name: &'a str) -> Self {
        Self { name, also: "" }
    }

    /// A word that stands alone.
    pub(crate) fn word(name: &'a str) -> Self {
        Self { name, also: ".:<>" }
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.chars().all(|character| is_plain(character, self.also))
            && !self.name.is_empty()
        {
            return formatter.write_str(self.name);
        }
        formatter.write_char('"')?;
        for character in self.name.chars() {
            match character {
                '"' | '\\' => write!(formatter, "\\{character}")?,
                _ if character.is_control() || is_separator(character) => {
                    write!(formatter, "\\u{{{:x}}}", u32::from(character))?;
                }
                _ => formatter.write_char(character)?,
            }
        }
        formatter.write_char('"')
    }
}

fn is_plain(character: char, also: &str) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-') || also.contains(character)
}

/// Whether an editor may take it for the end of a line.
fn is_separator(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// Takes a name from the beginning of the text: a plain word or one in quotes.
pub(crate) fn take<'a>(text: &'a str, also: &str) -> Option<(String, &'a str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|character| !is_plain(character, also)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => return Some((name, rest.as_str())),
            '\\' => match rest.next()? {
                'u' => {
                    let (digits, behind) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    name.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                    rest = behind.chars();
                }
                character @ ('"' | '\\') => name.push(character),
                _ => return None,
            },
            character => name.push(character),
        }
    }
}

/// Takes the name of an event.
pub(crate) fn take_event(text: &str) -> Option<(String, &str)> {
    take(text, "./")
}

/// Takes a name inside a path.
pub(crate) fn take_segment(text: &str) -> Option<(String, &str)> {
    take(text, "")
}

/// Takes a word that stands alone.
pub(crate) fn take_word(text: &str) -> Option<(String, &str)> {
    take(text, ".:<>")
}
