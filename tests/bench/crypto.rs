//! `make bench-crypto`: what the cryptography takes of one core, beside well-known programs.
//!
//! A row measures ours and its rival in turn, so that both see the same machine, and compares the medians.
//! Ends with 1 when a row is below its limit.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use p2pxfer::crypto::aead;
use p2pxfer::crypto::blake3;
use p2pxfer::crypto::chacha20::ChaCha20;
use p2pxfer::crypto::cpace::{Initiator, Responder};
use p2pxfer::crypto::poly1305::Poly1305;
use p2pxfer::crypto::sha2::sha512;
use p2pxfer::crypto::x25519;

/// Bytes of a message: the largest record of version 2.
const SIZE: usize = 65536;
/// How often each side of a row is measured.
const TURNS: usize = 3;
/// How long a turn of ours takes; `openssl speed` is told the same.
const TURN: Duration = Duration::from_secs(1);

/// How long both sides of a handshake may take together.
const HANDSHAKE: Duration = Duration::from_millis(1);
/// Bytes of the file that is hashed.
const FILE_SIZE: usize = 512 << 20;
/// What a row counts a second, and how many of them its figures are in.
type Unit = (&'static str, f64);
const GIGABYTES: Unit = ("GB/s", 1e9);

/// Something of ours, beside the same thing of others.
struct Row<'a> {
    what: &'a str,
    unit: Unit,
    /// How much a second, measured for one turn.
    ours: Box<dyn Fn() -> f64 + 'a>,
    rival: Rival<'a>,
    /// The ratio to reach, where there is one.
    least: Option<f64>,
}

/// What a row is held against.
struct Rival<'a> {
    name: &'a str,
    /// How much a second, measured for one turn; `None` where the program is missing.
    speed: Box<dyn Fn() -> Option<f64> + 'a>,
}

