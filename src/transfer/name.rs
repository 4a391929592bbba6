//! File names from the wire, and file names for it.

use std::fmt;

use crate::wire::v1::NAME_MAX;

/// Longest file name that every usual file system takes, in bytes.
pub(super) const LONGEST: usize = 255;

/// A file name that came from the peer and is safe to use in a folder, on every platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Vec<u8>);

impl Name {
    /// The name; not UTF-8 when the sender's was not (devices of 2013 send CP949).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The rule that a file name from the peer breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No name.
    Empty,
    /// Over 255 bytes.
    TooLong,
    /// A path, a drive or a stream: `/`, `\` or `:`.
    Path,
    /// A leading dot: it hides the file, or names a folder.
    LeadingDot,
    /// A trailing dot or space, which Windows drops.
    TrailingDotOrSpace,
    /// One of `< > " | ? *`.
    Special,
    /// A byte below 0x20, 0x7f, or one of U+0080 to U+009F.
    Control,
    /// A device on Windows.
    Reserved,
    /// Not a name on this system, which has Unicode names only.
    NotUnicode,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 255 bytes",
            Self::Path => "it is a path, not a name",
            Self::LeadingDot => "it begins with a dot",
            Self::TrailingDotOrSpace => "it ends with a dot or a space",
            Self::Special => "it holds one of < > \" | ? *",
            Self::Control => "it holds a control character",
            Self::Reserved => "it names a device on Windows",
            Self::NotUnicode => "it is not UTF-8",
        })
    }
}

impl std::error::Error for NameError {}

/// The one check between a name from the peer and the file system, the same on every platform.
///
/// # Errors
/// The rule that `bytes` break.
pub fn safe_name(bytes: &[u8]) -> Result<Name, NameError> {
    match bytes {
        [] => return Err(NameError::Empty),
        _ if bytes.len() > LONGEST => return Err(NameError::TooLong),
        _ => {}
    }
    for byte in bytes {
        match byte {
            b'/' | b'\\' | b':' => return Err(NameError::Path),
            b'<' | b'>' | b'"' | b'|' | b'?' | b'*' => return Err(NameError::Special),
            0..=0x1f | 0x7f => return Err(NameError::Control),
            _ => {}
        }
    }
    // In a text of another encoding such bytes are halves of letters.
    if std::str::from_utf8(bytes).is_ok_and(|text| text.contains(char::is_control)) {
        return Err(NameError::Control);
    }
    match bytes {
        [b'.', ..] => Err(NameError::LeadingDot),
        [.., b'.' | b' '] => Err(NameError::TrailingDotOrSpace),
        _ if is_device(bytes) => Err(NameError::Reserved),
        _ => Ok(Name(bytes.to_vec())),
    }
}

/// Whether Windows takes the name for a device: it looks at what stands before the first dot,
/// without spaces at its end, in any case.
fn is_device(name: &[u8]) -> bool {
    let stem = name.split(|&byte| byte == b'.').next().unwrap_or_default();
    let stem = stem.trim_ascii_end().to_ascii_uppercase();
    let Some((class, rest)) = stem.split_at_checked(3) else {
        return false;
    };
    match class {
        b"CON" => matches!(rest, b"" | b"IN$" | b"OUT$"),
        b"PRN" | b"AUX" | b"NUL" => rest.is_empty(),
        // The superscripts 1, 2 and 3 count as digits there; in UTF-8 and in Latin-1.
        b"COM" | b"LPT" => matches!(
            rest,
            [b'0'..=b'9' | 0xb9 | 0xb2 | 0xb3] | [0xc2, 0xb9 | 0xb2 | 0xb3]
        ),
        _ => false,
    }
}

