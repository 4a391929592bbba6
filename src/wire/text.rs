//! Bytes from outside, made safe to show.

use std::fmt::{self, Write};

/// Shows bytes that came from the net without letting them touch the terminal or the log: control
/// characters (C0, DEL, C1), the backslash, invalid UTF-8, and the characters that reorder or hide
/// text (bidi controls, zero-width) appear as escapes.
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(char))?,
                    char if misleads(char) => write!(f, "\\u{{{:x}}}", u32::from(char))?,
                    char => f.write_char(char)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Whether a character is a C1 control, a line separator, or reorders or hides text (Unicode TR 36,
/// section 2.5). All such are below U+10000.
pub fn misleads(char: char) -> bool {
    matches!(char,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_or_mislead_a_reader_is_escaped() {
        let show = |bytes: &[u8]| Printable(bytes).to_string();
        assert_eq!(show(b"alice"), "alice");
        assert_eq!(show("\u{d55c}\u{ae00}".as_bytes()), "\u{d55c}\u{ae00}");
        assert_eq!(show(b"\x1b[2J\n\r\t\0\x7f"), "\\x1b[2J\\n\\r\\t\\x00\\x7f");
        assert_eq!(show(b"a\\b"), "a\\\\b");
        assert_eq!(show("gpj\u{202e}exe".as_bytes()), "gpj\\u{202e}exe");
        assert_eq!(show("a\u{200b}b\u{9b}".as_bytes()), "a\\u{200b}b\\u{9b}");
        assert_eq!(show(b"\xff\xc7\xd1"), "\\xff\\xc7\\xd1");
    }
}
