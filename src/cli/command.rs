//! The command line of `send_r` and `recv_r`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::args::{self, Flag, Takes, UsageError};
use super::progress::Loudness;
use super::secret::{Origin, VARIABLE};
use crate::client::{Argument, Endpoint, Hosts, RECONNECT, Wait};
use crate::transfer::{Place, Target, UserId, safe_name};

const FLAGS: &[Flag] = &[
    Flag::short(b'v', "verbose", Takes::Nothing),
    Flag::short(b'q', "quiet", Takes::Nothing),
    Flag::long("json", Takes::Nothing),
    Flag::long("secret-file", Takes::Value),
    Flag::long("secret-fd", Takes::Value),
    Flag::long("ask-secret", Takes::Nothing),
    Flag::long("new-secret", Takes::Nothing),
    Flag::long("require-secret", Takes::Nothing),
    Flag::long("wait", Takes::MaybeValue),
    Flag::long("timeout", Takes::Value),
    Flag::long("reconnect", Takes::MaybeValue),
    Flag::short(b'o', "output", Takes::Value),
    Flag::long("overwrite", Takes::Nothing),
    Flag::short(b'y', "yes", Takes::Nothing),
    Flag::long("stdin", Takes::MaybeValue),
    Flag::long("text", Takes::Value),
    Flag::long("v1", Takes::Nothing),
    Flag::long("version", Takes::Nothing),
    Flag::long("help", Takes::Nothing),
];

/// Longest time that an option takes, in seconds: a hundred years.
const LONGEST: u64 = 100 * 366 * 24 * 3600;
/// What a stream is called when nobody says.
const STREAM: &str = "stdin";

/// What the command line asks for.
#[derive(Debug)]
pub(super) enum Command {
    Help,
    Version,
    Run(Box<Job>),
}

/// A transfer that was asked for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) endpoint: Endpoint,
    /// USERID, HOST and PORT as they were given.
    pub(super) words: [OsString; 3],
    pub(super) secret: Origin,
    pub(super) version1_only: bool,
    pub(super) reconnect: Option<Duration>,
    pub(super) loudness: Loudness,
    pub(super) json: bool,
    /// Whether what is to be sent is a text that standard input has.
    pub(super) text_from_stdin: bool,
    pub(super) what: What,
}

/// Which way it goes.
#[derive(Debug)]
pub(super) enum What {
    Send(Vec<Argument>),
    Receive {
        place: Place,
        /// Whether nobody is to be asked.
        yes: bool,
    },
}

/// What the options say, before the words are looked at.
#[derive(Default)]
struct Options {
    loudness: Option<Loudness>,
    wait: Option<Wait>,
    timeout: Option<Duration>,
    reconnect: Option<Duration>,
    place: Place,
    json: bool,
    yes: bool,
    version1_only: bool,
    require_secret: bool,
    secret: Origin,
    stream: Option<String>,
    text: Option<OsString>,
    /// An option that only a receiver has.
    receiving: Option<&'static str>,
}

/// Reads the arguments behind the program's name; `variable` is what the environment says the secret is.
pub(super) fn parse(
    args: impl IntoIterator<Item = OsString>,
    variable: Option<&OsStr>,
) -> Result<Command, UsageError> {
    let args = args::parse(args, FLAGS)?;
    let asked = |wanted| args.options.iter().any(|(name, _)| *name == wanted);
    if asked("help") {
        return Ok(Command::Help);
    }
    if asked("version") {
        return Ok(Command::Version);
    }
    let mut options = Options::default();
    for (name, value) in &args.options {
        options.set(name, value.as_deref())?;
    }
    options.secret.add_environment(variable)?;
    let (files, words) = options.words(&args.words)?;
    let what = options.what(files)?;
    options.check(&what)?;
    let [user, host, port] = &words;
    let mut endpoint = endpoint(user, host, port)?;
    endpoint.wait = options.wait.unwrap_or(Wait::Usual);
    if let Some(timeout) = options.timeout {
        endpoint.idle_timeout = (!timeout.is_zero()).then_some(timeout);
    }
    if let Some(timeout) = endpoint.idle_timeout {
        endpoint.connect_timeout = endpoint.connect_timeout.min(timeout);
    }
    let reconnect = options.reconnect.unwrap_or(RECONNECT);
    let text_from_stdin = options.text_from_stdin();
    Ok(Command::Run(Box::new(Job {
        endpoint,
        words,
        secret: options.secret,
        version1_only: options.version1_only,
        reconnect: (!reconnect.is_zero()).then_some(reconnect),
        loudness: options.loudness.unwrap_or(Loudness::Usual),
        json: options.json,
        text_from_stdin,
        what,
    })))
}