/// The name under which a file is sent: all of it when it fits the 31 bytes of the wire, else cut in
/// front of its extension, between two characters.
pub fn fit_name(name: &[u8]) -> Vec<u8> {
    if name.len() <= NAME_MAX {
        return name.to_vec();
    }
    let (stem, extension) = match name.iter().rposition(|&byte| byte == b'.') {
        // A longer extension is none: at least half of the space is for the name.
        Some(dot) if dot > 0 && name.len() - dot <= NAME_MAX / 2 => name.split_at(dot),
        _ => (name, &b""[..]),
    };
    let mut stem = cut(stem, NAME_MAX - extension.len());
    if extension.is_empty() {
        // The cut must not make an unsafe name of a safe one.
        while let Some((b'.' | b' ', shorter)) = stem.split_last() {
            stem = shorter;
        }
        if stem.is_empty() {
            return cut_front(name, NAME_MAX).to_vec();
        }
    }
    [stem, extension].concat()
}

/// The front of `name`, at most `longest` bytes, with no UTF-8 character cut in two.
pub(super) fn cut(name: &[u8], longest: usize) -> &[u8] {
    if name.len() <= longest {
        return name;
    }
    let boundary = |&end: &usize| match std::str::from_utf8(name) {
        Ok(text) => text.is_char_boundary(end),
        Err(_) => true,
    };
    let end = (0..=longest).rev().find(boundary).unwrap_or_default();
    name.get(..end).unwrap_or_default()
}

