//! `send_r` and `recv_r`: one program that receives when the file is `-`.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::command::{self, Command, Job, What};
use super::events::Events;
use super::exit::{Exit, TABLE};
use super::help::{HELP, USAGE};
use super::outcome::{self, Subject};
use super::progress::{Loudness, Reporter, STALL};
use super::prompt;
use super::secret::{self, Failure, Origin};
use crate::client::{Accept, Argument, Cancel, Options, receive, send};
use crate::io::channel;
use crate::sys::signal::{self, Termination};
use crate::sys::term;
use crate::transfer::tree::TEXT_MAX;
use crate::transfer::{
    Error, Event, Kind, Offer, Place, Printable, Reason, Report, Secret, Target,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const COPYRIGHT: &str = "Copyright (c) 2026, the p2pxfer authors; BSD-3-Clause";

/// How long an orderly end may take after a signal.
const GRACE: Duration = Duration::from_secs(2);
/// How long a message may take that nobody may read.
const LAST_WORD: Duration = Duration::from_millis(100);

/// The command.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = program_name(args.next());
    let variable = std::env::var_os(secret::VARIABLE);
    match command::parse(args, variable.as_deref()) {
        Ok(Command::Help) => show(&program, &format!("{USAGE}\n{HELP}{TABLE}")),
        Ok(Command::Version) => show(&program, &format!("{program} {VERSION}\n{COPYRIGHT}\n")),
        Ok(Command::Run(job)) => run(&program, *job),
        Err(error) => {
            let _ = write!(io::stderr(), "{program}: {error}\n{USAGE}");
            Exit::Usage
        }
    }
    .into()
}

fn program_name(arg: Option<OsString>) -> String {
    let arg = arg.unwrap_or_default();
    let stem = Path::new(&arg).file_stem().and_then(OsStr::to_str);
    let name = stem.filter(|stem| !stem.is_empty()).unwrap_or("send_r");
    Printable(name.as_bytes()).to_string()
}

fn show(program: &str, text: &str) -> Exit {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "{program}: standard output: {}",
                Reason(&error)
            );
            Exit::Failed
        }
    }
}

fn run(program: &str, mut job: Job) -> Exit {
    // Before anything is opened here, which might get the number of a descriptor that was given.
    let given = match job.secret.read() {
        Ok(secret) => secret,
        Err(failure) => return no_secret(program, &failure, 0),
    };
    if job.text_from_stdin {
        match text_from_stdin() {
            Ok(text) => job.what = What::Send(vec![Argument::Text(text)]),
            Err(text) => {
                say(program, &text);
                return Exit::Error(Kind::File);
            }
        }
    }
    signal::fail_beyond_size_limit();
    let cancel = Cancel::new();
    let ended_by = match end_on_signals(program, &cancel) {
        Ok(ended_by) => ended_by,
        Err(error) => {
            say(
                program,
                &format_args!("cannot listen for signals: {}", Reason(&error)),
            );
            return Exit::Failed;
        }
    };
    if job.loudness == Loudness::Verbose && !job.json {
        let _ = write!(io::stderr(), "{program} {VERSION}\n{COPYRIGHT}\n");
    }
    let receiving = matches!(job.what, What::Receive { .. });
    let to_stdout =
        matches!(&job.what, What::Receive { place, .. } if place.target == Target::Stdout);
    if to_stdout && io::stdout().is_terminal() {
        let text = "-o - is for a pipe or a file, not for a terminal: redirect standard output";
        say(program, &text);
        return Exit::Usage;
    }
    let secret = match given.map_or_else(|| secret_of(&job, program, &cancel), |it| Ok(Some(it))) {
        Ok(secret) => secret,
        Err(failure) => return no_secret(program, &failure, ended_by.load(Ordering::Relaxed)),
    };
    let voice = match job.json {
        true => Voice::Json(Box::new(Events::new(to_stdout))),
        false => Voice::Text(Box::new(Reporter::new(program, job.loudness, receiving))),
    };
    let teller = Arc::new(Mutex::new(Teller {
        voice,
        subject: Subject::default(),
        receiving,
    }));
    watch_for_stalls(&teller);
    let result = transfer(&job, secret, &cancel, &teller);
    let mut teller = locked(&teller);
    let error = match result {
        Ok(report) => return teller.done(&report),
        Err(error) => error,
    };
    let exit = Exit::from(&error);
    match (&error, ended_by.load(Ordering::Relaxed)) {
        (Error::Cancelled, number @ 1..) => teller.error(
            &format_args!("ended by signal {number}"),
            Exit::Signal(number),
        ),
        (Error::UnsafeName { .. }, _) => teller.error(
            &format_args!("{error}; -o FILE takes it under another name"),
            exit,
        ),
        _ => teller.error(&error, exit),
    }
}