impl Options {
    fn set(&mut self, name: &'static str, value: Option<&OsStr>) -> Result<(), UsageError> {
        match name {
            "verbose" => self.loudness = Some(Loudness::Verbose),
            "quiet" => self.loudness = Some(Loudness::Quiet),
            "json" => self.json = true,
            "require-secret" => self.require_secret = true,
            "wait" if value.is_none() => self.wait = Some(Wait::Forever),
            "wait" => self.wait = Some(Wait::For(seconds("--wait", value, 1)?)),
            "timeout" => self.timeout = Some(seconds("--timeout", value, 0)?),
            "reconnect" if value.is_none() => self.reconnect = Some(RECONNECT),
            "reconnect" => self.reconnect = Some(seconds("--reconnect", value, 0)?),
            "output" => {
                self.receiving = Some("--output");
                self.place.target = target(value.unwrap_or_default())?;
            }
            "overwrite" => {
                self.receiving = Some("--overwrite");
                self.place.overwrite = true;
            }
            "yes" => {
                self.receiving = Some("--yes");
                self.yes = true;
            }
            "stdin" => {
                self.stream = Some(stream_name(value.unwrap_or(STREAM.as_ref()))?);
            }
            "text" => self.text = value.map(OsStr::to_os_string),
            "v1" => self.version1_only = true,
            _ => {
                self.secret.set(name, value)?;
                if self.secret == Origin::New {
                    self.receiving = Some("--new-secret");
                }
            }
        }
        Ok(())
    }

