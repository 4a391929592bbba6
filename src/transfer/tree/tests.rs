//! Trees that are walked and read.

use std::io::Read;

use super::*;
use crate::crypto::blake3;

#[path = "../../../tests/common/temp.rs"]
mod temp;

use temp::TempDir;

/// `kind path` of each entry, and `skip path` of what is not sent.
fn walked(arguments: &[&Path]) -> Vec<String> {
    let arguments = arguments
        .iter()
        .map(|path| Argument::Path(path.to_path_buf()));
    let mut sources = Sources::open(arguments.collect()).unwrap();
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(next) = sources.next_entry() {
        found.push(match next {
            Ok(next) => {
                assert_eq!(next.entry.index, index);
                index += 1;
                let path = String::from_utf8(next.entry.shown()).unwrap();
                format!("{:?} {path}", next.entry.kind)
            }
            Err(skipped) => {
                let name = skipped
                    .path
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                format!("skip {name}: {}", skipped.why)
            }
        });
    }
    found
}

fn only(path: &Path) -> Found {
    let mut sources = Sources::open(vec![Argument::Path(path.to_path_buf())]).unwrap();
    sources.next_entry().unwrap().unwrap()
}

fn read_all(reader: &mut Reader) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn a_tree_is_walked_sorted_with_ends_behind_what_is_in_it_and_counted() {
    let temp = TempDir::new();
    let root = temp.path().join("root");
    fs::create_dir_all(root.join("b/inner")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    for name in ["z", "a", "b/2", "b/10", "b/inner/x", ".hidden"] {
        fs::write(root.join(name), name).unwrap();
    }
    let expected = [
        "Folder root",
        "File root/.hidden",
        "File root/a",
        "Folder root/b",
        "File root/b/10",
        "File root/b/2",
        "Folder root/b/inner",
        "File root/b/inner/x",
        "FolderEnd root/b/inner",
        "FolderEnd root/b",
        "Folder root/empty",
        "FolderEnd root/empty",
        "File root/z",
        "FolderEnd root",
    ];
    assert_eq!(walked(&[&root]), expected);
    let sources = Sources::open(vec![Argument::Path(root)]).unwrap();
    let [item] = sources.items() else { panic!() };
    assert_eq!(
        (item.kind, item.files, item.complete),
        (EntryKind::Folder, 6, true)
    );
    assert_eq!(item.bytes, Some(1 + 1 + 3 + 4 + 9 + 7));
    assert_eq!(sources.single(), None);
}

#[cfg(unix)]
#[test]
fn links_special_files_and_names_that_no_receiver_takes_are_listed_and_not_sent() {
    use std::os::unix::ffi::OsStrExt;
    let temp = TempDir::new();
    let root = temp.path().join("root");
    fs::create_dir(&root).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff")), b"").unwrap();
    fs::write(root.join("a:b"), b"").unwrap();
    fs::write(root.join("x.p2pxfer-part"), b"").unwrap();
    let found = walked(&[&root]);
    assert_eq!(
        found
            .iter()
            .filter(|line| line.starts_with("skip "))
            .count(),
        5,
        "{found:#?}"
    );
    for text in [
        "symbolic link",
        "neither a file",
        "not UTF-8",
        "path, not a name",
        "not complete",
    ] {
        assert!(
            found.iter().any(|line| line.contains(text)),
            "{text}: {found:#?}"
        );
    }
    // A name that the user gives is the receiver's to judge, which may have chosen another one.
    let named = temp.path().join(std::ffi::OsStr::from_bytes(b"\xfe"));
    fs::write(&named, b"u").unwrap();
    let found = only(&named).entry;
    assert_eq!(
        (found.kind, &found.path[..]),
        (EntryKind::File, &[b"\xfe".to_vec()][..])
    );
    // A link that the user names is what it leads to, under its own name.
    fs::write(temp.path().join("target"), b"t").unwrap();
    std::os::unix::fs::symlink("target", temp.path().join("named")).unwrap();
    assert_eq!(walked(&[&temp.path().join("named")]), ["File named"]);
    assert_eq!(
        read_all(&mut only(&temp.path().join("named")).open().unwrap()),
        b"t"
    );
}

#[test]
fn what_lies_too_deep_is_listed_and_not_sent() {
    let temp = TempDir::new();
    let mut deep = temp.path().join("d");
    for _ in 0..64 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let found = walked(&[&temp.path().join("d")]);
    assert_eq!(found.len(), 2 * 64 + 1);
    assert!(found[64].contains("64 folders deep"), "{}", found[64]);
}

#[test]
fn two_arguments_of_one_name_and_what_cannot_be_sent_are_refused_beforehand() {
    let temp = TempDir::new();
    fs::create_dir(temp.path().join("sub")).unwrap();
    for name in ["x", "sub/x"] {
        fs::write(temp.path().join(name), b"x").unwrap();
    }
    let open = |arguments: Vec<Argument>| Sources::open(arguments).unwrap_err().to_string();
    let path = |name: &str| Argument::Path(temp.path().join(name));
    assert!(open(vec![path("x"), path("sub/x")]).contains("same name"));
    assert!(open(vec![path("x"), Argument::Stdin("x".into())]).contains("same name"));
    assert!(open(vec![path("missing")]).contains("missing: "));
    let long = "x".repeat(TEXT_MAX + 1);
    assert!(open(vec![Argument::Text(long)]).contains("longer than"));
    #[cfg(unix)]
    assert!(open(vec![Argument::Path("/dev/null".into())]).contains("neither a file"));
    assert!(Sources::open(vec![path("x"), Argument::Text("x".into())]).is_ok());
    let dot = Sources::open(vec![path("sub/.")]).unwrap();
    assert_eq!(dot.items()[0].name, b"sub");
}

fn seek(reader: &mut Reader, offset: u64) -> Result<[u8; 32], GiveUp> {
    let prefix = reader.seek(offset, &mut || true)?;
    Ok(prefix.expect("nobody ends it"))
}

#[test]
fn hashing_a_long_beginning_ends_when_nobody_waits_for_it() {
    let temp = TempDir::new();
    let path = temp.path().join("x");
    let size = 1 << 38;
    fs::File::create(&path).unwrap().set_len(size).unwrap();
    let mut reader = only(&path).open().unwrap();
    let mut left = 3;
    let mut goes_on = || {
        left -= 1;
        left > 0
    };
    assert_eq!(reader.seek(size, &mut goes_on).unwrap(), None);
}

/// Gives one byte, and then nothing for as long as somebody may still give more.
struct Idle(Option<u8>, std::sync::mpsc::Receiver<()>);

impl Read for Idle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(byte) = self.0.take() {
            buffer[0] = byte;
            return Ok(1);
        }
        let _ = self.1.recv();
        Ok(0)
    }
}

