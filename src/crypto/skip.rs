//! Saying what a test left out.

use std::io::{self, Write};

/// Past the capture of what a test prints, which is shown of those that fail only.
pub(super) fn skip(what: &str) {
    let _ = writeln!(io::stderr(), "SKIP {what}");
}
