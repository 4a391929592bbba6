//! `send_r` and `recv_r`: one program that receives when the file is `-`.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::args::{self, Flag, Takes, UsageError};
use super::exit::{Exit, TABLE};
use super::progress::{Loudness, Reporter, STALL};
use crate::client::{Cancel, Endpoint, Hosts, Wait, recv_file, send_file};
use crate::io::channel;
use crate::sys::signal::{self, Termination};
use crate::transfer::{Error, Place, Printable, Reason, Target, UserId};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const COPYRIGHT: &str = "Copyright (c) 2026, the p2pxfer authors; BSD-3-Clause";
const USAGE: &str = "\
usage: send_r [options] FILE USERID HOST PORT [v]
       recv_r [options] - USERID HOST PORT [v]
";
const HELP: &str = "\
Sends a file to whoever waits under USERID at the relay on HOST and PORT, or, when
FILE is '-', waits there for a file. Start the receiver first. The relay only passes
bytes on: neither it nor the line is kept from reading or changing them.

  recv_r - alice relay.example 9000             on the one host
  send_r photo.jpg alice relay.example 9000     on the other
  recv_r -o photos - alice relay.example 9000   into the folder photos
  recv_r -o - - alice relay.example 9000 | tar x

HOST may name several relays, as in a.example,b.example:9001. The user id decides which
one serves, and the next takes over when that is down: name the same ones on both hosts.
A sender asks each of them; a receiver whose relay goes waits on at the next.

options, anywhere on the line:
  -v, --verbose      say every step; so does a 'v' as the last word
  -q, --quiet        say nothing but errors
      --wait[=SECS]  send_r: call all relays about once a second until a receiver is
                     there, also while a relay is restarted; recv_r: wait for a
                     sender no longer than SECS seconds in all
      --timeout SECS give up when nothing moves for SECS seconds (default 60,
                     0 for never); ten times as long for the receiver's verdict,
                     behind data that may still be on its way; a relay has at
                     most 30 seconds (10 of several) to accept a connection and
                     to answer
  -o, --output PLACE recv_r: a folder, a file, or '-' for standard output
                     (default: the current folder)
      --overwrite    recv_r: replace an existing file; without it the new one
                     becomes 'NAME (1).EXT'
      --version      show the version
      --help         show this

A file has 1 byte to 2047 MiB, and a name of at most 31 bytes: a longer one is cut.

exit status:
";

const FLAGS: &[Flag] = &[
    Flag::short(b'v', "verbose", Takes::Nothing),
    Flag::short(b'q', "quiet", Takes::Nothing),
    Flag::long("wait", Takes::MaybeValue),
    Flag::long("timeout", Takes::Value),
    Flag::short(b'o', "output", Takes::Value),
    Flag::long("overwrite", Takes::Nothing),
    Flag::long("version", Takes::Nothing),
    Flag::long("help", Takes::Nothing),
];

/// Longest time that an option takes, in seconds: a hundred years.
const LONGEST: u64 = 100 * 366 * 24 * 3600;
/// How long an orderly end may take after a signal.
const GRACE: Duration = Duration::from_secs(2);
/// How long a message may take that nobody may read.
const LAST_WORD: Duration = Duration::from_millis(100);

/// What the command line asks for.
#[derive(Debug)]
enum Command {
    Help,
    Version,
    Run(Box<Job>),
}

#[derive(Debug)]
struct Job {
    endpoint: Endpoint,
    loudness: Loudness,
    what: What,
}

#[derive(Debug)]
enum What {
    Send(PathBuf),
    Receive(Place),
}

/// The command.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = program_name(args.next());
    match parse(args) {
        Ok(Command::Help) => show(&program, &format!("{USAGE}\n{HELP}{TABLE}")),
        Ok(Command::Version) => show(&program, &format!("{program} {VERSION}\n{COPYRIGHT}\n")),
        Ok(Command::Run(job)) => run(&program, &job),
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

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let args = args::parse(args, FLAGS)?;
    let mut loudness = Loudness::Usual;
    let mut wait = Wait::Usual;
    let mut timeout = None;
    let mut place = Place::default();
    let mut receiving_only = None;
    for (name, value) in &args.options {
        let value = value.as_deref();
        match *name {
            "help" => return Ok(Command::Help),
            "version" => return Ok(Command::Version),
            "verbose" => loudness = Loudness::Verbose,
            "quiet" => loudness = Loudness::Quiet,
            "wait" if value.is_none() => wait = Wait::Forever,
            "wait" => wait = Wait::For(seconds("--wait", value, 1)?),
            "timeout" => timeout = Some(seconds("--timeout", value, 0)?),
            "output" => {
                receiving_only = Some("--output");
                place.target = target(value.unwrap_or_default())?;
            }
            "overwrite" => {
                receiving_only = Some("--overwrite");
                place.overwrite = true;
            }
            _ => {}
        }
    }
    let (words, last) = args.words.split_at(args.words.len().min(4));
    let [file, user, host, port] = words else {
        return Err(UsageError("FILE USERID HOST PORT are needed".into()));
    };
    match last {
        [] => {}
        [word] if word == "v" || word == "V" => {
            if loudness == Loudness::Usual {
                loudness = Loudness::Verbose;
            }
        }
        [word, ..] => {
            let word = Printable(word.as_encoded_bytes());
            return Err(UsageError(format!("'{word}' is one word too many")));
        }
    }
    let what = match (file.as_os_str() == "-", receiving_only) {
        (true, _) => What::Receive(place),
        (false, None) => What::Send(file.into()),
        (false, Some(option)) => {
            let text = format!("{option} is for receiving: that takes '-' as FILE");
            return Err(UsageError(text));
        }
    };
    let mut endpoint = endpoint(user, host, port)?;
    endpoint.wait = wait;
    if let Some(timeout) = timeout {
        endpoint.idle_timeout = (!timeout.is_zero()).then_some(timeout);
    }
    if let Some(timeout) = endpoint.idle_timeout {
        endpoint.connect_timeout = endpoint.connect_timeout.min(timeout);
    }
    Ok(Command::Run(Box::new(Job {
        endpoint,
        loudness,
        what,
    })))
}