#[test]
fn whoever_sends_a_stream_need_not_wait_for_its_next_byte() {
    let (more, idle) = std::sync::mpsc::channel();
    let stream = Arc::new(Stream::new(
        Path::new("input"),
        Box::new(Idle(Some(7), idle)),
    ));
    let mut reader = Reader::open(&Origin::Stream(stream)).unwrap();
    let (woken, wake) = std::sync::mpsc::channel();
    reader.wake_by(Arc::new(move || {
        let _ = woken.send(());
    }));
    assert_eq!(reader.read(&mut [0; 10]).unwrap(), 1);
    assert!(!reader.is_ready());
    drop(more);
    while !reader.is_ready() {
        wake.recv_timeout(Duration::from_secs(30)).unwrap();
    }
    assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!(reader.finish().unwrap().0, 1);
}

#[test]
fn a_file_is_read_proved_and_hashed_from_any_offset() {
    let temp = TempDir::new();
    let path = temp.path().join("x");
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &bytes).unwrap();
    let found = only(&path);
    for offset in [0, 1, GROUP, 2 * GROUP, bytes.len()] {
        let mut reader = found.open().unwrap();
        let prefix = seek(&mut reader, offset as u64).unwrap();
        assert_eq!(prefix, blake3::hash(&bytes[..offset]));
        assert_eq!(read_all(&mut reader), bytes[offset..]);
        let whole = (bytes.len() as u64, blake3::hash(&bytes));
        assert_eq!(reader.finish().unwrap(), whole);
        seek(&mut reader, 0).unwrap();
        assert_eq!(read_all(&mut reader), bytes);
    }
    let mut reader = found.open().unwrap();
    let past = seek(&mut reader, bytes.len() as u64 + 1).unwrap_err();
    assert_eq!(past.why, GiveUpReason::Changed);
}

use crate::crypto::blake3::GROUP;