    /// The files, and USERID, HOST and PORT. They are told by counting from the end, where only a port
    /// or a `v` can stand, so that a file may have any name.
    fn words<'a>(
        &mut self,
        words: &'a [OsString],
    ) -> Result<(&'a [OsString], [OsString; 3]), UsageError> {
        let words = match words {
            [words @ .., last] if last == "v" || last == "V" => {
                // An option says more than the word.
                self.loudness.get_or_insert(Loudness::Verbose);
                words
            }
            words => words,
        };
        match words {
            [files @ .., user, host, port] => {
                let words = [user, host, port].map(OsString::clone);
                Ok((files, words))
            }
            _ => Err(UsageError("FILE USERID HOST PORT are needed".into())),
        }
    }

    fn what(&self, files: &[OsString]) -> Result<What, UsageError> {
        let instead = match (&self.stream, &self.text) {
            (Some(_), Some(_)) => return Err(contrary("--stdin", "--text")),
            (Some(_), None) => Some("--stdin"),
            (None, Some(_)) => Some("--text"),
            (None, None) => None,
        };
        let receiving = files.len() == 1 && files.iter().any(|file| file == "-");
        match (files, instead, self.receiving) {
            ([], None, _) => Err(UsageError("FILE USERID HOST PORT are needed".into())),
            (_, Some(option), _) if receiving => Err(UsageError(format!(
                "{option} is for sending: leave '-' out"
            ))),
            ([_, ..], Some(option), _) => Err(UsageError(format!(
                "{option} stands for FILE: leave one of them out"
            ))),
            (_, _, Some(option)) if !receiving => Err(UsageError(format!(
                "{option} is for receiving: that takes '-' as FILE"
            ))),
            _ if receiving => Ok(What::Receive {
                place: self.place.clone(),
                yes: self.yes,
            }),
            _ => self.sending(files),
        }
    }

    fn sending(&self, files: &[OsString]) -> Result<What, UsageError> {
        if let Some(name) = &self.stream {
            let name = name.clone();
            return Ok(What::Send(vec![Argument::Stdin(name)]));
        }
        match self.text.as_deref().map(|text| (text, text.to_str())) {
            None => {}
            Some((_, Some("-"))) => return Ok(What::Send(Vec::new())),
            Some((_, Some(""))) => return Err(UsageError("--text needs a text".into())),
            Some((_, Some(text))) => {
                return Ok(What::Send(vec![Argument::Text(text.to_string())]));
            }
            Some((text, None)) => {
                let shown = args::shown(text);
                return Err(UsageError(format!("--text takes UTF-8, not '{shown}'")));
            }
        }
        let mut arguments = Vec::with_capacity(files.len());
        for file in files {
            match file.as_encoded_bytes() {
                b"-" => {
                    return Err(UsageError(
                        "'-' receives, and stands alone: a file of that name is ./-".into(),
                    ));
                }
                b"" => return Err(UsageError("a FILE has no name".into())),
                _ => arguments.push(Argument::Path(PathBuf::from(file))),
            }
        }
        Ok(What::Send(arguments))
    }

    fn text_from_stdin(&self) -> bool {
        self.text.as_deref().is_some_and(|text| text == "-")
    }

    /// Whether all of it can be had together.
    fn check(&self, what: &What) -> Result<(), UsageError> {
        let secret = self.secret.name();
        if self.require_secret && self.secret == Origin::None {
            return Err(UsageError(format!(
                "--require-secret: there is no secret: give one by {VARIABLE}, --secret-file, --secret-fd or --ask-secret"
            )));
        }
        let from_stdin = match &self.stream {
            Some(_) => Some("--stdin"),
            None => self.text_from_stdin().then_some("--text -"),
        };
        if let (Some(option), Origin::Descriptor(0)) = (from_stdin, &self.secret) {
            let both = format!("{option} and --secret-fd 0 both read standard input");
            return Err(UsageError(format!("{both}: take another descriptor")));
        }
        if !self.version1_only {
            return Ok(());
        }
        let many = match what {
            What::Send(arguments) => arguments.len() > 1,
            _ => false,
        };
        let beyond = match what {
            _ if self.secret != Origin::None => secret,
            _ if many => "more than one FILE",
            _ if self.stream.is_some() => "--stdin",
            _ if self.text.is_some() => "--text",
            _ if self.reconnect.is_some_and(|time| !time.is_zero()) => "--reconnect",
            _ => return Ok(()),
        };
        Err(UsageError(format!(
            "{beyond} needs version 2, which --v1 excludes: leave one of them out"
        )))
    }
}

fn contrary(one: &str, other: &str) -> UsageError {
    UsageError(format!(
        "{one} and {other} exclude each other: leave one out"
    ))
}

fn seconds(name: &str, value: Option<&OsStr>, least: u64) -> Result<Duration, UsageError> {
    args::number(name, value, least..=LONGEST, "seconds").map(Duration::from_secs)
}

fn stream_name(name: &OsStr) -> Result<String, UsageError> {
    let shown = args::shown(name);
    let Some(text) = name.to_str() else {
        return Err(UsageError(format!("--stdin takes UTF-8, not '{shown}'")));
    };
    match safe_name(text.as_bytes()) {
        Ok(_) => Ok(text.to_string()),
        Err(error) => Err(UsageError(format!(
            "--stdin: a file cannot be called '{shown}' everywhere: {error}"
        ))),
    }
}

fn target(value: &OsStr) -> Result<Target, UsageError> {
    match value.as_encoded_bytes() {
        b"" => Err(UsageError("--output needs a folder, a file or '-'".into())),
        // As a path it is a link to what the shell redirected to, which may be a file.
        b"-" | b"/dev/stdout" => Ok(Target::Stdout),
        _ => Ok(Target::Path(value.into())),
    }
}

