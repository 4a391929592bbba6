//! What happens in a transfer as JSON, an object a line; the schema is doc/json.md.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::json::Object;
use super::pace::Pace;
use crate::transfer::{EntryKind, Event, Item, Offer, Printable, Received, Report};

/// How often `progress` comes.
const PROGRESS: Duration = Duration::from_millis(200);
/// How many items are listed; all are counted.
const ITEMS: usize = 1000;

/// Writes the events of one transfer.
pub(super) struct Events {
    /// To standard error, because standard output has the data.
    to_stderr: bool,
    version: u8,
    verified: bool,
    offered: bool,
    /// Until the connection is made anew.
    lost: bool,
    accepted: bool,
    /// The file of a header of version 1.
    header: Option<(Vec<u8>, u64)>,
    pace: Pace,
    last: Option<Instant>,
}

impl Events {
    pub(super) fn new(to_stderr: bool) -> Self {
        Self {
            to_stderr,
            version: 1,
            verified: false,
            offered: false,
            lost: false,
            accepted: false,
            header: None,
            pace: Pace::new(Instant::now()),
            last: None,
        }
    }

    /// Takes an event of the transfer.
    pub(super) fn handle(&mut self, event: &Event<'_>) {
        let text = self.text(event, Instant::now());
        self.write(&text);
    }

    /// All that can be had is there; the process ends with `exit`.
    pub(super) fn done(&mut self, report: &Report, exit: u8) {
        let text = self.done_text(report, exit);
        self.write(&text);
    }

    /// It failed; the process ends with `exit`.
    pub(super) fn error(&self, message: &dyn Display, exit: u8) {
        let mut object = Object::event("error");
        object.plain("exit", &exit);
        object.word("message", message);
        self.write(&object.line());
    }

    fn write(&self, text: &str) {
        // Nobody may be reading: that is no reason to lose the files.
        let _ = match self.to_stderr {
            true => io::stderr().write_all(text.as_bytes()),
            false => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
        };
    }

    /// The lines of an event, or nothing.
    fn text(&mut self, event: &Event<'_>, now: Instant) -> String {
        match event {
            Event::Waiting => waiting("sender", None),
            Event::NobodyYet => waiting("receiver", None),
            Event::RelayAway { error } => waiting("relay", Some(error)),
            Event::PassedOver { relay, error } => {
                let relay = Printable(relay.as_bytes());
                warning(&format_args!("passing over {relay}: {}", error.brief()))
            }
            Event::NameCut { sent, .. } => {
                let sent = Printable(sent);
                warning(&format_args!("the name is cut to '{sent}'"))
            }
            Event::NameUnsafe { sent, error } => {
                let sent = Printable(sent);
                warning(&format_args!("'{sent}': {error}"))
            }
            Event::Matched => Object::event("matched").line(),
            Event::Version { version, verified } => {
                (self.version, self.verified) = (*version, *verified);
                match std::mem::take(&mut self.lost) {
                    true => Object::event("matched").line(),
                    false => String::new(),
                }
            }
            Event::Offer { offer } => {
                self.offered = true;
                self.offer(offer)
            }
            Event::Accepted => {
                // It comes again with each new connection.
                if !self.accepted {
                    self.pace = Pace::new(now);
                }
                self.accepted = true;
                String::new()
            }
            Event::Header { name, length } => self.header(name, *length, now),
            Event::Started {
                path,
                length,
                offset,
            } => {
                self.pace.skip(*offset);
                let mut object = file("started", path);
                object.number("length", *length);
                object.plain("offset", offset);
                object.line()
            }
            Event::Finished {
                path,
                length,
                local,
                already,
            } => {
                if *already {
                    self.pace.skip(*length);
                }
                let mut object = file(if *already { "already" } else { "done" }, path);
                object.plain("length", length);
                if let Some(local) = local {
                    object.bytes("local", local.as_os_str().as_encoded_bytes());
                }
                object.line()
            }
            Event::Skipped { path, error } => skipped(path, error.kind().number(), error),
            Event::LeftOut { path, error } => skipped(path, 0, error),
            Event::Restarted { path } => file("restarted", path).line(),
            Event::Text { text } => {
                let mut object = Object::event("text");
                object.bytes("text", text);
                object.line()
            }
            Event::Reconnecting { after, error } => {
                self.lost = true;
                let mut object = Object::event("reconnect");
                object.plain("after", &Seconds(*after));
                object.word("message", &error.brief());
                object.line()
            }
            Event::Progress { done, total } => self.progress(*done, *total, now),
            _ => String::new(),
        }
    }

