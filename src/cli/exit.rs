//! Exit statuses of `send_r` and `recv_r`; the numbers never change.

use std::process::ExitCode;

use crate::transfer::{Error, Kind};

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Failed,
    Usage,
    Error(Kind),
    /// Ended by this signal, which shells report as 128 and its number.
    Signal(u8),
}

/// The statuses as `--help` lists them.
// Its first line is indented: a `\` at the end of the line above would take that away.
pub(super) const TABLE: &str = "  0  done: the receiver has all of it under its final name
  1  failed in a way that has no number of its own
  2  wrong usage
  3  nobody waits under that user id; with recv_r --wait=SECS: no sender came
  4  connection lost, or the relay cannot be reached or refused us
  5  the receiver refused it
  6  the checksum differed, or the receiver could not keep the file
  7  a file of the sender's: missing, empty, too large, not permitted; a place of the
     receiver's that cannot be written to
  8  the peer broke the protocol
  9  the sender's file name is not safe to use
 11  the secrets differ, or only one side has one
 12  it needs version 2, which one side cannot or must not speak
 13  a file changed while it was sent
 14  all was sent, but the receiver did not confirm that it has it
 15  the receiver's disk is full
 16  the transfer ended before its end
128+N  ended by signal N (130: Ctrl-C)
When some files were left out and the others are there: the number of the first reason.
";

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Error(kind) => kind.number(),
            Self::Signal(number) => number.saturating_add(128),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.kind() {
            // Without a signal there is no number to exit with.
            Kind::Cancelled => Self::Failed,
            kind => Self::Error(kind),
        }
    }
}
