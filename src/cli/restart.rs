//! The relay from its start to its end: whose place it takes, who tells it to end, who takes its own.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::journal::Journal;
use super::line::Scribe;
use super::metrics::Exposition;
use super::relay::{Service, reason};
use super::service::{self, Manager};
use super::tenure::Tenure;
use super::{args, http};
use crate::io::{Receiver, channel};
use crate::relay::takeover::{self, Estate};
use crate::relay::{Config, Control, Door, Relay};
use crate::sys::bell::Bell;
use crate::sys::handoff::Nameplate;
use crate::sys::net::{listen, raise_descriptor_limit};
use crate::sys::signal::Termination;
use crate::transfer::Printable;

/// How long the end may take once no pair is waited for.
const LAST: Duration = Duration::from_secs(3);
/// How long a relay that has been started may take to serve.
const FIRST: Duration = Duration::from_secs(30);

/// How the relay ends and begins again.
#[derive(Clone, Debug)]
pub(super) struct Restart {
    /// How long pairs may go on when the relay was asked to end.
    pub(super) drain: Duration,
    /// Where the next relay asks this one for its place.
    pub(super) takeover: Option<PathBuf>,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(30),
            takeover: None,
        }
    }
}

/// A relay that is about to run, and what belongs to it.
struct Begun {
    relay: Relay,
    /// Where the next relay asks, and the name to be removed at the end.
    door: Option<(Door, Nameplate)>,
    /// What it leaves to the next: the socket for its metrics, if an old one left it that.
    estate: Estate,
    manager: Manager,
}

/// What ends the wait of the main thread.
enum Ended {
    Signal,
    Run(io::Result<()>),
}

/// Serves until a signal comes, or another relay takes over.
pub(super) fn serve(service: Service) -> Result<(), String> {
    let Service {
        port,
        mut config,
        limits,
        reports,
        restart,
    } = service;
    // Before anything else is started, so that no signal finds the old handling.
    let termination = Termination::install().map_err(failed("cannot handle signals"))?;
    config.limits = limits.resolve(raise_descriptor_limit());
    let mut begun = begin(port, config, restart.takeover.as_deref())?;
    let address = local(begun.relay.local_addr())?;
    let scribe = Arc::new(Scribe::new(reports.format, reports.full_ids));
    let left = begun.estate.metrics.take();
    begun.estate.metrics = match reports.metrics {
        Some(wanted) => Some(listen_for_metrics(wanted, left)?),
        None => None,
    };
    tell(&scribe, "listening", address);
    let closing = Arc::new(Bell::new().map_err(failed("cannot open a descriptor"))?);
    if let Some(listener) = &begun.estate.metrics {
        let stats = begun.relay.stats();
        let page = move || Exposition(&stats.snapshot()).to_string();
        http::serve(Arc::clone(listener), Arc::clone(&closing), page)
            .map_err(failed("cannot start a thread"))?;
        tell(&scribe, "metrics", local(listener.local_addr())?);
    }

    let journal = Journal::start(&scribe, reports.quiet);
    let journal = journal.map_err(failed("cannot start a thread"))?;
    let result = run(begun, termination, &journal, restart.drain, closing);
    journal.flush();
    result
}

/// The socket that an old relay `left` is taken when it is the one: nobody else could have its port.
fn listen_for_metrics(
    wanted: SocketAddr,
    left: Option<Arc<TcpListener>>,
) -> Result<Arc<TcpListener>, String> {
    let fits = |listener: &Arc<TcpListener>| {
        listener.local_addr().is_ok_and(|has| {
            has.ip() == wanted.ip() && (wanted.port() == 0 || has.port() == wanted.port())
        })
    };
    match left.filter(fits) {
        Some(listener) => Ok(listener),
        None => listen(wanted)
            .map(Arc::new)
            .map_err(failed(&format!("cannot serve --metrics {wanted}"))),
    }
}

