//! As much of HTTP/1 (RFC 9112) as a scrape and a health check need.
//!
//! A request is judged by a function without I/O. The server around it gives every connection a
//! thread for a few seconds at most, and ends the oldest to serve one too many: who connects and
//! says nothing cannot keep a health check waiting.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::metrics::CONTENT_TYPE;
use crate::sys::bell::Bell;

/// Longest request, in bytes.
const REQUEST_MAX: usize = 4096;
/// How long a connection may take in all, from its accept.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a client may go on sending after its answer.
const LINGER: Duration = Duration::from_millis(500);
/// How many connections there are at once.
const CONNECTIONS: usize = 8;
/// How long accepting rests when the system has no descriptor or thread left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Stack of a thread, in bytes.
const STACK: usize = 128 << 10;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Metrics,
    Health,
}

/// What a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The page, its content only if it is wanted.
    Page(Page, bool),
    /// No: this status, with this to say.
    No(&'static str, &'static str),
}

/// Judges the first bytes of a connection; `None` when more are needed.
fn judge(bytes: &[u8]) -> Option<Answer> {
    const BAD: Answer = Answer::No("400 Bad Request", "not an HTTP/1 request\n");
    let Some(line) = bytes.split(|&byte| byte == b'\n').next() else {
        return Some(BAD);
    };
    // No request needs such a byte before its end: who sends it speaks something else.
    if bytes
        .iter()
        .any(|&byte| byte < b' ' && !b"\r\n\t".contains(&byte))
    {
        return Some(BAD);
    }
    let ends = |end: &[u8]| bytes.windows(end.len()).any(|window| window == end);
    if !ends(b"\r\n\r\n") && !ends(b"\n\n") {
        return (bytes.len() >= REQUEST_MAX).then_some(Answer::No(
            "431 Request Header Fields Too Large",
            "a request has at most 4096 bytes\n",
        ));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let words: Vec<_> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return Some(BAD);
    };
    if !version.starts_with(b"HTTP/1.") {
        return Some(BAD);
    }
    let wants_content = match method {
        b"GET" => true,
        b"HEAD" => false,
        _ => {
            return Some(Answer::No(
                "405 Method Not Allowed\r\nAllow: GET, HEAD",
                "only GET and HEAD\n",
            ));
        }
    };
    let page = match target.split(|&byte| byte == b'?').next() {
        Some(b"/metrics") => Page::Metrics,
        Some(b"/healthz") => Page::Health,
        _ => {
            return Some(Answer::No(
                "404 Not Found",
                "there are /metrics and /healthz\n",
            ));
        }
    };
    Some(Answer::Page(page, wants_content))
}

/// The connections at once, oldest first.
#[derive(Default)]
struct Guests {
    streams: Mutex<VecDeque<Arc<TcpStream>>>,
    left: Condvar,
}

impl Guests {
    fn streams(&self) -> MutexGuard<'_, VecDeque<Arc<TcpStream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, when there is room; makes room if need be.
    fn add(&self, stream: &Arc<TcpStream>) {
        let mut streams = self.streams();
        while streams.len() >= CONNECTIONS {
            if let Some(oldest) = streams.front() {
                // Its thread wakes from that; one that has ended already is on its way out.
                let _ = oldest.shutdown(Shutdown::Both);
            }
            streams = self
                .left
                .wait(streams)
                .unwrap_or_else(PoisonError::into_inner);
        }
        streams.push_back(Arc::clone(stream));
    }

    fn remove(&self, stream: &Arc<TcpStream>) {
        self.streams().retain(|other| !Arc::ptr_eq(other, stream));
        self.left.notify_one();
    }
}

