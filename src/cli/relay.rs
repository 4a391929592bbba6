//! `p2p-relay`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::args::{self, Flag, Takes, UsageError};
use super::limits::LimitOptions;
use super::line::Format;
use super::restart::{Restart, serve};
use super::{service, status};
use crate::relay::{Backend, Config, Network, NetworkError};

const HELP: &str = "\
Lets two hosts that cannot reach each other meet: one waits under a user id, the
other calls it, and the relay passes the bytes between them.

usage: p2p-relay [options] PORT
       p2p-relay --status ADDR:PORT

PORT is the TCP port to listen on; 0 picks a free one, which the first line on
standard error names. It may be left out when systemd or --takeover gives the socket.

  --bind ADDR             listen on this IPv4 or IPv6 address only
                          (default: every address, IPv6 and IPv4)
  --hello-timeout SECS    how long a connection may take to say what it wants
                          (default 10)
  --idle-timeout SECS     end a pair after so long without a byte in either
                          direction (default 0: never)
  --half-close SECS       after one side has ended: end the other when nothing
                          has moved for so long (default 30)
  --max-connections N     at most N connections at once; more wait for their turn
                          (default: as many as there are descriptors)
  --reserve N             descriptors that connections leave free (default 64)
  --source-connections N  at most N connections at once from one source, an IPv4
                          address or an IPv6 /56 (default: a quarter of all, 64 at
                          least; 0 for no limit)
  --source-listeners N    at most N of them waiting (default: as many)
  --source-rate N         at most N new connections a second from one source, after
                          a burst of 4 N (default 1000; 0 for no limit)
  --source-bytes RATE     bytes a second that one source may send in all: 500000,
                          500K, 20M, 1G (default 0: no limit)
  --pair-bytes RATE       bytes a second of one pair, both directions together
                          (default 0: no limit)
  --proxy-protocol        behind a balancer: each connection begins with a header of
                          the PROXY protocol, version 2, that tells its true address
  --proxy-from ADDR[/LEN][,..]
                          the balancers' addresses; others are refused
  --drain SECS            when asked to end: how long pairs may go on (default 30)
  --takeover PATH         take the place of the relay that was started with the
                          same PATH, and give it to the next: nobody is refused,
                          nobody who waits has to come back
  --backend NAME          epoll (default on Linux) or threads (everywhere)
  --metrics ADDR:PORT     serve /metrics for Prometheus and /healthz there, by HTTP
  --status ADDR:PORT      print the metrics of the relay that has them there; end
  --log FORMAT            text (default), or json: one object a line
  --log-ids               show user ids in full; without it, a keyed hash of each
  --quiet                 no line for each event
  --version               print the version and end
  --help                  print this and end

Each event is a line on standard error: registered, matched, refused or closed,
with the reason and the bytes from each side. A user id is shown as a hash that
is the same until the relay ends, such as id=#5f0c21d4a97e. SIGINT and SIGTERM
end the relay: it accepts no more and lets its pairs end; a second one ends it
at once.

exit status: 0 ended by a signal, 1 failed, 2 wrong usage

example, on a host that everybody can reach:   p2p-relay 9000
then on the receiving host:                    recv_r - alice relay.example 9000
and on the sending host:                       send_r file.bin alice relay.example 9000
";

const FLAGS: &[Flag] = &[
    Flag::long("bind", Takes::Value),
    Flag::long("hello-timeout", Takes::Value),
    Flag::long("idle-timeout", Takes::Value),
    Flag::long("half-close", Takes::Value),
    Flag::long("max-connections", Takes::Value),
    Flag::long("reserve", Takes::Value),
    Flag::long("source-connections", Takes::Value),
    Flag::long("source-listeners", Takes::Value),
    Flag::long("source-rate", Takes::Value),
    Flag::long("source-bytes", Takes::Value),
    Flag::long("pair-bytes", Takes::Value),
    Flag::long("proxy-protocol", Takes::Nothing),
    Flag::long("proxy-from", Takes::Value),
    Flag::long("drain", Takes::Value),
    Flag::long("takeover", Takes::Value),
    Flag::long("backend", Takes::Value),
    Flag::long("metrics", Takes::Value),
    Flag::long("status", Takes::Value),
    Flag::long("log", Takes::Value),
    Flag::long("log-ids", Takes::Nothing),
    Flag::short(b'q', "quiet", Takes::Nothing),
    Flag::short(b'V', "version", Takes::Nothing),
    Flag::short(b'h', "help", Takes::Nothing),
];

/// Longest time that can be set, in seconds: a year.
const LONGEST: u64 = 365 * 24 * 60 * 60;

