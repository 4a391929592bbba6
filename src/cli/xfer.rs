//! `send_r and recv_r`.

/// The command.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