/// Serves on a thread of its own until `closing` rings; `metrics` writes the page of that name.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn serve(
    listener: Arc<TcpListener>,
    closing: Arc<Bell>,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> io::Result<()> {
    let metrics = Arc::new(metrics);
    let guests = Arc::new(Guests::default());
    let accept = move || {
        loop {
            let stream = match closing.accept(&listener) {
                Ok(Some((stream, _))) => stream,
                Ok(None) => return,
                Err(_) => {
                    // Mostly a lack of descriptors, which would be found again at once.
                    std::thread::sleep(EXHAUSTED);
                    continue;
                }
            };
            let until = Instant::now() + DEADLINE;
            let stream = Arc::new(stream);
            guests.add(&stream);
            let (guest, others, metrics) = (
                Arc::clone(&stream),
                Arc::clone(&guests),
                Arc::clone(&metrics),
            );
            let spawned = Builder::new().stack_size(STACK).spawn(move || {
                // Who does not take its answer in has done without it.
                let _ = attend(&guest, &*metrics, until);
                others.remove(&guest);
            });
            if spawned.is_err() {
                guests.remove(&stream);
                std::thread::sleep(EXHAUSTED);
            }
        }
    };
    Builder::new().stack_size(STACK).spawn(accept).map(drop)
}

fn attend(mut stream: &TcpStream, metrics: &dyn Fn() -> String, until: Instant) -> io::Result<()> {
    let mut request = [0; REQUEST_MAX];
    let mut length = 0;
    let answer = loop {
        if let Some(answer) = judge(&request[..length]) {
            break answer;
        }
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut request[length..]) {
            Ok(0) => return Ok(()),
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let (status, kind, content, wanted) = match answer {
        Answer::Page(Page::Metrics, wanted) => ("200 OK", CONTENT_TYPE, metrics(), wanted),
        Answer::Page(Page::Health, wanted) => ("200 OK", "text/plain", "ok\n".into(), wanted),
        Answer::No(status, why) => (status, "text/plain", why.into(), true),
    };
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    if wanted {
        response.push_str(&content);
    }
    // It fits into the kernel's buffer, so this is one write.
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(response.as_bytes())?;
    drain(stream, until.min(Instant::now() + LINGER))
}

/// Ends the stream's data and takes in what still comes: a close with unread bytes would become a
/// reset, which can destroy the answer.
fn drain(mut stream: &TcpStream, until: Instant) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    loop {
        stream.set_read_timeout(Some(left(until)?))?;
        if stream.read(&mut [0; REQUEST_MAX])? == 0 {
            return Ok(());
        }
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_judged_when_it_is_whole_and_not_before() {
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        for cut in 0..request.len() {
            assert_eq!(judge(&request[..cut]), None, "{cut}");
        }
        assert_eq!(judge(request), Some(Answer::Page(Page::Metrics, true)));
    }

    #[test]
    fn each_request_has_its_answer() {
        let status = |request: &[u8]| match judge(request) {
            Some(Answer::No(status, _)) => status.get(..3).unwrap_or_default(),
            Some(Answer::Page(Page::Metrics, true)) => "metrics",
            Some(Answer::Page(Page::Health, true)) => "health",
            Some(Answer::Page(_, false)) => "head",
            None => "more",
        };
        for (request, wanted) in [
            (&b"GET /metrics HTTP/1.0\n\n"[..], "metrics"),
            (b"GET /metrics?x=y HTTP/1.1\r\n\r\n", "metrics"),
            (b"GET /healthz HTTP/1.1\r\n\r\n", "health"),
            (b"HEAD /healthz HTTP/1.1\r\n\r\n", "head"),
            (b"GET / HTTP/1.1\r\n\r\n", "404"),
            (b"GET /metrics/ HTTP/1.1\r\n\r\n", "404"),
            (b"GET /../metrics HTTP/1.1\r\n\r\n", "404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
            (b"GET /metrics\r\n\r\n", "400"),
            (b"GET /metrics SPDY/3\r\n\r\n", "400"),
            (b"GET  /metrics HTTP/1.1\r\n\r\n", "400"),
            (b"\r\n\r\n", "400"),
            (b"\x16\x03\x01\x02", "400"),
            (b"Talice$", "more"),
            (&[b'a'; REQUEST_MAX - 1], "more"),
            (&[b'a'; REQUEST_MAX], "431"),
        ] {
            assert_eq!(status(request), wanted, "{}", request.escape_ascii());
        }
    }
}
