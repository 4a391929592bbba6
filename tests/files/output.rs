//! Standard output and standard error that are closed or that nobody reads.

use std::process::{Command, Stdio};

use super::common::{Relay, on_every_backend};
use super::content;
#[cfg(unix)]
use super::program::quiet;
use super::program::{Program, await_receiver, command, listen, send, with_words};
use super::temp::TempDir;

on_every_backend! {
    standard_output_that_nobody_reads_is_a_local_file_error
    standard_error_that_nobody_reads_costs_no_file
}

fn standard_output_that_nobody_reads_is_a_local_file_error(backend: &str) {
    let relay = Relay::start(backend, &[]);
    let from = TempDir::new();
    let source = from.path().join("file.bin");
    content::write(&source, 3_000_000);
    let mut command = with_words(command("recv_r"), "-", relay.address, &["-o", "-"]);
    command.stdout(Stdio::piped());
    let receiver = listen(&relay, command);
    let sender = send(&source, relay.address, &[]);
    let (received, sent) = (receiver.end(), sender.end());
    assert_eq!(received.status, 7, "{received:?}");
    assert!(
        received.said.contains("standard output: broken pipe"),
        "{received:?}"
    );
    assert!([5, 6].contains(&sent.status), "{sent:?}");
}

#[cfg(unix)]
#[test]
fn closed_standard_output_is_found_before_a_sender_is_waited_for_and_dev_null_is_not_it() {
    let shell = |redirection: &str, address| {
        let mut shell = quiet(Command::new("sh"));
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}")]);
        shell.arg(command("recv_r").get_program());
        with_words(shell, "-", address, &["-o", "-"])
    };
    let relay = Relay::start("threads", &[]);
    let end = Program::start(shell(">&-", relay.address)).end();
    assert_eq!(end.status, 7, "{end:?}");
    assert!(end.said.contains("standard output: is closed"), "{end:?}");
    let from = TempDir::new();
    let source = from.path().join("file.bin");
    content::write(&source, 13);
    let receiver = listen(&relay, shell(">/dev/null", relay.address));
    assert_eq!(send(&source, relay.address, &[]).end().status, 0);
    assert_eq!(receiver.end().status, 0);
}

fn standard_error_that_nobody_reads_costs_no_file(backend: &str) {
    let from = TempDir::new();
    let source = from.path().join("file.bin");
    content::write(&source, 3_000_000);
    let read_by_nobody = |name| command(name);
    #[cfg(unix)]
    let closed = |name| {
        let mut shell = super::program::quiet(Command::new("sh"));
        shell.args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"]);
        shell.arg(command(name).get_program());
        shell
    };
    #[cfg(not(unix))]
    let closed = read_by_nobody;
    for how in [&read_by_nobody as &dyn Fn(&'static str) -> Command, &closed] {
        let (relay, to) = (Relay::start(backend, &[]), TempDir::new());
        let mut receive = with_words(how("recv_r"), "-", relay.address, &["-v"]);
        receive.arg("-o").arg(to.path());
        let receiver = Program::start_alone(receive);
        await_receiver(&relay);
        let send = with_words(how("send_r"), &source, relay.address, &["-v", "--v1"]);
        let sender = Program::start_alone(send);
        assert_eq!((sender.end().status, receiver.end().status), (0, 0));
        content::assert_same(&source, &to.path().join("file.bin"));
    }
}
