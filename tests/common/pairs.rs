//! Connections that have said their hello.

use std::io::Write;
use std::net::TcpStream;

use super::common::{Relay, hello, read};

impl Relay {
    /// A listener that is known to wait under `id`.
    pub(crate) fn listener(&self, id: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&hello(b'T', id)).expect("the relay reads");
        self.wait_registered(&stream);
        stream
    }

    /// A caller that has said its hello and has not read the answer.
    pub(crate) fn caller(&self, id: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&hello(b'C', id)).expect("the relay reads");
        stream
    }

    /// A listener and a caller that have met; the caller has read its 'O'.
    pub(crate) fn pair(&self, id: &[u8]) -> (TcpStream, TcpStream) {
        let listener = self.listener(id);
        let mut caller = self.caller(id);
        assert_eq!(read(&mut caller, 1), b"O");
        (listener, caller)
    }
}
