//! Signals to a relay, and its end.

use std::process::Command;

use super::common::{Relay, wait_until};

impl Relay {
    /// Sends this signal, named without its SIG.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("a shell starts").success());
    }

    /// Waits until it has ended by itself; its status.
    pub(crate) fn wait_ended(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the relay has ended", || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }
}