fn tell(scribe: &Scribe, what: &str, address: SocketAddr) {
    let line = scribe.listening(what, &address, SystemTime::now());
    // Nobody may be reading: that is no reason not to serve.
    let _ = io::stderr().write_all(line.as_bytes());
}

fn begin(port: Option<u16>, config: Config, takeover: Option<&Path>) -> Result<Begun, String> {
    let manager = Manager::from_environment();
    let own = Estate {
        metrics: None,
        watchdog: service::watchdog(),
    };
    let bind = config.bind;
    if let Some(path) = takeover {
        let at = |error| {
            format!(
                "cannot take over through '{}': {}",
                shown(path),
                door(&error)
            )
        };
        if let Some(old) = takeover::ask(path).map_err(at)? {
            let estate = Estate {
                watchdog: own.watchdog.or(old.estate.watchdog),
                metrics: old.estate.metrics.clone(),
            };
            same_place(port, bind, local(old.local_addr())?, "the running relay")?;
            let name = Nameplate::read(path).map_err(at)?;
            let (relay, door) = {
                let manager = manager.clone();
                Relay::take_over(old, config, move || manager.moved())
            };
            return Ok(Begun {
                relay,
                door: Some((door, name)),
                estate,
                manager,
            });
        }
    }
    let passed = service::listener().map_err(failed("cannot use the socket that was passed"))?;
    let relay = match (passed, port) {
        (Some(listener), _) => {
            let address = local(listener.local_addr())?;
            same_place(port, bind, address, "the socket that was passed")?;
            Relay::with(listener, config)
                .map_err(failed("cannot use the socket that was passed"))?
        }
        (None, Some(port)) => listen_at(port, config)?,
        (None, None) => {
            let path = takeover.unwrap_or(Path::new(""));
            return Err(format!(
                "no relay is behind '{}': name the PORT to begin there",
                shown(path)
            ));
        }
    };
    // Behind the port, which only one of two that start at the same time can have.
    let open = |path: &Path| Door::open(path).and_then(|door| Ok((door, Nameplate::read(path)?)));
    let door = takeover
        .map(|path| {
            open(path).map_err(|error| {
                format!(
                    "cannot listen for a takeover at '{}': {}",
                    shown(path),
                    door(&error)
                )
            })
        })
        .transpose()?;
    Ok(Begun {
        relay,
        door,
        estate: own,
        manager,
    })
}

fn listen_at(port: u16, config: Config) -> Result<Relay, String> {
    let place = config
        .bind
        .map_or_else(|| format!("port {port}"), |ip| format!("{ip}, port {port}"));
    Relay::bind(port, config).map_err(failed(&format!("cannot listen on {place}")))
}

/// A relay that was told another address or port than it gets would serve where nobody looks for it, or
/// where somebody wants it not to.
fn same_place(
    port: Option<u16>,
    bind: Option<IpAddr>,
    has: SocketAddr,
    whose: &str,
) -> Result<(), String> {
    let (ip, at) = (has.ip().to_canonical(), has.port());
    let other_port = port.filter(|&port| port != 0 && port != at);
    let other_ip = bind.filter(|bind| bind.to_canonical() != ip);
    let (here, wanted) = match (other_port, other_ip) {
        (Some(port), _) => (format!("port {at}"), port.to_string()),
        (None, Some(bind)) => (format!("address {ip}"), bind.to_string()),
        (None, None) => return Ok(()),
    };
    Err(format!(
        "{whose} listens on {here}, not {wanted}: name that one, or end it first"
    ))
}

fn local(address: io::Result<SocketAddr>) -> Result<SocketAddr, String> {
    address.map_err(failed("cannot tell the port"))
}

