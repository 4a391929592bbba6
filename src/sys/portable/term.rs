//! The terminal, of which the standard library knows little.

use std::io::{self, BufRead, IsTerminal, Write};

/// `None`: the width cannot be asked for here.
pub fn width() -> Option<usize> {
    None
}

/// Whether somebody at a terminal may be asked.
pub fn is_ours() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Writes `question` to standard error and reads a line from standard input, where both are terminals;
/// the line comes without its end, and is added to `answer`, never beyond its capacity. It ends early
/// only between lines: `stop` is asked once, before.
///
/// # Errors
/// `Unsupported` with `hidden`: what is typed cannot be hidden here. `NotFound` when there is no
/// terminal, `Interrupted` when stopped, `UnexpectedEof` when the input ended without a line,
/// `InvalidData` when the line is longer than `answer` may grow.
pub fn ask(
    question: &str,
    hidden: bool,
    answer: &mut Vec<u8>,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    if hidden {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if !is_ours() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if stop() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    io::stderr().write_all(question.as_bytes())?;
    let mut input = io::stdin().lock();
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if line.len() > answer.capacity() - answer.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        answer.extend_from_slice(line);
        let used = line.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            if answer.last() == Some(&b'\r') {
                answer.pop();
            }
            return Ok(());
        }
    }
}

/// Does nothing: nothing was hidden.
pub fn restore() {}