/// Keeps the line on a terminal true while no event comes; without a thread it is not.
fn watch_for_stalls(teller: &Arc<Mutex<Teller>>) {
    let teller = Arc::downgrade(teller);
    let _ = thread::Builder::new().spawn(move || {
        while let Some(teller) = teller.upgrade() {
            if let Voice::Text(reporter) = &mut locked(&teller).voice {
                reporter.tick();
            }
            drop(teller);
            thread::sleep(STALL);
        }
    });
}

fn locked(teller: &Mutex<Teller>) -> MutexGuard<'_, Teller> {
    teller.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a transfer says, and to whom.
struct Teller {
    voice: Voice,
    subject: Subject,
    receiving: bool,
}

enum Voice {
    /// Lines of text on standard error, results on standard output.
    Text(Box<Reporter>),
    /// Objects.
    Json(Box<Events>),
}

impl Teller {
    fn handle(&mut self, event: &Event<'_>) {
        self.subject.handle(event);
        match (&mut self.voice, event) {
            (Voice::Text(reporter), Event::Text { text }) => {
                reporter.make_room();
                if let Err(error) = outcome::write_text(text) {
                    reporter.error(&format_args!("standard output: {}", Reason(&error)));
                }
            }
            (Voice::Text(reporter), event) => reporter.handle(event),
            (Voice::Json(events), event) => events.handle(event),
        }
    }

    /// The end of a transfer that was brought to its end.
    fn done(&mut self, report: &Report) -> Exit {
        let exit = report.failure().map_or(Exit::Done, Exit::from);
        match &mut self.voice {
            Voice::Json(events) => events.done(report, exit.code()),
            Voice::Text(reporter) => {
                let pace = reporter.pace();
                let sentence = self.subject.sentence(report, self.receiving, &pace);
                reporter.result(&sentence);
                // The files are there all the same.
                let _ = outcome::write_paths(report);
            }
        }
        exit
    }

    fn error(&mut self, text: &dyn Display, exit: Exit) -> Exit {
        match &mut self.voice {
            Voice::Text(reporter) => reporter.error(text),
            Voice::Json(events) => events.error(text, exit.code()),
        }
        exit
    }
}

/// The secret of the job, and the line for the other host when it is a new one.
fn secret_of(job: &Job, program: &str, cancel: &Cancel) -> Result<Option<Secret>, Failure> {
    match job.secret {
        Origin::Question => secret::ask(&|| cancel.is_cancelled()).map(Some),
        Origin::New => {
            let (secret, words) = secret::new()?;
            let [user, host, port] = &job.words;
            let line = secret::line_to_paste(&words, user, host, port);
            // It has a line to itself, so that all of that can be copied.
            let text = format!("{program}: on the other host, with the name of a file:\n{line}\n");
            io::stderr()
                .write_all(text.as_bytes())
                .map_err(|error| Failure::File(format!("standard error: {}", Reason(&error))))?;
            Ok(Some(secret))
        }
        _ => Ok(None),
    }
}

fn no_secret(program: &str, failure: &Failure, signal: u8) -> Exit {
    let (text, exit) = match failure {
        Failure::File(text) => (text.clone(), Exit::Error(Kind::File)),
        Failure::Usage(text) => (text.clone(), Exit::Usage),
        Failure::Random(error) => {
            let text = format!("the system gives no random bytes: {}", Reason(error));
            (text, Exit::Failed)
        }
        Failure::Stopped => (format!("ended by signal {signal}"), Exit::Signal(signal)),
    };
    say(program, &text);
    exit
}

