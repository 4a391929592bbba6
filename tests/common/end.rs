//! The end of a program, within a deadline.

use std::process::{Child, Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Long enough for the slowest of them on a busy machine.
const TIME: Duration = Duration::from_secs(120);

/// How a program ended and what it said; one that does not end by itself is killed.
pub(crate) fn output(child: Child) -> Output {
    let id = child.id().to_string();
    let (done, ended) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        let _ = done.send(());
        output
    });
    if ended.recv_timeout(TIME).is_err() {
        let _ = Command::new("kill").args(["-s", "KILL", &id]).status();
        panic!("a program does not end");
    }
    let output = waiter.join().expect("the waiter does not panic");
    output.expect("the program was started")
}
