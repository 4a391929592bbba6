//! The stream of bytes that a transfer runs over.

use std::io;

/// A connection to the peer, as far as a transfer needs one. Reads and writes block; the link itself
/// decides how long a silence may last, and ends it with an error.
pub trait Link {
    /// Reads what is there, at least one byte; 0 at the end of the stream.
    ///
    /// # Errors
    /// When the connection is lost.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the connection is lost.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Whether something is there to be read, be it the end, told without waiting.
    ///
    /// # Errors
    /// When the connection is lost.
    fn readable(&mut self) -> io::Result<bool>;

    /// From here on nobody on this side ends the link; `false` when somebody has before.
    fn settle(&mut self) -> bool {
        true
    }

    /// Says that all data was written, and that the next silence may be long: what was written may
    /// still be on its way, where nobody sees it move.
    fn all_written(&mut self) {}

    /// Ends the own side after the last byte, then reads and drops what the peer still sends, until
    /// its end, within bounds of time and bytes. A connection that is closed over one unread byte is
    /// reset, and a reset destroys the answer that was just written.
    fn finish(&mut self);
}