fn say(program: &str, text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{program}: {text}");
}

/// The text on standard input, without the end of its last line.
fn text_from_stdin() -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = io::stdin()
        .lock()
        .take(TEXT_MAX as u64 + 2)
        .read_to_end(&mut bytes);
    read.map_err(|error| format!("standard input: {}", Reason(&error)))?;
    let text = String::from_utf8(bytes);
    let mut text = text.map_err(|_| "standard input: --text takes UTF-8".to_string())?;
    if text.ends_with('\n') {
        text.pop();
    }
    match text.len() {
        0 => Err("standard input: there is no text".into()),
        1..=TEXT_MAX => Ok(text),
        _ => Err(format!(
            "standard input: --text takes at most {TEXT_MAX} bytes: use --stdin"
        )),
    }
}

/// Asks whoever sits at the terminal, if somebody does, unless a secret verified the sender.
fn asking(place: &Place, cancel: &Cancel, teller: &Arc<Mutex<Teller>>) -> Box<Accept> {
    let (place, cancel, teller) = (place.clone(), cancel.clone(), Arc::clone(teller));
    Box::new(move |offer: &Offer| {
        if offer.verified || !prompt::is_possible() {
            return true;
        }
        if let Voice::Text(reporter) = &mut locked(&teller).voice {
            reporter.make_room();
        }
        prompt::ask(offer, &place, &|| cancel.is_cancelled())
    })
}

fn transfer(
    job: &Job,
    secret: Option<Secret>,
    cancel: &Cancel,
    teller: &Arc<Mutex<Teller>>,
) -> Result<Report, Error> {
    let mut observer = |event: Event<'_>| {
        locked(teller).handle(&event);
        ControlFlow::Continue(())
    };
    let mut options = Options {
        secret,
        version1_only: job.version1_only,
        reconnect: job.reconnect,
        accept: None,
    };
    match &job.what {
        What::Send(arguments) => send(&job.endpoint, &options, arguments, cancel, &mut observer),
        What::Receive { place, yes } => {
            if !yes {
                options.accept = Some(asking(place, cancel, teller));
            }
            receive(&job.endpoint, &options, place, cancel, &mut observer)
        }
    }
}

/// Lets the first signal end the job in order, and by force when that takes too long; the second one
/// at once. A signal that comes when the file is just getting its name changes nothing any more. The
/// number of the signal stands in what is returned; 0 for none.
fn end_on_signals(program: &str, cancel: &Cancel) -> io::Result<Arc<AtomicU8>> {
    let termination = Termination::install()?;
    let first = Arc::new(AtomicU8::new(0));
    let (seen, cancel, program) = (Arc::clone(&first), cancel.clone(), program.to_string());
    thread::Builder::new().spawn(move || {
        let mut number = u8::try_from(termination.wait()).unwrap_or_default();
        seen.store(number, Ordering::Relaxed);
        while !cancel.cancel() {
            number = u8::try_from(termination.wait()).unwrap_or_default();
        }
        let force = move || end_by_force(&program, number, &cancel);
        let late = force.clone();
        let forced = thread::Builder::new().spawn(move || {
            thread::sleep(GRACE);
            late();
        });
        if forced.is_ok() {
            termination.wait();
        }
        force();
    })?;
    Ok(first)
}

/// Ends the process whatever its main thread does: that one may hang, even in writing a message.
fn end_by_force(program: &str, number: u8, cancel: &Cancel) {
    cancel.abandon();
    term::restore();
    let text = format!("{program}: ended by signal {number} before all was in order\n");
    let (done, written) = channel(1);
    let writer = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = done.send(());
    });
    if writer.is_ok() {
        let _ = written.receive(Some(Instant::now() + LAST_WORD));
    }
    std::process::exit(Exit::Signal(number).code().into());
}
