//! Names the shared library after the version of its ABI: `libp2pxfer.so.MAJOR`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let elf = ["linux", "android", "freebsd", "netbsd", "openbsd"];
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if elf.contains(&system.as_str()) {
        let major = env!("CARGO_PKG_VERSION_MAJOR");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libp2pxfer.so.{major}");
    }
}
