//! Where a secret comes from, and new ones.
//!
//! Never from an argument: every user of a machine can read those of all its processes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::args::{self, UsageError};
use crate::sys::{given, random, term};
use crate::transfer::{Printable, Reason, SECRET_MAX, Secret, SecretError, ShownPath};

/// The variable of the environment that may hold a secret.
pub(super) const VARIABLE: &str = "P2PXFER_SECRET";

/// Room for the longest secret, the end of its line, and one byte that shows that there is more; it
/// never grows, so that no copy is left behind in memory.
const ROOM: usize = SECRET_MAX + 3;

/// Where the secret comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// There is none.
    #[default]
    None,
    /// The environment.
    Environment,
    /// The whole of a file, but for the line end that is its last.
    File(PathBuf),
    /// The first line of what can be read from a descriptor that the process was started with.
    Descriptor(u32),
    /// A question at the terminal.
    Question,
    /// A new one.
    New,
}

/// Why there is no secret. The text is the message to the user.
#[derive(Debug)]
pub(super) enum Failure {
    /// A file or a descriptor.
    File(String),
    /// What the user said or did not say.
    Usage(String),
    /// The random source.
    Random(io::Error),
    /// A signal came instead.
    Stopped,
}

impl Origin {
    /// Takes an option, if it is one of these.
    pub(super) fn set(&mut self, name: &str, value: Option<&OsStr>) -> Result<bool, UsageError> {
        let next = match name {
            "secret-file" if value.is_none_or(OsStr::is_empty) => {
                return Err(UsageError("--secret-file needs the name of a file".into()));
            }
            "secret-file" => Self::File(value.unwrap_or_default().into()),
            "secret-fd" => {
                let range = 0..=i32::MAX as u64;
                let number = args::number("--secret-fd", value, range, "a descriptor")?;
                if matches!(number, 1 | 2) {
                    return Err(UsageError(format!(
                        "--secret-fd {number} is what this program writes to: take 0, or 3 and up"
                    )));
                }
                Self::Descriptor(u32::try_from(number).unwrap_or(u32::MAX))
            }
            "ask-secret" => Self::Question,
            "new-secret" => Self::New,
            _ => return Ok(false),
        };
        if *self != Self::None && *self != next {
            return Err(two(self, &next));
        }
        *self = next;
        Ok(true)
    }

    /// Takes what the environment has.
    pub(super) fn add_environment(&mut self, value: Option<&OsStr>) -> Result<(), UsageError> {
        match (value, &self) {
            (None, _) => Ok(()),
            (Some(_), Self::None) => {
                *self = Self::Environment;
                Ok(())
            }
            (Some(_), _) => Err(two(self, &Self::Environment)),
        }
    }

    /// What stands for it on a command line.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::None => "no secret",
            Self::Environment => VARIABLE,
            Self::File(_) => "--secret-file",
            Self::Descriptor(_) => "--secret-fd",
            Self::Question => "--ask-secret",
            Self::New => "--new-secret",
        }
    }

    /// The secret, unless it has to be asked for or made. To be called before the process opens
    /// anything itself: a descriptor by its number is what its parent has opened only until then.
    pub(super) fn read(&self) -> Result<Option<Secret>, Failure> {
        let bytes = match self {
            Self::None | Self::Question | Self::New => return Ok(None),
            Self::Environment => {
                let value = std::env::var_os(VARIABLE).unwrap_or_default();
                OsString::into_encoded_bytes(value)
            }
            Self::File(path) => read_file(path)?,
            Self::Descriptor(number) => read_descriptor(*number)?,
        };
        secret(bytes, self).map(Some)
    }
}

