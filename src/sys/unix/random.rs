//! Random bytes from the kernel.

use std::io;

/// Fills `bytes` from the system's generator.
///
/// # Errors
/// When the system gives none; nothing may be derived from `bytes` then.
#[cfg(target_os = "linux")]
pub fn fill(mut bytes: &mut [u8]) -> io::Result<()> {
    // Unlike /dev/urandom it needs no descriptor.
    while !bytes.is_empty() {
        // SAFETY: the call writes at most as many bytes as are there.
        let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => bytes = bytes.get_mut(count..).unwrap_or_default(),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// Fills `bytes` from the system's generator.
///
/// # Errors
/// When the system gives none; nothing may be derived from `bytes` then.
#[cfg(not(target_os = "linux"))]
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, bytes)
}

#[cfg(test)]
#[path = "../tests/random.rs"]
mod tests;
