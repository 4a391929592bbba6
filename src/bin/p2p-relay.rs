//! `p2p-relay`: see `cli::relay`.
fn main() -> std::process::ExitCode {
    p2pxfer::cli::relay::main()
}
