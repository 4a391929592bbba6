//! Names the shared library after the version of its ABI: `libp2pxfer.so.MAJOR.MINOR`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let elf = ["linux", "android", "freebsd", "netbsd", "openbsd"];
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if elf.contains(&system.as_str()) {
        let (major, minor) = (
            env!("CARGO_PKG_VERSION_MAJOR"),
            env!("CARGO_PKG_VERSION_MINOR"),
        );
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libp2pxfer.so.{major}.{minor}");
    }
}