/// The command.
pub fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Ok(Request::Help) => print(HELP),
        Ok(Request::Version) => print(concat!("p2p-relay ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Request::Status(address)) => {
            status::fetch(address).map_or_else(|message| fail(&message), |text| print(&text))
        }
        Ok(Request::Serve(service)) => {
            serve(*service).map_or_else(|message| fail(&message), |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("p2p-relay: {error}");
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("p2p-relay: {message}");
    ExitCode::FAILURE
}

#[derive(Debug)]
enum Request {
    Help,
    Version,
    Status(SocketAddr),
    Serve(Box<Service>),
}

/// How to serve.
#[derive(Debug)]
pub(super) struct Service {
    /// There unless the service manager passes the socket.
    pub(super) port: Option<u16>,
    pub(super) config: Config,
    pub(super) limits: LimitOptions,
    pub(super) reports: Reports,
    pub(super) restart: Restart,
}

/// What the relay tells of itself, and where.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) quiet: bool,
    pub(super) format: Format,
    pub(super) full_ids: bool,
    pub(super) metrics: Option<SocketAddr>,
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let args = args::parse(arguments, FLAGS)?;
    let mut config = Config::default();
    let mut limits = LimitOptions::default();
    let mut reports = Reports::default();
    let mut restart = Restart::default();
    let mut status = None;
    let mut proxied = false;
    for (name, value) in &args.options {
        let value = value.as_deref();
        let seconds = |from| {
            args::number(&format!("--{name}"), value, from..=LONGEST, "seconds")
                .map(Duration::from_secs)
        };
        match *name {
            "help" => return Ok(Request::Help),
            "version" => return Ok(Request::Version),
            "quiet" => reports.quiet = true,
            "log-ids" => reports.full_ids = true,
            "log" => reports.format = format(value)?,
            "metrics" => reports.metrics = Some(socket_address(name, value)?),
            "status" => status = Some(socket_address(name, value)?),
            "proxy-protocol" => proxied = true,
            "proxy-from" => config.proxy_from = networks(value)?,
            "bind" => config.bind = Some(address(value)?),
            "hello-timeout" => config.hello_timeout = seconds(1)?,
            "idle-timeout" => {
                config.idle_timeout = Some(seconds(0)?).filter(|time| !time.is_zero())
            }
            "drain" => restart.drain = seconds(0)?,
            "takeover" => restart.takeover = Some(path(value)?),
            "half-close" => config.half_close = seconds(1)?,
            "backend" => config.backend = backend(value)?,
            _ => {
                // Whatever is left is a limit.
                limits.set(name, value)?;
            }
        }
    }
    if proxied == config.proxy_from.is_empty() {
        let text =
            "--proxy-protocol and --proxy-from ADDR go together: add the one that is missing";
        return Err(UsageError(text.into()));
    }
    // What listens already may have the port.
    let elsewhere = restart.takeover.is_some() || service::passes_listener();
    let serve_at = |port| {
        Request::Serve(Box::new(Service {
            port,
            config,
            limits,
            reports,
            restart,
        }))
    };
    match (status, args.words.as_slice()) {
        (Some(address), []) => Ok(Request::Status(address)),
        (Some(_), [word, ..]) => Err(UsageError(format!(
            "--status takes no PORT: leave '{}' out",
            args::shown(word)
        ))),
        (None, [port]) => {
            let port = args::number("PORT", Some(port), 0..=u64::from(u16::MAX), "a number")?;
            Ok(serve_at(Some(port as u16)))
        }
        (None, []) if elsewhere => Ok(serve_at(None)),
        (None, []) => Err(UsageError(
            "PORT is missing: 'p2p-relay 9000' listens on port 9000, --help tells more".into(),
        )),
        (None, [_, extra, ..]) => Err(UsageError(format!(
            "one PORT is enough, '{}' is too much: --help tells more",
            args::shown(extra)
        ))),
    }
}

fn path(value: Option<&OsStr>) -> Result<PathBuf, UsageError> {
    let given = value.filter(|path| !path.is_empty());
    given
        .map(PathBuf::from)
        .ok_or_else(|| UsageError("--takeover takes the path of a socket, not ''".into()))
}

fn address(value: Option<&OsStr>) -> Result<IpAddr, UsageError> {
    let text = value.and_then(OsStr::to_str).unwrap_or_default();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().map_err(|_| {
        let given = args::shown(value.unwrap_or_default());
        UsageError(format!(
            "--bind takes an IPv4 or IPv6 address, not '{given}'"
        ))
    })
}

fn networks(value: Option<&OsStr>) -> Result<Vec<Network>, UsageError> {
    let text = value.and_then(OsStr::to_str).unwrap_or_default();
    let networks: Result<_, NetworkError> = text.split(',').map(str::parse).collect();
    networks.map_err(|error| {
        let given = args::shown(value.unwrap_or_default());
        UsageError(format!("--proxy-from '{given}': {error}"))
    })
}

fn socket_address(name: &str, value: Option<&OsStr>) -> Result<SocketAddr, UsageError> {
    let text = value.and_then(OsStr::to_str).unwrap_or_default();
    text.parse().map_err(|_| {
        let given = args::shown(value.unwrap_or_default());
        UsageError(format!(
            "--{name} takes ADDR:PORT, such as 127.0.0.1:9100 or [::1]:9100, not '{given}'"
        ))
    })
}

fn format(value: Option<&OsStr>) -> Result<Format, UsageError> {
    match value.and_then(OsStr::to_str) {
        Some("text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        _ => {
            let given = args::shown(value.unwrap_or_default());
            Err(UsageError(format!(
                "--log takes text or json, not '{given}'"
            )))
        }
    }
}

fn backend(value: Option<&OsStr>) -> Result<Backend, UsageError> {
    let known = Backend::ALL
        .iter()
        .find(|backend| value == Some(OsStr::new(backend.name())));
    known.copied().ok_or_else(|| {
        let names: Vec<_> = Backend::ALL.iter().map(|backend| backend.name()).collect();
        let given = args::shown(value.unwrap_or_default());
        UsageError(format!(
            "--backend takes {} in this build, not '{given}'",
            names.join(" or ")
        ))
    })
}

/// What the system says, without its number.
#[cold]
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}
