//! The recorded exchanges: `exchanges.txt` beside this file, which `from_json.py` makes.

use std::fmt::Write;
use std::path::Path;

/// Who speaks to whom, and what, in order.
pub(crate) struct Message {
    pub(crate) way: Way,
    pub(crate) bytes: Vec<u8>,
}

/// The ways that a message can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ReceiverToRelay,
    SenderToRelay,
    RelayToSender,
    Header,
    ReceiverToSender,
    Data,
    Checksum,
}

/// One run of a sender and a receiver of 2013.
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) userid: String,
    pub(crate) filename: String,
    pub(crate) content: Vec<u8>,
    pub(crate) messages: Vec<Message>,
    pub(crate) sender_exit: i32,
    pub(crate) receiver_exit: i32,
}

impl Exchange {
    /// What the sender and the receiver say to each other through the relay.
    pub(crate) fn between_peers(&self) -> impl Iterator<Item = &Message> {
        let with_relay = [Way::ReceiverToRelay, Way::SenderToRelay, Way::RelayToSender];
        self.messages
            .iter()
            .filter(move |message| !with_relay.contains(&message.way))
    }

    /// The hello of this way.
    pub(crate) fn hello(&self, way: Way) -> &[u8] {
        let found = self.messages.iter().find(|message| message.way == way);
        &found.expect("every exchange has its hellos").bytes
    }
}

/// All exchanges; from the file that `P2PXFER_EXCHANGES` names, if it does.
pub(crate) fn all() -> Vec<Exchange> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/legacy/exchanges.txt");
    let path = std::env::var_os("P2PXFER_EXCHANGES").map_or(beside, Into::into);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let exchanges = parse(&text);
    assert!(!exchanges.is_empty(), "{} holds none", path.display());
    exchanges
}

fn parse(text: &str) -> Vec<Exchange> {
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    lines
        .chunk_by(|_, next| !next.starts_with("exchange "))
        .map(one)
        .collect()
}

/// The exchange that these lines tell.
fn one(lines: &[&str]) -> Exchange {
    let value = |key: &str| {
        lines
            .iter()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
            .unwrap_or_else(|| panic!("{} has no '{key}'", lines[0]))
    };
    let length = value("length").parse().expect("length is a number");
    let content = content(value("content"), length);
    assert_eq!(content.len(), length, "{}", lines[0]);
    let (sender_exit, receiver_exit) = value("exits").split_once(' ').expect("two exits");
    Exchange {
        name: value("exchange").to_owned(),
        userid: value("userid").to_owned(),
        filename: value("filename").to_owned(),
        messages: lines
            .iter()
            .filter(|line| line.contains('>'))
            .map(|line| message(line, &content))
            .collect(),
        content,
        sender_exit: sender_exit.parse().expect("an exit is a number"),
        receiver_exit: receiver_exit.parse().expect("an exit is a number"),
    }
}

fn message(line: &str, content: &[u8]) -> Message {
    let (way, bytes) = match line.rsplit_once(' ').expect("who and what") {
        ("receiver>relay", hex) => (Way::ReceiverToRelay, unhex(hex)),
        ("sender>relay", hex) => (Way::SenderToRelay, unhex(hex)),
        ("relay>sender", hex) => (Way::RelayToSender, unhex(hex)),
        ("sender>receiver header", hex) => (Way::Header, unhex(hex)),
        ("receiver>sender", hex) => (Way::ReceiverToSender, unhex(hex)),
        ("sender>receiver", "data") => (Way::Data, content.to_vec()),
        ("sender>receiver checksum", hex) => (Way::Checksum, unhex(hex)),
        _ => panic!("unknown way: {line}"),
    };
    Message { way, bytes }
}

fn content(text: &str, length: usize) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    let Some(rule) = text.strip_prefix("rule ") else {
        return unhex(text);
    };
    let (factor, offset) = rule.split_once(' ').expect("a factor and an offset");
    let factor: usize = factor.parse().expect("a factor");
    let offset: usize = offset.parse().expect("an offset");
    (0..length).map(|i| (i * factor + offset) as u8).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len() % 2 == 0, "half a byte in {text}");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Bytes for a message of a failed test.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

#[test]
fn what_is_written_is_read() {
    let text = "# comment\n\nexchange a\nuserid u\nfilename f g\nlength 3\ncontent rule 7 3\n\
                sender>relay 437524\nsender>receiver data\nexits 0 1\nexchange b\nuserid v\n\
                filename f\nlength 0\ncontent -\nexits 1 1\n";
    let exchanges = parse(text);
    assert_eq!(exchanges.len(), 2);
    assert_eq!(exchanges[0].filename, "f g");
    assert_eq!(exchanges[0].content, [3, 10, 17]);
    assert_eq!(exchanges[0].hello(Way::SenderToRelay), b"Cu$");
    assert_eq!(exchanges[0].messages[1].bytes, [3, 10, 17]);
    assert_eq!(exchanges[0].receiver_exit, 1);
    assert_eq!(exchanges[1].name, "b");
    assert_eq!(hex(&exchanges[0].content), "030a11");
}
