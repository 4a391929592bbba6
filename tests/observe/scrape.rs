//! A relay with metrics, and asking it for them.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::{Duration, Instant};

use super::common::{DEADLINE, Relay, connect, wait_until};

/// A relay with `--metrics`.
pub(crate) struct Watched {
    relay: Relay,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
}

impl Deref for Watched {
    type Target = Relay;

    fn deref(&self) -> &Relay {
        &self.relay
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Watched {
    pub(crate) fn start(backend: &str, options: &[&str]) -> Self {
        let relay = Relay::start(backend, &[&["--metrics", "127.0.0.1:0"], options].concat());
        let line = relay.wait_for("metrics", &[]);
        let metrics = line.strip_prefix("metrics on ").expect("a line of ours");
        Self {
            metrics: metrics.parse().expect("an address"),
            relay,
        }
    }

    /// The page, which has to be there.
    pub(crate) fn page(&self) -> String {
        let answer = get(self.metrics, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(answer.status, 200, "{}", answer.head);
        answer.body
    }

    /// The value of one series, which has to be there.
    pub(crate) fn value(&self, series: &str) -> u64 {
        value(&self.page(), series)
    }

    /// Waits until a series has this value.
    pub(crate) fn wait_value(&self, series: &str, wanted: u64) {
        let until = Instant::now() + DEADLINE;
        loop {
            let now = self.value(series);
            if now == wanted {
                return;
            }
            assert!(Instant::now() < until, "{series} is {now}, not {wanted}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until each of these series has its value.
    pub(crate) fn wait_values(&self, values: &[(&str, u64)]) {
        for (series, wanted) in values {
            self.wait_value(series, *wanted);
        }
        // None went on after it was seen.
        let page = self.page();
        for (series, wanted) in values {
            assert_eq!(value(&page, series), *wanted, "{series}");
        }
    }

    /// Waits until the relay's process has no more than so many threads.
    pub(crate) fn wait_threads(&self, most: usize) {
        wait_until("the threads have ended", || self.threads() <= most);
    }

    /// Threads of the relay's process; 0 where the system does not tell.
    pub(crate) fn threads(&self) -> usize {
        let path = format!("/proc/{}/task", self.relay.child.id());
        std::fs::read_dir(path).map_or(0, Iterator::count)
    }
}

/// The value of `p2p_relay_<series>`.
pub(crate) fn value(page: &str, series: &str) -> u64 {
    let found = page.lines().find_map(|line| {
        let rest = line.strip_prefix("p2p_relay_")?.strip_prefix(series)?;
        rest.strip_prefix(' ')?.parse().ok()
    });
    found.unwrap_or_else(|| panic!("no {series} in\n{page}"))
}

/// Sends these bytes and reads the answer to its end.
pub(crate) fn get(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_ref()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Tells that a test could not run, past the test harness, which keeps what a passed test prints.
pub(crate) fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIP observe/{why}");
}
