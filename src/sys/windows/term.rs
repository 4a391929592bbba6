//! The console.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::windows::io::{AsRawHandle, RawHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Bool, check};

/// How often a question looks whether it is still asked, in milliseconds.
const LOOK: u32 = 50;
/// How many units of UTF-16 are read at once.
const CHUNK: u32 = 256;
const WAIT_TIMEOUT: u32 = 258;

// Modes of a console's input (`consoleapi.h`).
const PROCESSED_INPUT: u32 = 1;
const LINE_INPUT: u32 = 2;
const ECHO_INPUT: u32 = 4;

/// `CONSOLE_SCREEN_BUFFER_INFO`.
#[repr(C)]
#[derive(Default)]
struct Screen {
    size: [i16; 2],
    cursor: [i16; 2],
    attributes: u16,
    /// Left, top, right, bottom of what is seen, in cells.
    window: [i16; 4],
    largest: [i16; 2],
}

// SAFETY: `consoleapi.h`, `consoleapi2.h` and `synchapi.h` declare them so.
#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetConsoleScreenBufferInfo(console: RawHandle, screen: *mut Screen) -> Bool;
    fn GetConsoleMode(console: RawHandle, mode: *mut u32) -> Bool;
    fn SetConsoleMode(console: RawHandle, mode: u32) -> Bool;
    fn FlushConsoleInputBuffer(console: RawHandle) -> Bool;
    fn ReadConsoleW(
        console: RawHandle,
        units: *mut u16,
        room: u32,
        count: *mut u32,
        control: *const u8,
    ) -> Bool;
    fn WaitForSingleObject(handle: RawHandle, milliseconds: u32) -> u32;
}

/// The console whose mode was changed for a question, and the mode it had.
static CHANGED: Mutex<Option<(File, u32)>> = Mutex::new(None);

/// Width of the console behind standard error, in columns; `None` when there is none.
pub fn width() -> Option<usize> {
    let mut screen = Screen::default();
    let console = io::stderr().as_raw_handle();
    // SAFETY: the call writes one `Screen`, which outlives it.
    check(unsafe { GetConsoleScreenBufferInfo(console, &raw mut screen) }).ok()?;
    let [left, _, right, _] = screen.window;
    usize::try_from(i32::from(right) - i32::from(left) + 1).ok()
}

/// Whether the process has a console, whose user may be asked.
pub fn is_ours() -> bool {
    input().is_ok()
}

/// Writes `question` to the console and reads a line from there, whatever standard input and output
/// are; the line comes in UTF-8 and without its end, and is added to `answer`, never beyond its
/// capacity. With `hidden` nothing is shown of it. Until the first key it ends when `stop` says so,
/// which is asked 20 times a second, and from then on by Ctrl-C. However it ends, the console is as it
/// was before.
///
/// # Errors
/// `NotFound` when the process has no console, `Interrupted` when stopped, `UnexpectedEof` when the
/// input ended without a line, `InvalidData` when the line is longer than `answer` may grow or is no
/// text.
pub fn ask(
    question: &str,
    hidden: bool,
    answer: &mut Vec<u8>,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let console = input()?;
    let mut screen = open("CONOUT$")?;
    let line = Line::begin(&console, hidden)?;
    screen.write_all(question.as_bytes())?;
    let result = read_line(&console, answer, stop);
    if hidden || result.is_err() {
        // The user's own line end was not shown, or there was none.
        let _ = screen.write_all(b"\r\n");
    }
    drop(line);
    result
}

/// Gives the console back its mode, for a process that ends while [`ask`] hides what is typed.
pub fn restore() {
    if let Some((console, before)) = changed().take() {
        // SAFETY: the handle is open. It fails only when the console is gone.
        unsafe { SetConsoleMode(console.as_raw_handle(), before) };
    }
}

/// A line is read while it lives.
struct Line;

impl Line {
    fn begin(console: &File, hidden: bool) -> io::Result<Self> {
        let handle = console.as_raw_handle();
        let mut before = 0;
        // SAFETY: the handle is open, and the call writes one number.
        check(unsafe { GetConsoleMode(handle, &raw mut before) })?;
        let echo = if hidden { 0 } else { ECHO_INPUT };
        *changed() = Some((console.try_clone()?, before));
        // Made first, so that the mode comes back whatever the calls below have done.
        let line = Self;
        let asked = PROCESSED_INPUT | LINE_INPUT | echo | before & !ECHO_INPUT;
        // SAFETY: the handle is open.
        check(unsafe { SetConsoleMode(handle, asked) })?;
        // What was typed before the question is no answer to it.
        // SAFETY: the handle is open.
        check(unsafe { FlushConsoleInputBuffer(handle) })?;
        Ok(line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        restore();
    }
}

fn changed() -> MutexGuard<'static, Option<(File, u32)>> {
    // What it holds is whole after every statement.
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn input() -> io::Result<File> {
    open("CONIN$")
}

fn open(name: &str) -> io::Result<File> {
    let console = OpenOptions::new().read(true).write(true).open(name);
    console.map_err(|_| io::ErrorKind::NotFound.into())
}

fn read_line(console: &File, answer: &mut Vec<u8>, stop: &dyn Fn() -> bool) -> io::Result<()> {
    let handle = console.as_raw_handle();
    // SAFETY: the handle is open.
    while unsafe { WaitForSingleObject(handle, LOOK) } == WAIT_TIMEOUT {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    // Half a pair that the end of the chunk before cut off.
    let mut half = None;
    let mut chunk = Wiped([0; CHUNK as usize]);
    loop {
        let mut count = 0;
        // SAFETY: the call writes at most `CHUNK` units, and one number.
        check(unsafe {
            ReadConsoleW(
                handle,
                chunk.0.as_mut_ptr(),
                CHUNK,
                &raw mut count,
                std::ptr::null(),
            )
        })?;
        let units = chunk.0.get(..count as usize).unwrap_or_default();
        if units.is_empty() {
            // Ctrl-C ends the read with nothing, and is heard elsewhere.
            return Err(io::ErrorKind::Interrupted.into());
        }
        const CTRL_Z: u16 = 0x1a;
        if units.first() == Some(&CTRL_Z) && answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let whole = half.take().into_iter().chain(units.iter().copied());
        for letter in char::decode_utf16(whole) {
            let letter = match letter {
                Ok('\r') => continue,
                Ok('\n') => return Ok(()),
                Ok(letter) => letter,
                Err(error) => {
                    // Only the last one can have its other half in the next chunk.
                    if half.replace(error.unpaired_surrogate()).is_some() {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    continue;
                }
            };
            let mut bytes = Wiped([0; 4]);
            let bytes = letter.encode_utf8(&mut bytes.0).as_bytes();
            if half.is_some() || bytes.len() > answer.capacity() - answer.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            answer.extend_from_slice(bytes);
        }
    }
}

/// What may have held a secret, zero when it is gone.
struct Wiped<T: Copy + Default, const N: usize>([T; N]);

impl<T: Copy + Default, const N: usize> Drop for Wiped<T, N> {
    fn drop(&mut self) {
        for place in &mut self.0 {
            // SAFETY: the place is ours, and valid for its type.
            unsafe { std::ptr::write_volatile(place, T::default()) };
        }
    }
}
