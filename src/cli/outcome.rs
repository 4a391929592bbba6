//! What came of a transfer, in a sentence and as paths.

use std::io::{self, IsTerminal, Write};

use super::progress::{Counted, bytes};
use crate::transfer::{EntryKind, Event, Item, Printable, Received, Report, ShownPath};

/// What it is about: the only thing that is sent or received, or all of several.
#[derive(Debug, Default)]
pub(super) struct Subject {
    only: Option<(EntryKind, Vec<u8>)>,
}

impl Subject {
    /// Takes an event of the transfer.
    pub(super) fn handle(&mut self, event: &Event<'_>) {
        match event {
            Event::Header { name, .. } => self.only = Some((EntryKind::File, name.to_vec())),
            Event::Offer { offer } => {
                self.only = match &offer.items[..] {
                    [Item { kind, name, .. }] => Some((*kind, name.clone())),
                    _ => None,
                };
            }
            _ => {}
        }
    }

    /// The sentence that ends a transfer; `pace` says how long the data took.
    pub(super) fn sentence(&self, report: &Report, receiving: bool, pace: &str) -> String {
        let verb = if receiving { "received" } else { "sent" };
        let (files, length) = (Counted(report.files, "file", true), report.bytes);
        let folders = Counted(report.folders, "folder", true);
        let all_there = report.files > 0 && report.already == report.files;
        let pace = if all_there { "there already" } else { pace };
        let nothing = report.skipped > 0 && report.files + report.folders == 0;
        let mut text = match &self.only {
            _ if nothing => format!("{verb} nothing"),
            Some((EntryKind::Folder, name)) => {
                let name = Printable(name);
                format!("{verb} folder '{name}' ({files}, {length} bytes, {pace})")
            }
            Some((EntryKind::Text, _)) => format!("{verb} a text ({length} bytes, {pace})"),
            Some((_, name)) => format!("{verb} '{}' ({length} bytes, {pace})", Printable(name)),
            None if report.folders > 0 => {
                format!("{verb} {files} and {folders} ({length} bytes, {pace})")
            }
            None => format!("{verb} {files} ({length} bytes, {pace})"),
        };
        if let (true, Some((kind, _)), [received]) = (receiving, &self.only, &report.received[..]) {
            if *kind != EntryKind::Text {
                text.push_str(&place(received));
            }
        }
        if report.already > 0 && !all_there {
            text.push_str(&format!(", {} of them there already", report.already));
        }
        match (report.reconnects, report.resumed) {
            (0, 0) => {}
            _ if all_there => {}
            (0, resumed) => text.push_str(&format!(", {} were there before", bytes(resumed))),
            (1, _) => text.push_str(", after one lost connection"),
            (count, _) => text.push_str(&format!(", after {count} lost connections")),
        }
        if report.skipped > 0 {
            text.push_str(&format!(", {} left out", report.skipped));
        }
        text
    }
}

fn place(received: &Received) -> String {
    let path = match &received.path {
        Some(path) => ShownPath(path).to_string(),
        None => "standard output".to_string(),
    };
    let kept = match received.renamed {
        true => ", because the name is taken",
        false => "",
    };
    format!(" as {path}{kept}")
}

/// Writes the paths of what was received to standard output, one a line.
///
/// # Errors
/// When that cannot be written to.
pub(super) fn write_paths(report: &Report) -> io::Result<()> {
    let mut lines = Vec::new();
    for path in report.received.iter().filter_map(|it| it.path.as_deref()) {
        add_line(&mut lines, path.as_os_str().as_encoded_bytes());
    }
    if lines.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(&lines).and_then(|()| out.flush())
}

/// Writes a text that came to standard output, and ends its last line.
///
/// # Errors
/// When that cannot be written to.
pub(super) fn write_text(text: &[u8]) -> io::Result<()> {
    let mut lines = Vec::with_capacity(text.len() + 1);
    for line in text
        .strip_suffix(b"\n")
        .unwrap_or(text)
        .split(|&byte| byte == b'\n')
    {
        add_line(&mut lines, line);
    }
    let mut out = io::stdout().lock();
    out.write_all(&lines).and_then(|()| out.flush())
}

/// Adds a line as it is, or, for a terminal, so that it cannot steer that.
fn add_line(lines: &mut Vec<u8>, line: &[u8]) {
    match io::stdout().is_terminal() {
        true => lines.extend_from_slice(Printable(line).to_string().as_bytes()),
        false => lines.extend_from_slice(line),
    }
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Offer;

    fn subject(items: &[(EntryKind, &str)]) -> Subject {
        let item = |&(kind, name): &(EntryKind, &str)| Item {
            kind,
            name: name.as_bytes().to_vec(),
            files: 1,
            bytes: Some(1),
            complete: true,
        };
        let offer = Offer {
            items: items.iter().map(item).collect(),
            verified: false,
        };
        let mut subject = Subject::default();
        subject.handle(&Event::Offer { offer: &offer });
        subject
    }

    fn received(name: &str, path: &str, renamed: bool) -> Received {
        Received {
            name: name.as_bytes().to_vec(),
            length: 13,
            path: Some(path.into()),
            renamed,
        }
    }

    #[test]
    fn the_sentence_names_one_thing_and_counts_several() {
        let mut report = Report {
            files: 1,
            bytes: 13,
            received: vec![received("a", "in/a (1)", true)],
            ..Report::default()
        };
        let one = subject(&[(EntryKind::File, "a\x1b")]);
        assert_eq!(
            one.sentence(&report, true, "1.0 s"),
            "received 'a\\x1b' (13 bytes, 1.0 s) as in/a (1), because the name is taken"
        );
        assert_eq!(
            one.sentence(&report, false, "1.0 s"),
            "sent 'a\\x1b' (13 bytes, 1.0 s)"
        );
        report.already = 1;
        let text = one.sentence(&report, false, "1.0 s");
        assert_eq!(text, "sent 'a\\x1b' (13 bytes, there already)");
        (report.files, report.folders, report.resumed, report.skipped) = (3, 2, 7, 4);
        let many = subject(&[(EntryKind::File, "a"), (EntryKind::Folder, "b")]);
        assert_eq!(
            many.sentence(&report, true, "1.0 s"),
            "received 3 files and 2 folders (13 bytes, 1.0 s), 1 of them there already, \
             7 B were there before, 4 left out"
        );
        report.reconnects = 2;
        let text = many.sentence(&report, false, "1.0 s");
        assert!(
            text.ends_with(", after 2 lost connections, 4 left out"),
            "{text}"
        );
        let none = Report {
            skipped: 1,
            ..Report::default()
        };
        for items in [&[(EntryKind::File, "a")][..], &[(EntryKind::Folder, "b")]] {
            let text = subject(items).sentence(&none, false, "1.0 s");
            assert_eq!(text, "sent nothing, 1 left out");
        }
        let text = subject(&[(EntryKind::Text, "")]).sentence(&Report::default(), true, "1.0 s");
        assert_eq!(text, "received a text (0 bytes, 1.0 s)");
    }
}