    fn progress(&mut self, done: u64, total: u64, now: Instant) -> String {
        self.pace.done(done, now);
        let early = self.last.is_some_and(|last| now - last < PROGRESS);
        if early && done < total {
            return String::new();
        }
        self.last = Some(now);
        let mut object = Object::event("progress");
        object.plain("done", &done);
        object.number("total", (total != u64::MAX).then_some(total));
        object.plain("rate", &self.pace.rate(now, Duration::MAX));
        object.line()
    }

    fn header(&mut self, name: &[u8], length: u64, now: Instant) -> String {
        self.pace = Pace::new(now);
        self.header = Some((name.to_vec(), length));
        let offer = Offer {
            items: vec![Item {
                kind: EntryKind::File,
                name: name.to_vec(),
                files: 1,
                bytes: Some(length),
                complete: true,
            }],
            verified: false,
        };
        let mut text = match self.offered {
            true => String::new(),
            false => self.offer(&offer),
        };
        let mut object = file("started", name);
        object.plain("length", &length);
        object.plain("offset", &0);
        text.push_str(&object.line());
        text
    }

    fn offer(&self, offer: &Offer) -> String {
        let mut object = Object::event("offer");
        object.plain("version", &self.version);
        object.plain("verified", &(self.verified || offer.verified));
        object.plain("files", &offer.files());
        object.number("bytes", offer.bytes());
        object.plain("count", &offer.items.len());
        object.list("items", offer.items.iter().take(ITEMS).map(item));
        object.line()
    }

    fn done_text(&mut self, report: &Report, exit: u8) -> String {
        let mut text = String::new();
        if let Some((name, length)) = self.header.take() {
            let mut object = file("done", &name);
            object.plain("length", &length);
            if let [
                Received {
                    path: Some(path), ..
                },
            ] = &report.received[..]
            {
                object.bytes("local", path.as_os_str().as_encoded_bytes());
            }
            text.push_str(&object.line());
        }
        let mut object = Object::event("done");
        object.plain("exit", &exit);
        object.plain("version", &report.version);
        object.plain("verified", &report.verified);
        for (name, number) in [
            ("files", report.files),
            ("folders", report.folders),
            ("bytes", report.bytes),
            ("already", report.already),
            ("resumed", report.resumed),
            ("again", report.again),
            ("skipped", report.skipped),
            ("left_out", report.left_out),
        ] {
            object.plain(name, &number);
        }
        object.plain("reconnects", &report.reconnects);
        object.plain("seconds", &Seconds(self.pace.whole().0));
        object.list("received", report.received.iter().take(ITEMS).map(received));
        text.push_str(&object.line());
        text
    }
}

fn waiting(whom: &str, error: Option<&dyn Display>) -> String {
    let mut object = Object::event("waiting");
    object.word("for", &whom);
    if let Some(error) = error {
        object.word("message", error);
    }
    object.line()
}

fn warning(message: &dyn Display) -> String {
    let mut object = Object::event("warning");
    object.word("message", message);
    object.line()
}

fn file(state: &str, path: &[u8]) -> Object {
    let mut object = Object::event("file");
    object.word("state", &state);
    object.bytes("path", path);
    object
}

fn skipped(path: &[u8], exit: u8, why: &dyn Display) -> String {
    let mut object = file("skipped", path);
    object.plain("exit", &exit);
    object.word("message", why);
    object.line()
}

fn item(item: &Item) -> Object {
    let mut object = Object::new();
    let kind = match item.kind {
        EntryKind::File | EntryKind::FolderEnd => "file",
        EntryKind::Folder => "folder",
        EntryKind::Text => "text",
        EntryKind::Stream => "stream",
    };
    object.word("kind", &kind);
    object.bytes("name", &item.name);
    object.plain("files", &item.files);
    object.number("bytes", item.bytes);
    object.plain("complete", &item.complete);
    object
}