/// The end of `name`, at most `longest` bytes, with no UTF-8 character cut in two.
fn cut_front(name: &[u8], longest: usize) -> &[u8] {
    let text = std::str::from_utf8(name);
    let boundary =
        |&start: &usize| text.is_ok_and(|text| text.is_char_boundary(start)) || text.is_err();
    let start = (name.len().saturating_sub(longest)..name.len()).find(boundary);
    start.and_then(|start| name.get(start..)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass_unchanged() {
        for name in [
            &b"a"[..],
            b"hello.txt",
            b"archive.tar.gz",
            b"with space.txt",
            b" leading space",
            b"-rf",
            b"~",
            b"a..b",
            b"a.b.c.d",
            b"console.txt",
            b"CONx",
            b"acon",
            b"COM",
            b"COM10",
            b"COM1x.txt",
            b"LPT",
            b"NULL",
            b"auxiliary",
            b"x.CON",
            b"$MFT",
            b"%41",
            b"name@#&()[]{}+=,;'!`^",
            "\u{d55c}\u{ae00}.txt".as_bytes(),
            "na\u{ef}ve \u{1f600}.png".as_bytes(),
            b"\xc7\xd1\xb1\xdb.txt",
            b"\xff\xfe",
            // A letter of CP949.
            b"\xb0\xa1\xc2\x9b",
            "\u{a0}".as_bytes(),
            &[b'n'; 255],
        ] {
            let checked = safe_name(name).map(|name| name.as_bytes().to_vec());
            assert_eq!(checked.as_deref(), Ok(name));
        }
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        use NameError::*;
        let table: &[(&[u8], NameError)] = &[
            (b"", Empty),
            (&[b'n'; 256], TooLong),
            (b"/", Path),
            (b"\\", Path),
            (b"../x", Path),
            (b"..\\x", Path),
            (b"a/b", Path),
            (b"a\\b", Path),
            (b"a/", Path),
            (b"/etc/passwd", Path),
            (b"./x", Path),
            (b"C:", Path),
            (b"C:x", Path),
            (b"C:\\x", Path),
            (b"\\\\host\\share\\x", Path),
            (b"//host/share/x", Path),
            (b"\\\\.\\PhysicalDrive0", Path),
            (b"\\\\?\\C:\\x", Path),
            (b"\\??\\C:\\x", Path),
            (b"file.txt:stream", Path),
            (b"file.txt::$DATA", Path),
            (b"CON:", Path),
            (b".", LeadingDot),
            (b"..", LeadingDot),
            (b"...", LeadingDot),
            (b".bashrc", LeadingDot),
            (b".ssh", LeadingDot),
            (b"a.", TrailingDotOrSpace),
            (b"a..", TrailingDotOrSpace),
            (b"a ", TrailingDotOrSpace),
            (b"a. ", TrailingDotOrSpace),
            (b" ", TrailingDotOrSpace),
            (b"CON ", TrailingDotOrSpace),
            (b"a<b", Special),
            (b"a>b", Special),
            (b"a\"b", Special),
            (b"a|b", Special),
            (b"a?b", Special),
            (b"*.txt", Special),
            (b"a\0b", Control),
            (b"\0", Control),
            (b"a\nb", Control),
            (b"a\rb", Control),
            (b"a\x1b[2Jb", Control),
            (b"a\x7f", Control),
            ("a\u{9b}b".as_bytes(), Control),
            ("\u{80}".as_bytes(), Control),
            (b"CON", Reserved),
            (b"con", Reserved),
            (b"Con.txt", Reserved),
            (b"CON .txt", Reserved),
            (b"con   .tar.gz", Reserved),
            (b"PRN", Reserved),
            (b"prn.x", Reserved),
            (b"AUX", Reserved),
            (b"aux.h", Reserved),
            (b"NUL", Reserved),
            (b"nul.dat", Reserved),
            (b"CONIN$", Reserved),
            (b"conout$", Reserved),
            (b"CONOUT$.txt", Reserved),
            (b"COM0", Reserved),
            (b"COM1", Reserved),
            (b"com9.log", Reserved),
            (b"LPT0", Reserved),
            (b"LPT1.txt", Reserved),
            (b"lpt9", Reserved),
            ("COM\u{b9}".as_bytes(), Reserved),
            ("com\u{b2}.txt".as_bytes(), Reserved),
            ("LPT\u{b3} .txt".as_bytes(), Reserved),
            (b"COM\xb9", Reserved),
        ];
        for (name, error) in table {
            assert_eq!(
                safe_name(name),
                Err(*error),
                "{:?}",
                String::from_utf8_lossy(name)
            );
        }
    }

    #[test]
    fn every_control_byte_is_refused_anywhere() {
        for byte in (0..=0x1f).chain([0x7f]) {
            for name in [&[byte][..], &[b'a', byte], &[b'a', byte, b'b']] {
                assert_eq!(safe_name(name), Err(NameError::Control), "{name:?}");
            }
        }
    }

    #[test]
    fn a_name_that_fits_is_sent_as_it_is() {
        for name in [&b"a"[..], &[b'n'; NAME_MAX], b"x.y"] {
            assert_eq!(fit_name(name), name);
        }
    }

    #[test]
    fn a_longer_name_is_cut_in_front_of_its_extension_and_between_characters() {
        let table: &[(&str, &str)] = &[
            (
                "a-name-of-exactly-thirty-two.txt",
                "a-name-of-exactly-thirty-tw.txt",
            ),
            (
                "0123456789012345678901234567890123456789.tar.gz",
                "0123456789012345678901234567.gz",
            ),
            (
                "no-extension-in-this-long-name-at-all",
                "no-extension-in-this-long-name-",
            ),
            (
                ".hidden-0123456789012345678901234567890",
                ".hidden-01234567890123456789012",
            ),
            (
                "short.an-extension-that-is-longer-than-half",
                "short.an-extension-that-is-long",
            ),
            // Nine characters of three bytes, and four bytes of extension, are 31 bytes.
            (
                "\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
                "\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
            ),
            // One byte in front leaves room for eight and two thirds.
            (
                "a\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
                "a\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
            ),
            (
                "                                   x",
                "                              x",
            ),
            (
                "                                  \u{d55c}\u{ae00}",
                "                         \u{d55c}\u{ae00}",
            ),
            (
                "thirty bytes and then a dot 30. and a lot more text",
                "thirty bytes and then a dot 30",
            ),
        ];
        for (name, sent) in table {
            assert!(name.len() > NAME_MAX);
            assert_eq!(String::from_utf8(fit_name(name.as_bytes())).unwrap(), *sent);
        }
        let other = [&[0xc7; 40][..], b".txt"].concat();
        assert_eq!(fit_name(&other), [&[0xc7; 27][..], b".txt"].concat());
    }
}
