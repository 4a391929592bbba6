//! The relay's events as lines on standard error.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::line::Scribe;
use crate::io::{Receiver, Sender, channel};
use crate::relay::Event;

/// Lines that may wait for standard error. More are counted and dropped: an operator's stopped
/// terminal must not stop the relay.
const WAITING: usize = 4096;
/// How long the end of the process waits for the last lines.
const LAST: Duration = Duration::from_millis(200);

/// Hands lines to a thread that writes them; without that thread, drops them.
#[derive(Clone)]
pub(super) struct Journal(Option<Arc<Queue>>);

struct Queue {
    entries: Sender<Entry>,
    scribe: Arc<Scribe>,
    dropped: AtomicU64,
}

enum Entry {
    Line(String),
    /// To be answered when all before it was written.
    Flush(Sender<()>),
}

impl Journal {
    /// Starts the writing thread, unless nothing is to be written.
    pub(super) fn start(scribe: &Arc<Scribe>, quiet: bool) -> io::Result<Self> {
        if quiet {
            return Ok(Self(None));
        }
        let (entries, received) = channel(WAITING);
        let queue = Arc::new(Queue {
            entries,
            scribe: Arc::clone(scribe),
            dropped: AtomicU64::new(0),
        });
        let counted = Arc::clone(&queue);
        std::thread::Builder::new().spawn(move || write(&received, &counted))?;
        Ok(Self(Some(queue)))
    }

    /// Notes an event; never blocks.
    pub(super) fn note(&self, event: &Event<'_>) {
        if let Some(queue) = &self.0 {
            let line = queue.scribe.event(event, SystemTime::now());
            if queue.entries.send(Entry::Line(line)).is_err() {
                queue.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Gives the lines so far a moment to be written.
    pub(super) fn flush(&self) {
        if let Some(queue) = &self.0 {
            let (written, wait) = channel(1);
            if queue.entries.send(Entry::Flush(written)).is_ok() {
                let _ = wait.receive(Some(Instant::now() + LAST));
            }
        }
    }
}

/// Writes until the process ends; lines that came together are written together.
fn write(entries: &Receiver<Entry>, queue: &Queue) {
    let mut text = String::new();
    let mut waiting = Vec::new();
    while let Ok(first) = entries.receive(None) {
        let now = Some(Instant::now());
        let mut next = Ok(first);
        // No more at a time than may wait, or a flood would keep it from ever writing.
        for _ in 0..WAITING {
            match next {
                Ok(Entry::Line(line)) => text.push_str(&line),
                Ok(Entry::Flush(written)) => waiting.push(written),
                Err(_) => break,
            }
            next = entries.receive(now);
        }
        let lost = queue.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            text.push_str(&queue.scribe.dropped(lost, SystemTime::now()));
        }
        // Nobody may be reading: that is no reason to stop serving.
        let _ = io::stderr().write_all(text.as_bytes());
        text.clear();
        waiting.clear();
    }
}