/// Asks for a secret; `stop` ends that.
pub(super) fn ask(stop: &dyn Fn() -> bool) -> Result<Secret, Failure> {
    let mut bytes = Vec::with_capacity(ROOM);
    let instead = "give the secret by --secret-file, --secret-fd or P2PXFER_SECRET";
    match term::ask("secret (not shown): ", true, &mut bytes, stop) {
        Ok(()) => secret(bytes, &Origin::Question),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::Interrupted => Failure::Stopped,
            io::ErrorKind::NotFound => Failure::Usage(format!(
                "--ask-secret: there is no terminal to ask at: {instead}"
            )),
            io::ErrorKind::Unsupported => Failure::Usage(format!(
                "--ask-secret: what is typed cannot be hidden here: {instead}"
            )),
            io::ErrorKind::UnexpectedEof => {
                Failure::Usage("--ask-secret: no secret was typed".into())
            }
            io::ErrorKind::InvalidData => {
                Failure::Usage(format!("--ask-secret: {}", SecretError::TooLong))
            }
            _ => Failure::File(format!("the terminal: {}", Reason(&error))),
        }),
    }
}

/// A new secret of 64 bits, as words to read and to say.
pub(super) fn new() -> Result<(Secret, String), Failure> {
    let mut entropy = [0; 8];
    random::fill(&mut entropy).map_err(Failure::Random)?;
    let words = words(entropy);
    let secret = secret(words.clone().into_bytes(), &Origin::New)?;
    Ok((secret, words))
}

/// Four words of 16 bits each, as in "A Proposal for Proquints: Identifiers that are Readable,
/// Spellable, and Pronounceable" (D. S. Wilkerson, 2009): consonant, vowel, consonant, vowel,
/// consonant for 4, 2, 4, 2 and 4 bits, the highest first.
pub(super) fn words(entropy: [u8; 8]) -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 4] = b"aiou";
    let mut text = String::with_capacity(4 * 6);
    for pair in entropy.chunks_exact(2) {
        if !text.is_empty() {
            text.push('-');
        }
        let bits = pair
            .iter()
            .fold(0, |bits, &byte| bits << 8 | usize::from(byte));
        for (shift, letters) in [
            (12, &CONSONANTS[..]),
            (10, VOWELS),
            (6, CONSONANTS),
            (4, VOWELS),
            (0, CONSONANTS),
        ] {
            text.push(letters[bits >> shift & (letters.len() - 1)].into());
        }
    }
    text
}

/// The line for the sender's shell.
pub(super) fn line_to_paste(secret: &str, user: &OsStr, host: &OsStr, port: &OsStr) -> String {
    let dashes = [user, host].iter().any(|word| is_option(word));
    let (user, host, port) = (quoted(user), quoted(host), quoted(port));
    // FILE stands before it, for whoever replaces it by a name of any kind.
    let end = if dashes { " --" } else { "" };
    format!("{VARIABLE}={secret} send_r FILE{end} {user} {host} {port}")
}

fn is_option(word: &OsStr) -> bool {
    word.len() > 1 && word.as_encoded_bytes().starts_with(b"-")
}

/// A word as a POSIX shell takes it: itself, in '...', or in $'...' (POSIX.1-2024, 2.2.4) when not all
/// of it can be shown.
fn quoted(word: &OsStr) -> String {
    let bytes = word.as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.,:/@%+=".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let doubled = |text: &str| text.replace('\\', "\\\\");
    match word.to_str() {
        // What is shown as it is can be pasted as it is.
        Some(text) if Printable(bytes).to_string() == doubled(text) => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        _ => {
            let mut text = String::from("$'");
            for byte in bytes {
                text.push_str(&format!("\\x{byte:02x}"));
            }
            text.push('\'');
            text
        }
    }
}

fn two(one: &Origin, other: &Origin) -> UsageError {
    let (one, other) = (one.name(), other.name());
    UsageError(match one == other {
        true => format!("{one} is given twice: one secret is enough"),
        false => format!("{one} and {other} both give a secret: leave one out"),
    })
}

fn secret(bytes: Vec<u8>, origin: &Origin) -> Result<Secret, Failure> {
    Secret::new(bytes).map_err(|error| Failure::Usage(format!("{}: {error}", origin.name())))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = ShownPath(path);
    let failed = |error| Failure::File(format!("{shown}: {}", Reason(&error)));
    let file = File::open(path).map_err(failed)?;
    if given::others_may_read(&file).map_err(failed)? {
        return Err(Failure::File(format!(
            "{shown} can be read or changed by others: chmod 600 keeps a secret"
        )));
    }
    let mut bytes = Vec::with_capacity(ROOM);
    let read = file.take(ROOM as u64).read_to_end(&mut bytes);
    read.map_err(failed)?;
    cut_line_end(&mut bytes);
    Ok(bytes)
}

