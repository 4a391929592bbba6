//! Names the shared library after its ABI, so that a program finds the one it was linked against.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let (major, minor) = (
            env!("CARGO_PKG_VERSION_MAJOR"),
            env!("CARGO_PKG_VERSION_MINOR"),
        );
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libp2pxfer.so.{major}.{minor}");
    }
}
