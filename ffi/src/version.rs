//! The version of the library.

use std::ffi::{CStr, c_char};

/// The first number of this header's version. A library of another one is no replacement.
pub const P2PXFER_VERSION_MAJOR: u32 = 0;
/// The second number of this header's version. It grows when functions are added.
pub const P2PXFER_VERSION_MINOR: u32 = 10;
/// The third number of this header's version.
pub const P2PXFER_VERSION_PATCH: u32 = 0;
/// This header's version as 0xXXYYZZ: a byte each for major, minor and patch.
pub const P2PXFER_VERSION: u32 =
    (P2PXFER_VERSION_MAJOR << 16) | (P2PXFER_VERSION_MINOR << 8) | P2PXFER_VERSION_PATCH;

// cbindgen writes numbers into the header, not what env! gives: so they stand twice, and agree.
const _: () = {
    assert!(P2PXFER_VERSION_MAJOR == number(env!("CARGO_PKG_VERSION_MAJOR")));
    assert!(P2PXFER_VERSION_MINOR == number(env!("CARGO_PKG_VERSION_MINOR")));
    assert!(P2PXFER_VERSION_PATCH == number(env!("CARGO_PKG_VERSION_PATCH")));
};

const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number @ 0..=0xff) => number,
        _ => panic!("a version number must fit into a byte"),
    }
}

const STRING: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(string) => string,
        Err(_) => panic!("the version has a NUL in it"),
    };

/// The version of the library that the program runs with, to compare with P2PXFER_VERSION. From any
/// thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn p2pxfer_version() -> u32 {
    P2PXFER_VERSION
}

/// The same as "MAJOR.MINOR.PATCH". The string lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn p2pxfer_version_string() -> *const c_char {
    STRING.as_ptr()
}
