//! No module, but the build script: tells `crypto` whether its compiler can use AVX-512. Rust can from 1.89 on,
//! and older ones are to do too.

use std::env;
use std::process::Command;

const AVX512_SINCE: u32 = 89;

fn main() {
    println!("cargo:rerun-if-changed=src/crypto/build.rs");
    println!("cargo:rustc-check-cfg=cfg(avx512)");
    let target = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if target == "x86_64" && minor().is_some_and(|minor| minor >= AVX512_SINCE) {
        println!("cargo:rustc-cfg=avx512");
    }
}

/// The compiler's version is 1 and this.
fn minor() -> Option<u32> {
    let said = Command::new(env::var_os("RUSTC")?)
        .arg("--version")
        .output();
    let said = String::from_utf8(said.ok()?.stdout).ok()?;
    said.split('.').nth(1)?.parse().ok()
}