#[test]
fn a_file_that_changes_before_or_while_it_is_sent_is_noticed() {
    let temp = TempDir::new();
    let path = temp.path().join("x");
    let other = temp.path().join("y");
    fs::write(&path, [1; 1000]).unwrap();
    let old = Stat::of(&fs::File::open(&path).unwrap()).unwrap().mtime;
    let restore = || {
        fs::write(&path, [1; 1000]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_times(fs::FileTimes::new().set_modified(old))
            .unwrap();
    };
    let changes: [&dyn Fn(); 4] = [
        &|| fs::write(&path, [1; 1001]).unwrap(),
        &|| fs::write(&path, [1; 10]).unwrap(),
        &|| {
            let file = fs::File::options().write(true).open(&path).unwrap();
            let later = old + Duration::from_secs(1);
            file.set_times(fs::FileTimes::new().set_modified(later))
                .unwrap();
        },
        &|| {
            fs::write(&other, [1; 1000]).unwrap();
            fs::rename(&other, &path).unwrap();
        },
    ];
    // Windows lets nobody replace a file that is open.
    let possible = changes.len() - usize::from(cfg!(windows));
    for change in &changes[..possible] {
        restore();
        let found = only(&path);
        change();
        assert_eq!(found.open().unwrap_err().why, GiveUpReason::Changed);
        restore();
        let found = only(&path);
        let mut reader = found.open().unwrap();
        reader.read(&mut [0; 500]).unwrap();
        change();
        let rest = reader.read(&mut [0; 500]);
        let end = rest.and_then(|_| reader.finish());
        assert_eq!(end.unwrap_err().why, GiveUpReason::Changed);
    }
    let found = only(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(found.open().unwrap_err().why, GiveUpReason::Gone);
}

/// Gives its bytes in small pieces.
struct Dripping(Vec<u8>);

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(100_000);
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_stream_keeps_what_is_not_acknowledged_and_no_more() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 241) as u8).collect();
    let stream = Arc::new(Stream::new(
        Path::new("input"),
        Box::new(Dripping(bytes.clone())),
    ));
    let origin = Origin::Stream(Arc::clone(&stream));
    let mut reader = Reader::open(&origin).unwrap();
    assert_eq!(reader.room(), UNACKNOWLEDGED);
    assert_eq!(read_all(&mut reader), bytes);
    assert_eq!(reader.room(), UNACKNOWLEDGED - bytes.len() as u64);
    reader.acknowledge(1_000_001);
    assert_eq!(
        reader.finish().unwrap(),
        (bytes.len() as u64, blake3::hash(&bytes))
    );
    // The connection was lost; another reader goes on.
    for offset in [1_000_001, 2_345_678, 3_000_000] {
        let mut reader = Reader::open(&origin).unwrap();
        let prefix = seek(&mut reader, offset as u64).unwrap();
        assert_eq!(prefix, blake3::hash(&bytes[..offset]));
        assert_eq!(read_all(&mut reader), bytes[offset..]);
        assert_eq!(reader.finish().unwrap().1, blake3::hash(&bytes));
    }
    assert!(seek(&mut reader, 1_000_000).is_err());
    assert!(seek(&mut reader, 3_000_001).is_err());
    let mut text = Reader::open(&Origin::Memory("text".into(), b"hello"[..].into())).unwrap();
    assert_eq!(seek(&mut text, 2).unwrap(), blake3::hash(b"he"));
    assert_eq!(read_all(&mut text), b"llo");
    assert_eq!(text.finish().unwrap(), (5, blake3::hash(b"hello")));
}

#[test]
fn more_arguments_than_an_offer_holds_are_refused_before_anybody_is_called() {
    let texts = |count| vec![Argument::Text("x".into()); count];
    assert!(Sources::open(texts(65_536)).is_ok());
    let error = Sources::open(texts(65_537)).unwrap_err().to_string();
    assert!(error.contains("65536 arguments go at once"), "{error}");
}

#[test]
fn bytes_in_memory_are_a_file_and_a_reader_is_a_stream_that_is_read_once() {
    let input = Input::new(&b"abc"[..]);
    let arguments = vec![
        Argument::Bytes("bytes".into(), b"hello"[..].into()),
        Argument::Stream("stream".into(), input.clone()),
    ];
    let mut sources = Sources::open(arguments).unwrap();
    assert_eq!(sources.single(), None);
    let kinds = [EntryKind::File, EntryKind::Stream];
    for (item, kind) in sources.items().iter().zip(kinds) {
        assert_eq!((item.kind, item.files), (kind, 1));
    }
    for (size, text) in [(Some(5), &b"hello"[..]), (None, b"abc")] {
        let found = sources.next_entry().unwrap().unwrap();
        assert_eq!(found.entry.size, size);
        let mut reader = found.open().unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 2];
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(bytes, text);
        assert_eq!(
            reader.finish().unwrap(),
            (text.len() as u64, blake3::hash(text))
        );
    }
    let again = Sources::open(vec![Argument::Stream("stream".into(), input)]);
    assert!(again.unwrap_err().to_string().contains("was read before"));
    for name in ["", "..", "a/b", "a\nb"] {
        assert!(Sources::open(vec![Argument::Bytes(name.into(), b""[..].into())]).is_err());
    }
}