fn run(
    begun: Begun,
    termination: Termination,
    journal: &Journal,
    drain: Duration,
    closing: Arc<Bell>,
) -> Result<(), String> {
    let Begun {
        relay,
        door,
        estate,
        manager,
    } = begun;
    let watchdog = estate.watchdog;
    let (door, name) = door.unzip();
    let control = relay.control();
    let tenure = Arc::new(Tenure::new(manager.clone(), name, closing));
    let (ended, end) = channel(usize::MAX);
    // Ends when another relay has taken the place and said so.
    let (serving, served) = channel::<()>(1);

    let signalled = ended.clone();
    let threads = spawn(move || {
        loop {
            termination.wait();
            if signalled.send(Ended::Signal).is_err() {
                return;
            }
        }
    })
    .and_then(|()| {
        let journal = journal.clone();
        spawn(move || {
            let run = AssertUnwindSafe(|| relay.run(&|event| journal.note(event)));
            let fault = |_| Err(io::Error::other("a fault of the program"));
            let _ = ended.send(Ended::Run(catch_unwind(run).unwrap_or_else(fault)));
        })
    })
    .and_then(|()| match door {
        Some(door) => {
            let (control, tenure) = (control.clone(), Arc::clone(&tenure));
            spawn(move || {
                takeover::serve(&door, &control, &estate, &*tenure);
                drop(serving);
            })
        }
        None => Ok(()),
    })
    .and_then(|()| report(&control, manager, watchdog, &tenure));
    threads.map_err(failed("cannot start a thread"))?;
    // The threads end with the process, when this function's result becomes its status.
    let result = wait(&end, drain, &control, &tenure);
    if !tenure.lasts() {
        let _ = served.receive(Some(Instant::now() + LAST));
    }
    result.map_err(failed("cannot go on"))
}

/// Waits until the relay has ended; the first signal has it drain, and the second end.
fn wait(
    end: &Receiver<Ended>,
    drain: Duration,
    control: &Control,
    tenure: &Tenure,
) -> io::Result<()> {
    let mut until: Option<Instant> = None;
    loop {
        match end.receive(until) {
            Ok(Ended::Run(result)) => {
                tenure.leave();
                return result;
            }
            Ok(Ended::Signal) => {
                tenure.leave();
                if until.is_none() {
                    control.drain(drain);
                    until = Some(Instant::now() + drain + LAST);
                } else {
                    control.end();
                    until = Some(Instant::now() + LAST);
                }
            }
            // The process's end closes what a hanging thread has left.
            Err(_) => return Ok(()),
        }
    }
}

/// Tells the service manager, if there is one, when the relay serves, and that it lives.
fn report(
    control: &Control,
    manager: Manager,
    watchdog: Option<Duration>,
    tenure: &Arc<Tenure>,
) -> io::Result<()> {
    if !manager.listens() {
        return Ok(());
    }
    let (control, tenure) = (control.clone(), Arc::clone(tenure));
    spawn(move || {
        if control.lives(FIRST) {
            manager.ready();
        }
        let Some(half) = watchdog.map(|time| time / 2) else {
            return;
        };
        while tenure.lasts() {
            let begun = Instant::now();
            if control.lives(half) {
                manager.watchdog();
            }
            std::thread::sleep(half.saturating_sub(begun.elapsed()));
        }
    })
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().spawn(work).map(drop)
}

fn failed(what: &str) -> impl Fn(io::Error) -> String {
    move |error| failure(what, &error)
}

#[cold]
fn failure(what: &str, error: &io::Error) -> String {
    format!("{what}: {}", reason(error))
}

fn shown(path: &Path) -> Printable<'_> {
    args::shown(path.as_os_str())
}

/// What is wrong with the path of a takeover.
fn door(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidInput => {
            "it is too long for a socket: choose a path of at most 100 bytes".into()
        }
        io::ErrorKind::AlreadyExists => {
            "what is there is not a socket: remove it, or choose another path".into()
        }
        io::ErrorKind::AddrInUse => "another process listens there: choose another path".into(),
        io::ErrorKind::Unsupported => {
            "this build cannot pass sockets on: build it with the feature 'libc'".into()
        }
        _ => reason(error),
    }
}
