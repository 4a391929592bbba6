//! `recv_r`: see `cli::xfer`.
fn main() -> std::process::ExitCode {
    p2pxfer::cli::xfer::main()
}