fn main() -> ExitCode {
    let file = Scratch::new();
    let key = aead::Key::from([7; aead::KEY_SIZE]);
    let rows = [
        Row {
            what: "seal, records of 64 KiB",
            unit: GIGABYTES,
            ours: Box::new(|| {
                let mut nonce = 0_u64;
                speed(|text| {
                    nonce += 1;
                    let mut full = [0; aead::NONCE_SIZE];
                    full[4..].copy_from_slice(&nonce.to_le_bytes());
                    black_box(key.seal(&full, b"len", text));
                })
            }),
            rival: openssl("chacha20-poly1305"),
            least: Some(0.35),
        },
        Row {
            what: "open, records of 64 KiB",
            unit: GIGABYTES,
            ours: Box::new(|| {
                let nonce = [0; aead::NONCE_SIZE];
                let mut text = vec![0; SIZE];
                let tag = key.seal(&nonce, b"len", &mut text);
                let sealed = text.clone();
                speed(|_| {
                    // Copied, because opening twice fails; that costs ours a little.
                    text.copy_from_slice(&sealed);
                    let opened = key.open(&nonce, b"len", &mut text, &tag);
                    assert_eq!(opened, Ok(()), "our own record opens");
                })
            }),
            rival: openssl("chacha20-poly1305"),
            least: Some(0.35),
        },
        Row {
            what: "ChaCha20 alone",
            unit: GIGABYTES,
            ours: Box::new(|| {
                let cipher = ChaCha20::new(&[7; 32], &[0; 12]);
                speed(|text| cipher.apply(1, text))
            }),
            rival: openssl("chacha20"),
            least: None,
        },
        Row {
            what: "Poly1305 alone",
            unit: GIGABYTES,
            ours: Box::new(|| {
                speed(|text| {
                    let mut tag = Poly1305::new(&[7; 32]);
                    tag.update(text);
                    black_box(tag.finish());
                })
            }),
            rival: Rival {
                name: "no rival",
                speed: Box::new(|| None),
            },
            least: None,
        },
        Row {
            what: "SHA-512",
            unit: GIGABYTES,
            ours: Box::new(|| {
                speed(|text| {
                    black_box(sha512(text));
                })
            }),
            rival: openssl("sha512"),
            least: None,
        },
        Row {
            what: "BLAKE3, a file",
            unit: GIGABYTES,
            ours: Box::new(|| file.speed(hash_file)),
            rival: Rival {
                name: "b3sum",
                speed: Box::new(|| b3sum(&file.0, &["--version"]).map(|_| file.speed(b3sum_file))),
            },
            least: Some(0.35),
        },
    ];
    let mut reached = true;
    for row in &rows {
        reached &= row.run();
    }
    reached &= handshake();
    if reached {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Row<'_> {
    /// Measures and prints the row; whether its limit is reached.
    fn run(&self) -> bool {
        let turns = (0..TURNS).map(|_| ((self.ours)(), (self.rival.speed)()));
        let (ours, theirs): (Vec<_>, Vec<_>) = turns.unzip();
        let ours = median(ours);
        let (unit, scale) = self.unit;
        let shown = |figure: f64| format!("{:6.2} {unit}", figure / scale);
        let Some(theirs) = theirs.into_iter().collect::<Option<Vec<_>>>().map(median) else {
            let name = self.rival.name;
            println!("      {:<26}{}  ({name})", self.what, shown(ours));
            return true;
        };
        let ratio = ours / theirs;
        let (verdict, limit) = match self.least {
            Some(least) if ratio < least => ("FAIL", format!(", at least {least}")),
            Some(least) => ("PASS", format!(", at least {least}")),
            None => ("    ", String::new()),
        };
        println!(
            "{verdict}  {:<26}{}  {} {}  ratio {ratio:.2}{limit}",
            self.what,
            shown(ours),
            self.rival.name,
            shown(theirs),
        );
        verdict != "FAIL"
    }
}

/// A file in memory.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("p2pxfer-bench-{}", process::id());
        let path = Path::new("/dev/shm").join(name);
        let text: Vec<u8> = (0..FILE_SIZE).map(|i| (i * 7 + (i >> 8)) as u8).collect();
        let scratch = Self(path);
        fs::write(&scratch.0, text).expect("memory for the file");
        assert!(
            b3sum(&scratch.0, &["--version"]).is_none()
                || hash_file(&scratch.0) == b3sum_file(&scratch.0),
            "b3sum finds another hash"
        );
        scratch
    }

    /// Bytes a second.
    fn speed(&self, hash: impl Fn(&Path) -> String) -> f64 {
        let begun = Instant::now();
        black_box(hash(&self.0));
        FILE_SIZE as f64 / begun.elapsed().as_secs_f64()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The hash of a file, as `b3sum` prints it.
fn hash_file(path: &Path) -> String {
    let mut file = File::open(path).expect("the file is there");
    let mut hasher = blake3::Hasher::new();
    let mut text = vec![0; SIZE];
    loop {
        let read = file.read(&mut text).expect("memory can be read");
        if read == 0 {
            let hash = hasher.finish();
            return hash.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        hasher.update(&text[..read]);
    }
}

fn b3sum_file(path: &Path) -> String {
    let said = b3sum(path, &["--num-threads", "1", "--no-names"]);
    said.expect("it is installed").trim().to_owned()
}

/// What b3sum says; `None` where it is missing.
fn b3sum(path: &Path, options: &[&str]) -> Option<String> {
    let output = Command::new("b3sum")
        .args(options)
        .arg(path)
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}

/// Measures both sides' CPace, and X25519 alone; whether the limit is kept.
fn handshake() -> bool {
    let (ci, sid) = ([3; 100], [4; 32]);
    let both = each(|| {
        let (initiator, ya) = Initiator::new(b"secret", &ci, &sid, b"", [1; 32]);
        let (theirs, yb) = Responder::respond(b"secret", &ci, &sid, &ya, b"", b"", [2; 32])
            .expect("an honest share");
        let ours = initiator.finish(&yb, b"").expect("an honest share");
        assert!(ours.confirms(theirs.own()) && theirs.confirms(ours.own()));
    });
    let once = each(|| {
        black_box(x25519::public(black_box(&[5; 32])));
    });
    let micro = |time: Duration| format!("{:6.0} us", time.as_secs_f64() * 1e6);
    println!("      {:<26}{}", "X25519", micro(once));
    let verdict = if both < HANDSHAKE { "PASS" } else { "FAIL" };
    println!(
        "{verdict}  {:<26}{}, at most{}",
        "CPace, both sides",
        micro(both),
        micro(HANDSHAKE),
    );
    both < HANDSHAKE
}

/// What a job takes each time, over one turn.
fn each(mut job: impl FnMut()) -> Duration {
    job();
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < TURN {
        job();
        done += 1;
    }
    begun.elapsed() / done
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Bytes a second that a job on a text of [`SIZE`] bytes reaches in one turn.
fn speed(mut job: impl FnMut(&mut [u8])) -> f64 {
    let mut text = vec![0; SIZE];
    job(&mut text);
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < TURN {
        job(black_box(&mut text));
        done += SIZE;
    }
    done as f64 / begun.elapsed().as_secs_f64()
}

/// The same with OpenSSL's own measurement.
fn openssl(algorithm: &str) -> Rival<'_> {
    let speed = move || {
        let seconds = TURN.as_secs().to_string();
        let size = SIZE.to_string();
        let output = Command::new("openssl")
            .args(["speed", "-mr", "-seconds", &seconds, "-bytes", &size])
            .args(["-evp", algorithm])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        // +F:number:name:bytes a second
        let text = String::from_utf8(output.stdout).ok()?;
        let line = text.lines().find(|line| line.starts_with("+F:"))?;
        line.rsplit(':').next()?.parse().ok()
    };
    Rival {
        name: "openssl",
        speed: Box::new(speed),
    }
}
