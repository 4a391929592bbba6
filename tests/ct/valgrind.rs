//! What a program can ask of the valgrind that it runs under.

/// Whether valgrind is there.
pub(crate) fn is_there() -> bool {
    request(0x1001, [0; 2]) != 0
}

/// Marks bytes as secret: as undefined, so that memcheck reports each branch on them and each address made of
/// them, or of what was computed from them.
pub(crate) fn hide(bytes: &mut [u8]) {
    // MAKE_MEM_UNDEFINED, the second request of memcheck.
    memory(1, bytes);
}

/// Marks bytes as public again.
pub(crate) fn show(bytes: &mut [u8]) {
    // MAKE_MEM_DEFINED.
    memory(2, bytes);
}

/// How many reports there were up to now.
pub(crate) fn reports() -> u64 {
    request(0x1201, [0; 2])
}

fn memory(number: u64, bytes: &mut [u8]) {
    let memcheck = u64::from(u32::from_be_bytes(*b"MC\0\0"));
    request(
        memcheck + number,
        [bytes.as_mut_ptr() as u64, bytes.len() as u64],
    );
}

/// The sequence that valgrind looks for, as `valgrind.h` has it; the processor itself does nothing with it.
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "a request to valgrind is a sequence of instructions"
)]
fn request(number: u64, arguments: [u64; 2]) -> u64 {
    let words = [number, arguments[0], arguments[1], 0, 0, 0];
    let mut answer = 0_u64;
    // SAFETY: the rotations add up to 128 bits and the exchange is with itself, so that no register changes
    // but the flags; valgrind reads the words and writes its answer. The memory a request names counts as
    // read and written, as nothing here says otherwise.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") &raw const words,
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(not(target_arch = "x86_64"))]
fn request(_: u64, _: [u64; 2]) -> u64 {
    0
}
