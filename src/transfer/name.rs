//! File names from the wire, and file names for it.

use std::fmt;

use crate::wire::v1::NAME_MAX;

/// Longest file name that every usual file system takes, in bytes.
pub(super) const LONGEST: usize = 255;
/// How many components a path may have.
pub const DEPTH_MAX: usize = 64;
/// What the name of a file ends with while it is not complete.
pub(super) const PART_ENDING: &str = ".p2pxfer-part";
/// What the name of the journal beside it ends with.
pub(super) const JOURNAL_ENDING: &str = ".p2pxfer-journal";

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
    /// Not UTF-8 where that is asked for: in version 2, and on a system with Unicode names only.
    NotUnicode,
    /// An ending that our own unfinished files have.
    OurEnding,
    /// No components in a path, or over 64.
    Depth,
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
            Self::OurEnding => "it ends like a file of this program that is not complete",
            Self::Depth => "it lies more than 64 folders deep",
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
        [b'.', ..] => safe_component(bytes).and(Err(NameError::LeadingDot)),
        _ => safe_component(bytes),
    }
}

/// The same check for a path of version 2, whose components came one by one. Below its first
/// component a name may begin with a dot: it hides nothing in a folder that is all the sender's.
///
/// # Errors
/// The rule that one of them breaks.
pub fn safe_path<T: AsRef<[u8]>>(components: &[T]) -> Result<Vec<Name>, NameError> {
    if components.is_empty() || components.len() > DEPTH_MAX {
        return Err(NameError::Depth);
    }
    let mut names = Vec::with_capacity(components.len());
    for component in components {
        let bytes = component.as_ref();
        names.push(match names.is_empty() {
            true => safe_name(bytes)?,
            false => safe_component(bytes)?,
        });
        if std::str::from_utf8(bytes).is_err() {
            return Err(NameError::NotUnicode);
        }
    }
    Ok(names)
}

/// Every rule but that of the leading dot.
fn safe_component(bytes: &[u8]) -> Result<Name, NameError> {
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
        _ if bytes.iter().all(|&byte| byte == b'.') => Err(NameError::LeadingDot),
        [.., b'.' | b' '] => Err(NameError::TrailingDotOrSpace),
        _ if is_device(bytes) => Err(NameError::Reserved),
        _ if is_unfinished(bytes) => Err(NameError::OurEnding),
        _ => Ok(Name(bytes.to_vec())),
    }
}

/// Whether the name ends like a part or a journal, in any case: some file systems have none.
fn is_unfinished(name: &[u8]) -> bool {
    [PART_ENDING, JOURNAL_ENDING].iter().any(|ending| {
        let start = name.len().checked_sub(ending.len());
        let end = start.and_then(|start| name.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(ending.as_bytes()))
    })
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
mod tests;
