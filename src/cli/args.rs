//! Reading a command line: GNU long options, short options, and words in any order.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::sys::fs;
use crate::transfer::Printable;

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--quiet`
    Nothing,
    /// `--bind ADDR`, `--bind=ADDR`, `-b ADDR`, `-bADDR`
    Value,
    /// `--wait`, `--wait=SECS`: the value only behind `=`, so that a word is never swallowed
    MaybeValue,
}

/// An option that a command knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) short: Option<u8>,
    pub(super) takes: Takes,
}

impl Flag {
    /// An option without a short form.
    pub(super) const fn long(long: &'static str, takes: Takes) -> Self {
        Self {
            long,
            short: None,
            takes,
        }
    }

    /// An option with a short form.
    pub(super) const fn short(short: u8, long: &'static str, takes: Takes) -> Self {
        Self {
            long,
            short: Some(short),
            takes,
        }
    }
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub(super) struct Args {
    /// Each option as given, by its long name, in order; later ones override earlier ones.
    pub(super) options: Vec<(&'static str, Option<OsString>)>,
    /// The words.
    pub(super) words: Vec<OsString>,
}

/// What is wrong with a command line; its text is the whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsageError(pub(super) String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes the arguments behind the program's name apart. `--` ends the options; `-` is a word.
pub(super) fn parse(
    args: impl IntoIterator<Item = OsString>,
    flags: &[Flag],
) -> Result<Args, UsageError> {
    let mut parsed = Args::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_encoded_bytes() {
            b"--" => parsed.words.extend(args.by_ref()),
            [b'-', b'-', ..] => parsed.options.push(long(&arg, &mut args, flags)?),
            [b'-', _, ..] => short(&arg, &mut args, flags, &mut parsed)?,
            _ => parsed.words.push(arg),
        }
    }
    Ok(parsed)
}

fn long(
    arg: &OsStr,
    args: &mut impl Iterator<Item = OsString>,
    flags: &[Flag],
) -> Result<(&'static str, Option<OsString>), UsageError> {
    // Only the value may be anything but text: a path is.
    let bytes = arg.as_encoded_bytes();
    let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) => (&bytes[..at], Some(piece(arg, at + 1)?)),
        None => (bytes, None),
    };
    let name = std::str::from_utf8(name).map_err(|_| unknown(arg))?;
    let flag = flags
        .iter()
        .find(|flag| name.strip_prefix("--") == Some(flag.long))
        .ok_or_else(|| unknown(arg))?;
    let value = match (flag.takes, value) {
        (Takes::Nothing, Some(_)) => {
            return Err(UsageError(format!(
                "{name} takes no value: leave the '=' out"
            )));
        }
        (Takes::Value, None) => Some(args.next().ok_or_else(|| missing(name))?),
        (_, value) => value,
    };
    Ok((flag.long, value))
}

fn short(
    arg: &OsStr,
    args: &mut impl Iterator<Item = OsString>,
    flags: &[Flag],
    parsed: &mut Args,
) -> Result<(), UsageError> {
    let bytes = arg.as_encoded_bytes();
    let mut at = 1;
    while let Some(&letter) = bytes.get(at) {
        at += 1;
        let flag = flags
            .iter()
            .find(|flag| flag.short == Some(letter))
            .ok_or_else(|| unknown(arg))?;
        let value = match flag.takes {
            Takes::Nothing | Takes::MaybeValue => None,
            Takes::Value => {
                let value = match at < bytes.len() {
                    true => Some(piece(arg, at)?),
                    false => args.next(),
                };
                at = bytes.len();
                Some(value.ok_or_else(|| missing(&format!("-{}", char::from(letter))))?)
            }
        };
        parsed.options.push((flag.long, value));
    }
    Ok(())
}

/// What follows the first `at` bytes of an argument.
fn piece(arg: &OsStr, at: usize) -> Result<OsString, UsageError> {
    let bytes = arg.as_encoded_bytes().get(at..).unwrap_or_default();
    fs::file_name(bytes).ok_or_else(|| UsageError(format!("'{}' is not UTF-8", shown(arg))))
}

fn unknown(arg: &OsStr) -> UsageError {
    UsageError(format!(
        "unknown option '{}': --help lists them",
        shown(arg)
    ))
}

fn missing(name: &str) -> UsageError {
    UsageError(format!("{name} needs a value: --help shows which"))
}

/// The value of an option as a whole number within `range`.
pub(super) fn number(
    name: &str,
    value: Option<&OsStr>,
    range: std::ops::RangeInclusive<u64>,
    unit: &str,
) -> Result<u64, UsageError> {
    let text = value.and_then(OsStr::to_str).unwrap_or_default();
    let number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let given = shown(value.unwrap_or_default());
            let (low, high) = range.into_inner();
            UsageError(format!(
                "{name} takes {unit} from {low} to {high}, not '{given}'"
            ))
        })
}

/// The value of an option as bytes a second: a whole number, and `K`, `M` or `G` for thousands,
/// millions or thousands of millions.
pub(super) fn rate(name: &str, value: Option<&OsStr>) -> Result<u64, UsageError> {
    let text = value.and_then(OsStr::to_str).unwrap_or_default();
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1_000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| digits.parse::<u64>().ok()).flatten();
    let most = 1_000_000_000_000;
    let rate = number.and_then(|number| number.checked_mul(factor));
    rate.filter(|&rate| rate <= most).ok_or_else(|| {
        let given = shown(value.unwrap_or_default());
        UsageError(format!(
            "{name} takes bytes a second such as 500000, 500K, 20M or 1G, up to 1000G, not '{given}'"
        ))
    })
}

/// An argument, shown so that it cannot touch the terminal.
pub(super) fn shown(arg: &OsStr) -> Printable<'_> {
    Printable(arg.as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::short(b'v', "verbose", Takes::Nothing),
        Flag::short(b'o', "output", Takes::Value),
        Flag::long("wait", Takes::MaybeValue),
    ];

    fn run(line: &str) -> Result<Args, UsageError> {
        parse(line.split_whitespace().map(OsString::from), FLAGS)
    }

    fn given(line: &str) -> (Vec<String>, Vec<String>) {
        let args = run(line).unwrap();
        let option = |(name, value): &(&str, Option<OsString>)| match value {
            Some(value) => format!("{name}={}", value.to_string_lossy()),
            None => (*name).to_string(),
        };
        let words = args
            .words
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        (args.options.iter().map(option).collect(), words)
    }

    #[test]
    fn options_and_words_stand_in_any_order() {
        assert_eq!(
            given("- -v alice"),
            (vec!["verbose".into()], vec!["-".into(), "alice".into()])
        );
        assert_eq!(given("-vo out x").0, ["verbose", "output=out"]);
        assert_eq!(
            given("-oout --output=b --output c").0,
            ["output=out", "output=b", "output=c"]
        );
        assert_eq!(given("--wait 5"), (vec!["wait".into()], vec!["5".into()]));
        assert_eq!(given("--wait=5").0, ["wait=5"]);
        assert_eq!(given("-- -v --wait").1, ["-v", "--wait"]);
    }

    #[test]
    fn each_mistake_has_a_message_that_says_what_to_do() {
        let error = |line| run(line).unwrap_err().0;
        assert_eq!(
            error("--nope"),
            "unknown option '--nope': --help lists them"
        );
        assert_eq!(error("-x"), "unknown option '-x': --help lists them");
        assert_eq!(
            error("--output"),
            "--output needs a value: --help shows which"
        );
        assert_eq!(error("-o"), "-o needs a value: --help shows which");
        assert_eq!(
            error("--verbose=1"),
            "--verbose takes no value: leave the '=' out"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_value_is_taken_as_it_is_also_when_it_is_no_text() {
        use std::os::unix::ffi::OsStrExt;
        for line in [&b"--output=\xff"[..], b"-o\xff", b"-vo\xff"] {
            let args = parse([OsStr::from_bytes(line).to_os_string()], FLAGS).unwrap();
            let value = args.options.last().unwrap().1.as_deref();
            assert_eq!(value, Some(OsStr::from_bytes(b"\xff")));
        }
        for line in [&b"--\xff=a"[..], b"-\xff"] {
            assert!(parse([OsStr::from_bytes(line).to_os_string()], FLAGS).is_err());
        }
    }

    #[test]
    fn a_rate_has_thousands_millions_and_thousands_of_millions() {
        let read = |text: &str| rate("--pair-bytes", Some(OsStr::new(text)));
        let rates = ["0", "500", "500K", "20m", "1G", "1000G"].map(|text| read(text).unwrap());
        assert_eq!(
            rates,
            [
                0,
                500,
                500_000,
                20_000_000,
                1_000_000_000,
                1_000_000_000_000
            ]
        );
        for text in [
            "",
            "K",
            "-1",
            "1.5M",
            "1T",
            "1001G",
            "99999999999999999999G",
        ] {
            assert!(
                read(text)
                    .unwrap_err()
                    .0
                    .ends_with(&format!("not '{text}'"))
            );
        }
    }

    #[test]
    fn a_number_is_digits_within_its_range() {
        let read = |text: &str| number("--idle", Some(OsStr::new(text)), 0..=10, "seconds");
        assert_eq!(read("10"), Ok(10));
        for text in ["", "-1", "+1", "11", "x", "1e1", "99999999999999999999999"] {
            let error = read(text).unwrap_err().0;
            assert_eq!(
                error,
                format!("--idle takes seconds from 0 to 10, not '{text}'")
            );
        }
    }
}
