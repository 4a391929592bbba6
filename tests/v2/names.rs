//! A sender that sends what no honest one does, to the real receiver: every name of the table.

use p2pxfer::crypto::blake3;
use p2pxfer::wire::Printable;
use p2pxfer::wire::v2::{Entry, FromReceiver, FromSender};
use std::collections::BTreeMap;
use std::fs;

use super::caller::Caller;
use super::common::{Relay, on_every_backend};
use super::end;
use super::kill::receive;
use super::names_table;
use super::temp::TempDir;
use super::trees::names;

on_every_backend! {
    no_name_escapes_and_each_that_is_refused_is_named_and_the_others_arrive
}

/// Sends an empty file for each of these paths; the receiver's words for those that it refuses.
fn send(
    caller: &mut Caller,
    items: &[(u8, Vec<u8>)],
    paths: &[(u32, Vec<Vec<u8>>)],
) -> BTreeMap<u64, String> {
    for (kind, name) in items {
        caller.say(&[FromSender::Item {
            kind: *kind,
            complete: true,
            files: u64::from(*kind == 1),
            bytes: Some(0),
            name,
        }]);
    }
    let items = items.len() as u32;
    caller.say(&[FromSender::Offer {
        run: [1; 16],
        items,
    }]);
    for (index, (item, path)) in (0..).zip(paths) {
        let kind = if path.last().is_some_and(|name| name == b"folder") {
            2
        } else {
            1
        };
        caller.say(&[FromSender::Entry(Entry {
            index,
            item: *item,
            kind,
            executable: false,
            size: Some(0),
            seconds: 1_000_000_000,
            nanos: 0,
            path: path.clone(),
        })]);
    }
    let entries = paths.len() as u64;
    caller.say(&[FromSender::Last {
        entries,
        missing: 0,
    }]);
    let mut refused = BTreeMap::new();
    let mut settled = 0;
    while settled < entries {
        let wanted = caller.hear(|record| match record {
            FromReceiver::Want { index, .. } => Some(index),
            FromReceiver::Skip {
                index,
                reason,
                text,
            } => {
                assert_eq!(reason, 1, "{index}");
                refused.insert(index, String::from_utf8(text.to_vec()).unwrap());
                settled += 1;
                None
            }
            FromReceiver::Committed { .. } => {
                settled += 1;
                None
            }
            FromReceiver::Accept | FromReceiver::Nop => None,
            other => panic!("{other:?}"),
        });
        if let Some(index) = wanted {
            let hash = blake3::hash(b"");
            let begin = FromSender::Begin { index, offset: 0 };
            caller.say(&[begin, FromSender::End { length: 0, hash }]);
        }
    }
    caller.say(&[FromSender::Final { entries }]);
    refused
}

fn no_name_escapes_and_each_that_is_refused_is_named_and_the_others_arrive(backend: &str) {
    // What the wire has no bytes for is refused with all the session.
    let mut table = names_table::table();
    table.retain(|(name, _)| (1..=255).contains(&name.len()));
    assert!(table.len() > 390);
    let relay = Relay::start(backend, &[]);
    for below in [false, true] {
        let around = TempDir::new();
        let to = around.path().join("to");
        fs::create_dir(&to).unwrap();
        let receiver = receive(&relay, relay.address, &to, &["-v"]);
        let mut caller = Caller::call(&relay);
        let folder = || b"folder".to_vec();
        let (mut items, mut paths) = (Vec::new(), Vec::new());
        if below {
            items.push((2, folder()));
            paths.push((0, vec![folder()]));
        }
        for (item, (name, _)) in (0..).zip(&table) {
            if below {
                paths.push((0, vec![folder(), name.clone()]));
            } else {
                items.push((1, name.clone()));
                paths.push((item, vec![name.clone()]));
            }
        }
        let refused = send(&mut caller, &items, &paths);
        let output = end::output(receiver);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(9), "{said}");
        let mut arrived = Vec::new();
        for (index, (name, rule)) in (u64::from(below)..).zip(&table) {
            let shown = String::from_utf8_lossy(name);
            // Below the first component a leading dot breaks no rule.
            let is_dot = rule.is_some_and(|rule| rule == "LeadingDot");
            let may = rule.is_none() || (below && is_dot && name.iter().any(|byte| *byte != b'.'));
            match refused.get(&index) {
                Some(why) => {
                    assert!(!may, "{shown:?}: {why}");
                    assert!(!why.is_empty(), "{shown:?}");
                    let named = Printable(name).to_string();
                    let tells = |line: &str| line.contains(&named) && line.contains(why.as_str());
                    assert!(said.lines().any(tells), "{shown:?}: {why}");
                }
                None => {
                    assert!(may, "{shown:?} was taken");
                    arrived.push(shown.into_owned());
                }
            }
        }
        arrived.sort();
        let place = if below { to.join("folder") } else { to.clone() };
        assert_eq!(names(&place), arrived);
        assert_eq!(names(around.path()), ["to"]);
    }
}