fn received(received: &Received) -> Object {
    let mut object = Object::new();
    object.bytes("name", &received.name);
    if let Some(path) = &received.path {
        object.bytes("local", path.as_os_str().as_encoded_bytes());
    }
    object.plain("renamed", &received.renamed);
    object
}

/// Seconds with milliseconds.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Error;

    #[test]
    fn version_1_tells_the_same_story_as_version_2() {
        let mut events = Events::new(false);
        let now = Instant::now();
        let (name, length) = (&b"a"[..], 5);
        assert_eq!(
            events.text(&Event::Header { name, length }, now),
            "{\"event\":\"offer\",\"version\":1,\"verified\":false,\"files\":1,\"bytes\":5,\"count\":1,\
             \"items\":[{\"kind\":\"file\",\"name\":\"a\",\"files\":1,\"bytes\":5,\"complete\":true}]}\n\
             {\"event\":\"file\",\"state\":\"started\",\"path\":\"a\",\"length\":5,\"offset\":0}\n"
        );
        let report = Report {
            version: 1,
            files: 1,
            bytes: 5,
            received: vec![Received {
                name: b"a".to_vec(),
                length: 5,
                path: Some("in/a".into()),
                renamed: false,
            }],
            ..Report::default()
        };
        assert_eq!(
            events.done_text(&report, 0),
            "{\"event\":\"file\",\"state\":\"done\",\"path\":\"a\",\"length\":5,\"local\":\"in/a\"}\n\
             {\"event\":\"done\",\"exit\":0,\"version\":1,\"verified\":false,\"files\":1,\"folders\":0,\
             \"bytes\":5,\"already\":0,\"resumed\":0,\"again\":0,\"skipped\":0,\"left_out\":0,\
             \"reconnects\":0,\"seconds\":0.000,\"received\":[{\"name\":\"a\",\"local\":\"in/a\",\"renamed\":false}]}\n"
        );
    }

    #[test]
    fn progress_comes_five_times_a_second_and_at_the_end() {
        let mut events = Events::new(false);
        let begun = Instant::now();
        let mut lines = Vec::new();
        for tick in 1..=1000 {
            let event = Event::Progress {
                done: tick,
                total: 1000,
            };
            let text = events.text(&event, begun + Duration::from_millis(tick));
            lines.extend((!text.is_empty()).then_some(text));
        }
        assert_eq!(lines.len(), 6, "{lines:#?}");
        let last = "{\"event\":\"progress\",\"done\":1000,\"total\":1000,\"rate\":";
        assert!(lines[5].starts_with(last), "{lines:#?}");
        let unknown = Event::Progress {
            done: 1,
            total: u64::MAX,
        };
        let text = events.text(&unknown, begun + Duration::from_secs(9));
        assert!(text.contains("\"total\":null"), "{text}");
    }

    #[test]
    fn names_from_the_net_stay_inside_their_strings() {
        let mut events = Events::new(false);
        let error = Error::Skipped {
            kind: crate::transfer::Kind::Refused,
            text: b"\"\n".to_vec(),
        };
        let event = Event::Skipped {
            path: b"d/\"\x1b\n",
            error: &error,
        };
        let text = events.text(&event, Instant::now());
        assert_eq!(text.lines().count(), 1);
        assert!(
            text.contains("\"path\":\"d/\\\"\\u001b\\u000a\",\"exit\":5,"),
            "{text}"
        );
    }

    #[test]
    fn an_offer_lists_a_thousand_items_and_counts_all() {
        let items = vec![
            Item {
                kind: EntryKind::Stream,
                name: b"s".to_vec(),
                files: 1,
                bytes: None,
                complete: false,
            };
            ITEMS + 1
        ];
        let offer = Offer {
            items,
            verified: true,
        };
        let text = Events::new(false).offer(&offer);
        assert!(text.contains("\"verified\":true,\"files\":1001,\"bytes\":null,\"count\":1001,"));
        assert_eq!(text.matches("\"kind\":\"stream\"").count(), ITEMS);
    }
}