fn seconds(name: &str, value: Option<&OsStr>, least: u64) -> Result<Duration, UsageError> {
    args::number(name, value, least..=LONGEST, "seconds").map(Duration::from_secs)
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

fn run(program: &str, job: &Job) -> Exit {
    signal::fail_beyond_size_limit();
    let cancel = Cancel::new();
    let ended_by = match end_on_signals(program, &cancel) {
        Ok(ended_by) => ended_by,
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "{program}: cannot listen for signals: {}",
                Reason(&error)
            );
            return Exit::Failed;
        }
    };
    if job.loudness == Loudness::Verbose {
        let _ = write!(io::stderr(), "{program} {VERSION}\n{COPYRIGHT}\n");
    }
    let to_stdout = matches!(&job.what, What::Receive(place) if place.target == Target::Stdout);
    if to_stdout && io::stdout().is_terminal() {
        let text = "-o - is for a pipe or a file, not for a terminal: redirect standard output";
        let _ = writeln!(io::stderr(), "{program}: {text}");
        return Exit::Usage;
    }
    let receiving = matches!(job.what, What::Receive(_));
    let reporter = Mutex::new(Reporter::new(program, job.loudness, receiving));
    let reporter = Arc::new(reporter);
    watch_for_stalls(&reporter);
    let result = transfer(job, &cancel, &reporter);
    let mut reporter = locked(&reporter);
    let Err(error) = result else {
        return Exit::Done;
    };
    match (&error, ended_by.load(Ordering::Relaxed)) {
        (Error::Cancelled, number @ 1..) => {
            reporter.error(&format_args!("ended by signal {number}"));
            Exit::Signal(number)
        }
        _ => {
            match &error {
                Error::UnsafeName { .. } => reporter.error(&format_args!(
                    "{error}; -o FILE takes it under another name"
                )),
                _ => reporter.error(&error),
            }
            Exit::from(&error)
        }
    }
}

/// Keeps the line on a terminal true while no event comes; without a thread it is not.
fn watch_for_stalls(reporter: &Arc<Mutex<Reporter>>) {
    let reporter = Arc::downgrade(reporter);
    let _ = thread::Builder::new().spawn(move || {
        while let Some(reporter) = reporter.upgrade() {
            locked(&reporter).tick();
            drop(reporter);
            thread::sleep(STALL);
        }
    });
}

fn locked(reporter: &Mutex<Reporter>) -> MutexGuard<'_, Reporter> {
    reporter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn transfer(job: &Job, cancel: &Cancel, reporter: &Mutex<Reporter>) -> Result<(), Error> {
    let mut observer = |event: crate::transfer::Event<'_>| {
        locked(reporter).handle(&event);
        ControlFlow::Continue(())
    };
    match &job.what {
        What::Send(path) => {
            let sent = send_file(&job.endpoint, path, cancel, &mut observer)?;
            let (name, length) = (Printable(&sent.name), sent.length);
            let mut reporter = locked(reporter);
            let pace = reporter.pace(length);
            reporter.result(&format_args!("sent '{name}' ({length} bytes, {pace})"));
        }
        What::Receive(place) => {
            let received = recv_file(&job.endpoint, place, cancel, &mut observer)?;
            let (name, length) = (Printable(&received.name), received.length);
            let mut reporter = locked(reporter);
            let pace = reporter.pace(length);
            let path = match &received.path {
                Some(path) => Printable(path.as_os_str().as_encoded_bytes()).to_string(),
                None => "standard output".to_string(),
            };
            let kept = match received.renamed {
                true => ", because the name is taken",
                false => "",
            };
            reporter.result(&format_args!(
                "received '{name}' ({length} bytes, {pace}) as {path}{kept}"
            ));
        }
    }
    Ok(())
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
