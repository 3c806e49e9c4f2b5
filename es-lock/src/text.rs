//! Text that is put together while compiling.

/// A sentence with room for so many bytes. What does not fit is cut between two characters.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Self::LIMIT],
    length: usize,
}

impl Text {
    const LIMIT: usize = 1024;

    /// No text.
    pub const fn new() -> Self {
        Self { bytes: [0; Self::LIMIT], length: 0 }
    }

    /// Adds text.
    #[must_use]
    pub const fn text(mut self, text: &str) -> Self {
        self.push(text);
        self
    }

    /// Adds a number.
    #[must_use]
    pub const fn number(mut self, number: u64) -> Self {
        self.push_number(number);
        self
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            // Only whole characters were added.
            Err(_) => "",
        }
    }

    pub(crate) const fn push(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut fitting = bytes.len();
        if fitting > Self::LIMIT - self.length {
            fitting = Self::LIMIT - self.length;
            while !text.is_char_boundary(fitting) {
                fitting -= 1;
            }
        }
        let mut index = 0;
        while index < fitting {
            self.bytes[self.length] = bytes[index];
            self.length += 1;
            index += 1;
        }
    }

    const fn push_number(&mut self, number: u64) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        let digit = (number % 10) as usize;
        self.push("0123456789".split_at(digit).1.split_at(1).0);
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// Takes off what was added since the text had the length.
    pub(crate) const fn cut(&mut self, length: usize) {
        if length < self.length {
            self.length = length;
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_does_not_fit_is_cut_between_two_characters() {
        let mut text = Text::new().text("a");
        for _ in 0..Text::LIMIT {
            text.push("ž");
        }
        assert_eq!(text.as_str().len(), Text::LIMIT - 1);
        assert!(text.as_str().ends_with('ž'));
    }

    #[test]
    fn numbers_are_written_in_decimals() {
        for number in [0, 7, 10, 1_234, u64::MAX] {
            assert_eq!(Text::new().number(number).as_str(), number.to_string());
        }
    }
}