fn read_descriptor(number: u32) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::File(format!("--secret-fd {number}: {}", Reason(&error)));
    let mut file = given::inherited(number).map_err(failed)?;
    let mut bytes = Vec::with_capacity(ROOM);
    let mut byte = [0];
    // By single bytes: what follows the line may be for somebody else.
    while bytes.len() < ROOM && bytes.last() != Some(&b'\n') {
        match file.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    cut_line_end(&mut bytes);
    Ok(bytes)
}

/// Cuts one line end off, as editors and `echo` append it, those of Windows too.
fn cut_line_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_proposal() {
        // Its own table of addresses, two at a time.
        for (address, text) in [
            ([127, 0, 0, 1], "lusab-babad"),
            ([63, 84, 220, 193], "gutih-tugad"),
            ([63, 118, 7, 35], "gutuk-bisog"),
            ([140, 98, 193, 141], "mudof-sakat"),
            ([64, 255, 6, 200], "haguz-biram"),
            ([128, 30, 52, 45], "mabiv-gibot"),
            ([147, 67, 119, 2], "natag-lisaf"),
            ([212, 58, 253, 68], "tibup-zujah"),
            ([216, 35, 68, 215], "tobog-higil"),
            ([216, 68, 232, 21], "todah-vobij"),
            ([198, 81, 129, 136], "sinid-makam"),
            ([12, 110, 110, 204], "budov-kuras"),
        ] {
            let mut entropy = [0; 8];
            entropy[..4].copy_from_slice(&address);
            entropy[4..].copy_from_slice(&address);
            assert_eq!(words(entropy), format!("{text}-{text}"));
        }
        assert_eq!(words([0; 8]), "babab-babab-babab-babab");
        assert_eq!(words([255; 8]), "zuzuz-zuzuz-zuzuz-zuzuz");
    }

    #[test]
    fn every_word_stands_for_another_number() {
        let mut all: Vec<_> = (0..=u16::MAX)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                words([high, low, 0, 0, 0, 0, 0, 0])
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1 << 16);
    }

    #[test]
    fn a_new_secret_is_another_each_time() {
        let (secret, text) = new().unwrap();
        assert_eq!(secret.expose(), text.as_bytes());
        assert_ne!(text, new().unwrap().1);
    }

    #[test]
    fn the_line_to_paste_is_quoted_for_a_shell() {
        let line = |user: &str, host: &str| {
            line_to_paste(
                "lusab-babad-gutih-tugad",
                user.as_ref(),
                host.as_ref(),
                "9000".as_ref(),
            )
        };
        let begin = "P2PXFER_SECRET=lusab-babad-gutih-tugad send_r FILE";
        for (user, host, end) in [
            ("alice", "relay.example", "alice relay.example 9000"),
            ("CF:E7:11:101", "::1,b:9001", "CF:E7:11:101 ::1,b:9001 9000"),
            ("a b", "h", "'a b' h 9000"),
            ("it's", "h", "'it'\\''s' h 9000"),
            ("`x`\\", "h", "'`x`\\' h 9000"),
            ("!x;y", "h", "'!x;y' h 9000"),
            ("\u{d55c}", "h", "'\u{d55c}' h 9000"),
            ("a\u{202e}b", "h", "$'\\x61\\xe2\\x80\\xae\\x62' h 9000"),
            ("-x", "h", "-- -x h 9000"),
            ("-", "h", "- h 9000"),
        ] {
            assert_eq!(line(user, host), format!("{begin} {end}"));
        }
    }

    #[test]
    fn one_line_end_is_cut_and_no_more() {
        for (given, kept) in [
            (&b"a\n"[..], &b"a"[..]),
            (b"a\r\n", b"a"),
            (b"a\n\n", b"a\n"),
            (b"a ", b"a "),
            (b"a\r", b"a\r"),
            (b"\n", b""),
        ] {
            let mut bytes = given.to_vec();
            cut_line_end(&mut bytes);
            assert_eq!(bytes, kept);
        }
    }
}