fn endpoint(user: &OsStr, host: &OsStr, port: &OsStr) -> Result<Endpoint, UsageError> {
    let user =
        UserId::new(user.as_encoded_bytes()).map_err(|error| UsageError(error.to_string()))?;
    let hosts = host.to_str().unwrap_or_default().parse::<Hosts>();
    let hosts =
        hosts.map_err(|error| UsageError(format!("HOST '{}': {error}", args::shown(host))))?;
    let port = args::number("PORT", Some(port), 1..=65535, "a number")?;
    let port = u16::try_from(port).map_err(|error| UsageError(error.to_string()))?;
    Ok(Endpoint::new(user, hosts, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(OsString::from), None)
    }

    fn job(line: &str) -> Job {
        match run(line) {
            Ok(Command::Run(job)) => *job,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn error(line: &str) -> String {
        run(line).unwrap_err().0
    }

    fn sent(line: &str) -> Vec<String> {
        match job(line).what {
            What::Send(arguments) => arguments.iter().map(|it| format!("{it:?}")).collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn path(name: &str) -> String {
        format!("{:?}", Argument::Path(name.into()))
    }

    #[test]
    fn the_words_are_told_from_the_end_so_that_files_may_have_any_name_and_number() {
        assert_eq!(sent("a alice host 9000"), [path("a")]);
        assert_eq!(sent("a b c alice host 9000 v"), ["a", "b", "c"].map(path));
        // A `v` is the word only where a port would have to stand.
        for (line, files, loudness) in [
            ("v alice host 9000", &["v"][..], Loudness::Usual),
            ("v alice host 9000 V", &["v"], Loudness::Verbose),
            ("a v v host 9000", &["a", "v"], Loudness::Usual),
            ("9000 a v 1 v", &["9000"], Loudness::Verbose),
            ("a alice host 9000 v -q", &["a"], Loudness::Quiet),
            (
                "-- -x --wait alice host 9000 v",
                &["-x", "--wait"],
                Loudness::Verbose,
            ),
            ("./- -- -- alice host 9000", &["./-", "--"], Loudness::Usual),
        ] {
            let files: Vec<_> = files.iter().copied().map(path).collect();
            assert_eq!(
                (sent(line), job(line).loudness),
                (files, loudness),
                "{line}"
            );
        }
        for line in ["", "v", "alice host 9000", "alice host 9000 v", "a b"] {
            assert_eq!(error(line), "FILE USERID HOST PORT are needed", "{line}");
        }
        let no_port = "PORT takes a number from 1 to 65535, not 'v'";
        assert_eq!(error("a alice host 9000 v v"), no_port);
    }

    #[test]
    fn a_dash_alone_receives() {
        for line in ["- alice host 9000", "-- - alice host 9000 v"] {
            assert!(matches!(job(line).what, What::Receive { yes: false, .. }));
        }
        let job = job("-y - alice host 9000 -o out --overwrite");
        let What::Receive { place, yes } = job.what else {
            panic!("it receives");
        };
        assert!(yes && place.overwrite && place.target == Target::Path("out".into()));
        for line in ["a - alice host 9000", "- - alice host 9000"] {
            assert!(error(line).contains("stands alone"), "{line}");
        }
    }

    #[test]
    fn standard_input_and_a_text_stand_for_files() {
        let stdin = |name: &str| [format!("{:?}", Argument::Stdin(name.into()))];
        assert_eq!(sent("--stdin alice host 9000"), stdin("stdin"));
        assert_eq!(sent("--stdin=a.tar alice host 9000 v"), stdin("a.tar"));
        let text = format!("{:?}", Argument::Text("hello".into()));
        assert_eq!(sent("--text hello alice host 9000"), [text]);
        assert!(job("--text - alice host 9000").text_from_stdin);
        assert!(!job("--text x alice host 9000").text_from_stdin);
        for name in ["", "a/b", "..", ".x", "CON"] {
            let line = format!("--stdin={name} alice host 9000");
            assert!(error(&line).starts_with("--stdin: "), "{line}");
        }
        let empty = ["--text", "", "alice", "host", "9000"].map(OsString::from);
        assert_eq!(parse(empty, None).unwrap_err().0, "--text needs a text");
    }

    #[test]
    fn what_cannot_be_had_together_is_refused_with_both_names() {
        for (line, text) in [
            (
                "--stdin --text x alice host 9000",
                "--stdin and --text exclude",
            ),
            ("--stdin a alice host 9000", "--stdin stands for FILE"),
            ("--text x a alice host 9000", "--text stands for FILE"),
            ("--stdin - alice host 9000", "--stdin is for sending"),
            ("--text x - alice host 9000", "--text is for sending"),
            ("-y a alice host 9000", "--yes is for receiving"),
            ("-o x a alice host 9000", "--output is for receiving"),
            (
                "--overwrite a alice host 9000",
                "--overwrite is for receiving",
            ),
            (
                "--new-secret a alice host 9000",
                "--new-secret is for receiving",
            ),
            (
                "--new-secret --stdin alice host 9000",
                "--new-secret is for receiving",
            ),
            (
                "--v1 --ask-secret a alice host 9000",
                "--ask-secret needs version 2",
            ),
            (
                "--v1 --new-secret - alice host 9000",
                "--new-secret needs version 2",
            ),
            (
                "--v1 a b alice host 9000",
                "more than one FILE needs version 2",
            ),
            ("--v1 --stdin alice host 9000", "--stdin needs version 2"),
            ("--v1 --text x alice host 9000", "--text needs version 2"),
            ("--v1 --text - alice host 9000", "--text needs version 2"),
            (
                "--v1 --reconnect a alice host 9000",
                "--reconnect needs version 2",
            ),
            (
                "--v1 --require-secret a alice host 9000",
                "there is no secret",
            ),
            ("--require-secret a alice host 9000", "there is no secret"),
            (
                "--ask-secret --new-secret - alice host 9000",
                "both give a secret",
            ),
            (
                "--secret-fd 3 --secret-file x a alice host 9000",
                "both give a secret",
            ),
            (
                "--secret-fd 3 --secret-fd 4 a alice host 9000",
                "is given twice",
            ),
            (
                "--secret-fd 0 --stdin alice host 9000",
                "both read standard input",
            ),
            (
                "--secret-fd 0 --text - alice host 9000",
                "both read standard input",
            ),
        ] {
            assert!(error(line).contains(text), "{line}: {}", error(line));
        }
        for line in [
            "--v1 a alice host 9000",
            "--v1 - alice host 9000",
            "--v1 --reconnect=0 a alice host 9000",
            "--secret-fd 3 --secret-fd 3 a alice host 9000",
            "--secret-fd 0 a alice host 9000",
            "--require-secret --ask-secret a alice host 9000",
        ] {
            assert!(run(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn the_environment_is_a_source_like_the_others() {
        let run = |line: &str| {
            let words = line.split_whitespace().map(OsString::from);
            parse(words, Some("lusab".as_ref()))
        };
        let Ok(Command::Run(job)) = run("--require-secret a alice host 9000") else {
            panic!("it runs");
        };
        assert_eq!(job.secret, Origin::Environment);
        for (line, text) in [
            (
                "--ask-secret a alice host 9000",
                "--ask-secret and P2PXFER_SECRET both",
            ),
            ("--v1 a alice host 9000", "P2PXFER_SECRET needs version 2"),
        ] {
            let error = run(line).unwrap_err().0;
            assert!(error.contains(text) && !error.contains("lusab"), "{error}");
        }
        assert!(matches!(run("--help"), Ok(Command::Help)));
    }

    #[test]
    fn times_are_seconds_and_zero_turns_reconnecting_off() {
        let reconnect = |option: &str| job(&format!("{option} a alice host 9000")).reconnect;
        assert_eq!(reconnect(""), Some(Duration::from_secs(60)));
        assert_eq!(reconnect("--reconnect"), Some(Duration::from_secs(60)));
        assert_eq!(reconnect("--reconnect=5"), Some(Duration::from_secs(5)));
        assert_eq!(reconnect("--reconnect=0"), None);
        for option in ["--wait=", "--timeout=", "--reconnect=", "--secret-fd="] {
            for value in ["", "-1", "x", "1.5", "99999999999999999999"] {
                let text = error(&format!("{option}{value} a alice host 9000"));
                assert!(text.ends_with(&format!("not '{value}'")), "{text}");
            }
        }
        assert!(error("--secret-fd 1 a alice host 9000").contains("take 0, or 3"));
    }
}
