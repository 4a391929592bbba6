//! The programs that are compared, each as a way from one end to another through it.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::process::Relay;
use crate::raw::{self, Ends};
use crate::tree;

/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A running program that carries bytes.
pub(crate) struct Route {
    pub(crate) name: String,
    /// How many resting pairs it is asked to hold at most: where each is a process or threads, a
    /// thousand say as much as ten thousand.
    pub(crate) most: usize,
    kind: Kind,
}

enum Kind {
    /// Our relay, and the number of ids given out.
    Relay(Relay, AtomicU64),
    Proxy(Proxy),
}

/// A proxy before a server, which is this process.
struct Proxy {
    child: Child,
    port: u16,
    server: TcpListener,
}

impl Route {
    /// Our relay with a backend.
    pub(crate) fn ours(backend: &str) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_p2p-relay"));
        Self::relay(program, backend.into(), backend)
    }

    /// A build of our relay with a backend.
    pub(crate) fn relay(program: &Path, name: String, backend: &str) -> Self {
        let args = [
            "--bind",
            "127.0.0.1",
            "--backend",
            backend,
            "--source-rate",
            "0",
            "--source-connections",
            "0",
            "--quiet",
            "0",
        ];
        Self {
            name,
            most: if backend == "threads" { 1000 } else { 10_000 },
            kind: Kind::Relay(Relay::start(program, &args), AtomicU64::new(0)),
        }
    }

    /// HAProxy, tuned for this.
    pub(crate) fn haproxy(folder: &Path) -> Result<Self, &'static str> {
        // Of the descriptors that it may have, it keeps some for the pipes it splices through.
        Self::proxy("haproxy", 5000, |listen, connect| {
            let config = folder.join("haproxy.cfg");
            let text = format!(
                "global\n  nbthread 2\n  tune.pipesize 1048576\n\
                 defaults\n  mode tcp\n  option splice-request\n  option splice-response\n  \
                 timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n\
                 listen bench\n  bind 127.0.0.1:{listen}\n  server driver 127.0.0.1:{connect}\n"
            );
            fs::write(&config, text).expect("room for a configuration");
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-q").arg("-f").arg(config);
            command
        })
    }

    /// nginx's stream module as it comes, with as many workers as HAProxy has threads.
    pub(crate) fn nginx(folder: &Path) -> Result<Self, &'static str> {
        if !Path::new(NGINX_STREAM).exists() {
            return Err("nginx with libnginx-mod-stream not installed");
        }
        Self::proxy("nginx", 10_000, |listen, connect| {
            let config = folder.join("nginx.conf");
            let pid = folder.join("nginx.pid");
            let text = format!(
                "load_module {NGINX_STREAM};\ndaemon off;\nworker_processes 2;\n\
                 pid \"{}\";\nerror_log /dev/null;\nevents {{ worker_connections 30000; }}\n\
                 stream {{ server {{ listen 127.0.0.1:{listen}; \
                 proxy_pass 127.0.0.1:{connect}; }} }}\n",
                pid.display()
            );
            fs::write(&config, text).expect("room for a configuration");
            let mut command = Command::new("nginx");
            command.args(["-e", "/dev/null", "-p"]).arg(folder);
            command.arg("-c").arg(config);
            command
        })
    }

    /// socat, a process for each connection.
    pub(crate) fn socat() -> Result<Self, &'static str> {
        Self::proxy("socat", 100, |listen, connect| {
            let mut command = Command::new("socat");
            command
                .arg(format!(
                    "TCP4-LISTEN:{listen},bind=127.0.0.1,reuseaddr,fork,nodelay,backlog=1024"
                ))
                .arg(format!("TCP4:127.0.0.1:{connect},nodelay"));
            command
        })
    }

    fn proxy(
        name: &str,
        most: usize,
        command: impl Fn(u16, u16) -> Command,
    ) -> Result<Self, &'static str> {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let connect = server.local_addr().expect("an address").port();
        let deadline = Instant::now() + PATIENCE;
        // These programs do not take port 0, so somebody may take a free port before them.
        loop {
            let port = free_port();
            let mut command = command(port, connect);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let child = match command.stderr(Stdio::null()).spawn() {
                Ok(child) => child,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err("program not installed");
                }
                Err(error) => panic!("cannot start {command:?}: {error}"),
            };
            let mut proxy = Proxy {
                child,
                port,
                server: server.try_clone().expect("a descriptor"),
            };
            if proxy.listens(deadline) {
                let kind = Kind::Proxy(proxy);
                let name = name.into();
                return Ok(Self { name, most, kind });
            }
            assert!(Instant::now() < deadline, "{command:?} does not listen");
        }
    }

    /// Two ends that are connected through it.
    pub(crate) fn connect(&self) -> Ends {
        match &self.kind {
            Kind::Relay(relay, ids) => raw::meet(relay.port(), &next(ids)),
            Kind::Proxy(proxy) => {
                let client = raw::dial(proxy.port);
                (proxy.accept(), client)
            }
        }
    }

    /// `count` batches of `size` pairs of ends; for a proxy those of a batch belong together only as a
    /// whole. All of one kind are opened before the first of the other is, so that none waits for its
    /// own.
    pub(crate) fn batches(&self, size: usize, count: usize) -> Batches<'_> {
        Batches {
            route: self,
            size,
            count,
            ahead: None,
        }
    }

    /// A listener that waits; `None` for a proxy, which knows no such thing.
    pub(crate) fn listen(&self) -> Option<TcpStream> {
        match &self.kind {
            Kind::Relay(relay, ids) => Some(raw::listen(relay.port(), &next(ids))),
            Kind::Proxy(_) => None,
        }
    }

    /// Processor seconds of the program and its processes so far.
    pub(crate) fn cpu(&self) -> f64 {
        tree::cpu(self.pid())
    }

    /// Bytes that the program and its processes hold in memory, what they share counted in parts.
    pub(crate) fn resident(&self) -> f64 {
        tree::resident(self.pid())
    }

    fn pid(&self) -> u32 {
        match &self.kind {
            Kind::Relay(relay, _) => relay.pid(),
            Kind::Proxy(proxy) => proxy.child.id(),
        }
    }
}

