//! `p2p-relay`.

/// The command.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
