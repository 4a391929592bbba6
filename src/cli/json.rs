//! JSON objects (RFC 8259), one a line.

use std::fmt::{self, Display, Write};

use crate::transfer::misleads;

/// An object that is being written. Names are ours and need no escape.
pub(super) struct Object {
    text: String,
}

impl Object {
    /// An object without members.
    pub(super) fn new() -> Self {
        let mut text = String::with_capacity(160);
        text.push('{');
        Self { text }
    }

    /// One whose member `event` comes first.
    pub(super) fn event(word: &str) -> Self {
        let mut object = Self::new();
        object.word("event", &word);
        object
    }

    /// Adds a string.
    pub(super) fn word(&mut self, name: &str, word: &dyn Display) {
        self.name(name);
        self.text.push('"');
        // A `String` takes everything.
        let _ = write!(Escaped(&mut self.text), "{word}");
        self.text.push('"');
    }

    /// Adds bytes that should be text: what of them is none becomes U+FFFD, and then a member
    /// `NAME_hex` has all of them.
    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.word(name, &String::from_utf8_lossy(bytes));
        if std::str::from_utf8(bytes).is_err() {
            self.word(&format!("{name}_hex"), &Hex(bytes));
        }
    }

    /// Adds a number, `true`, `false` or `null`.
    pub(super) fn plain(&mut self, name: &str, value: &dyn Display) {
        self.name(name);
        let _ = write!(self.text, "{value}");
    }

    /// Adds a number, or `null`.
    pub(super) fn number(&mut self, name: &str, number: Option<u64>) {
        match number {
            Some(number) => self.plain(name, &number),
            None => self.plain(name, &"null"),
        }
    }

    /// Adds a list of objects.
    pub(super) fn list(&mut self, name: &str, objects: impl IntoIterator<Item = Self>) {
        self.name(name);
        self.text.push('[');
        for (index, object) in objects.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.text.push_str(&object.text);
            self.text.push('}');
        }
        self.text.push(']');
    }

    /// The line.
    pub(super) fn line(mut self) -> String {
        self.text.push_str("}\n");
        self.text
    }

    fn name(&mut self, name: &str) {
        let comma = if self.text.len() == 1 { "" } else { "," };
        let _ = write!(self.text, "{comma}\"{name}\":");
    }
}

/// Passes text on as the inside of a JSON string. Beside what RFC 8259 wants, it escapes what could
/// steer a terminal or mislead a reader there: a program gets it all the same.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char {
                '"' | '\\' => {
                    self.0.push('\\');
                    self.0.push(char);
                }
                // All that mislead are in the basic plane: one unit of UTF-16 each.
                '\0'..='\x1f' | '\x7f' => write!(self.0, "\\u{:04x}", u32::from(char))?,
                char if misleads(char) => write!(self.0, "\\u{:04x}", u32::from(char))?,
                _ => self.0.push(char),
            }
        }
        Ok(())
    }
}

struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_commas_between_them_and_objects_nest() {
        assert_eq!(Object::new().line(), "{}\n");
        let mut object = Object::event("offer");
        object.number("known", Some(1));
        object.number("unknown", None);
        object.plain("yes", &true);
        let items = ["a", "b"].map(|name| {
            let mut item = Object::new();
            item.word("name", &name);
            item
        });
        object.list("items", items);
        object.list("none", []);
        assert_eq!(
            object.line(),
            "{\"event\":\"offer\",\"known\":1,\"unknown\":null,\"yes\":true,\
             \"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"none\":[]}\n"
        );
    }

    #[test]
    fn a_string_neither_ends_its_line_nor_touches_a_terminal() {
        let mut object = Object::new();
        object.word("a", &"\"\\\n\x1b\x7f\u{9b}\u{202e}\u{d55c}\u{1f600}");
        assert_eq!(
            object.line(),
            "{\"a\":\"\\\"\\\\\\u000a\\u001b\\u007f\\u009b\\u202e\u{d55c}\u{1f600}\"}\n"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_there_in_full_too() {
        let mut object = Object::new();
        object.bytes("path", b"a\xff");
        object.bytes("name", b"b");
        assert_eq!(
            object.line(),
            "{\"path\":\"a\u{fffd}\",\"path_hex\":\"61ff\",\"name\":\"b\"}\n"
        );
    }
}