/// Batches of pairs of ends, made as they are taken.
pub(crate) struct Batches<'a> {
    route: &'a Route,
    size: usize,
    /// How many are to come.
    count: usize,
    /// The listeners of the next batch, which wait already: the relay does not answer a listener, and
    /// a caller that came before it was registered would be refused.
    ahead: Option<Vec<(TcpStream, String)>>,
}

impl Iterator for Batches<'_> {
    type Item = Vec<Ends>;

    fn next(&mut self) -> Option<Vec<Ends>> {
        self.count = self.count.checked_sub(1)?;
        let size = self.size;
        match &self.route.kind {
            Kind::Relay(relay, ids) => {
                let port = relay.port();
                let wait = || {
                    let listener = |id: String| (raw::greet(raw::dial_plain(port), 'T', &id), id);
                    (0..size).map(|_| listener(next(ids))).collect()
                };
                let waiting = self.ahead.take().unwrap_or_else(wait);
                self.ahead = (self.count > 0).then(wait);
                let call = |(_, id): &(_, String)| raw::greet(raw::dial_plain(port), 'C', id);
                let callers: Vec<_> = waiting.iter().map(call).collect();
                let meet = |((listener, id), mut caller): ((TcpStream, String), TcpStream)| {
                    if raw::has_met(&mut caller) {
                        (listener, caller)
                    } else {
                        (listener, raw::call(port, &id))
                    }
                };
                Some(waiting.into_iter().zip(callers).map(meet).collect())
            }
            Kind::Proxy(proxy) => {
                let clients: Vec<_> = (0..size).map(|_| raw::dial_plain(proxy.port)).collect();
                let accept = |client| (proxy.accept(), client);
                Some(clients.into_iter().map(accept).collect())
            }
        }
    }
}

impl Proxy {
    fn listens(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if let Ok(client) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                // Whoever listens there connects to us, or it is not the proxy.
                drop(self.accept());
                drop(client);
                return true;
            }
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
        }
        false
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = self.server.accept().expect("a connection of the proxy");
        stream
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Not the signal that cannot be caught: a master ends its workers itself.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            // Fails only when it is gone already.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn next(ids: &AtomicU64) -> String {
    format!("{}", ids.fetch_add(1, Ordering::Relaxed))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A folder for configurations, which must be this process's own.
pub(crate) fn folder(parent: &Path) -> PathBuf {
    let folder = parent.join("configs");
    fs::create_dir_all(&folder).expect("a folder for configurations");
    folder
}
