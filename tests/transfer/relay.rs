//! A relay small enough to be seen to be right, and a folder that is removed at the end.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Waiting = Arc<Mutex<HashMap<Vec<u8>, TcpStream>>>;

/// Listens on a free port until the process ends.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    waiting: Waiting,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = Waiting::default();
        let shared = Arc::clone(&waiting);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let waiting = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &waiting));
            }
        });
        Self { address, waiting }
    }

    /// Returns once somebody waits under `id`.
    pub(crate) fn await_listener(&self, id: &str) {
        wait_until("a listener", || {
            self.waiting.lock().unwrap().contains_key(id.as_bytes())
        });
    }
}

fn serve(mut stream: TcpStream, waiting: &Waiting) -> io::Result<()> {
    let mut hello = Vec::new();
    while hello.last() != Some(&b'$') {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        hello.push(byte[0]);
    }
    let id = hello[1..hello.len() - 1].to_vec();
    if hello[0] == b'T' {
        waiting.lock().unwrap().insert(id, stream);
        return Ok(());
    }
    let listener = waiting.lock().unwrap().remove(&id);
    let Some(listener) = listener else {
        return stream.write_all(b"X");
    };
    stream.write_all(b"O")?;
    let (from, to) = (stream.try_clone()?, listener.try_clone()?);
    let back = thread::spawn(move || pump(listener, stream));
    pump(from, to);
    let _ = back.join();
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => {}
            _ => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A new folder, removed when dropped.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("p2pxfer-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.path).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
