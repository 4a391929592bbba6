//! A connected socket through the relay, for any protocol.
//!
//! The relay passes the bytes on and adds none. They are in clear text, and whoever names the user id
//! can be the other side: run a protocol over it that sees to both, such as SSH or TLS.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::ops::ControlFlow;
//! use std::thread;
//!
//! use p2pxfer::client::{Cancel, Endpoint, Wait, stream};
//! use p2pxfer::relay::{Config, Relay};
//! use p2pxfer::transfer::UserId;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config {
//!     bind: Some([127, 0, 0, 1].into()),
//!     ..Config::default()
//! };
//! let relay = Relay::bind(0, config)?;
//! let (port, control) = (relay.local_addr()?.port(), relay.control());
//! let relay = thread::spawn(move || relay.run(&|_| ()));
//!
//! let mut endpoint = Endpoint::new(UserId::new(b"alice")?, "127.0.0.1".parse()?, port);
//! endpoint.wait = Wait::Forever;
//! let (here, there) = (endpoint.clone(), endpoint);
//! let listener = thread::spawn(move || {
//!     let mut stream = stream::listen(&here, &Cancel::new(), &mut |_| ControlFlow::Continue(()))?;
//!     let mut question = String::new();
//!     stream.read_to_string(&mut question)?;
//!     stream.write_all(question.to_uppercase().as_bytes())?;
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//! let mut stream = stream::dial(&there, &Cancel::new(), &mut |_| ControlFlow::Continue(()))?;
//! stream.write_all(b"hello")?;
//! stream.shutdown(std::net::Shutdown::Write)?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert_eq!(answer, "HELLO");
//! # listener.join().unwrap().unwrap();
//!
//! control.end();
//! relay.join().unwrap()?;
//! # Ok(())
//! # }
//! ```

use std::net::TcpStream;

use super::jobs::uncancelled;
use super::meeting::Meeting;
use super::{Cancel, Endpoint};
use crate::transfer::{Error, Event, Observer};

/// Calls whoever waits at `endpoint`, for as long as its `wait` says. The socket blocks and has no
/// timeout; [`Cancel::cancel`] has no effect on it any more.
///
/// # Errors
/// Why nobody was met.
pub fn dial(
    endpoint: &Endpoint,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<TcpStream, Error> {
    uncancelled(cancel, || {
        let connection = Meeting::new(endpoint, cancel, observer).call()?;
        Event::Matched.tell(observer)?;
        connection.into_stream()
    })
}

/// Waits at `endpoint` until a caller speaks: the relay does not tell that one has come. What it said
/// is there to be read. The socket is as that of [`dial`].
///
/// Where the protocol has the listener speak first and its caller wait for that, take [`register`].
///
/// # Errors
/// Why nobody was met.
pub fn listen(
    endpoint: &Endpoint,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<TcpStream, Error> {
    uncancelled(cancel, || {
        let connection = Meeting::new(endpoint, cancel, observer).listen()?;
        Event::Matched.tell(observer)?;
        connection.into_stream()
    })
}

/// Registers at `endpoint` as the one who waits, and does not wait: the socket can be polled, and is
/// readable when a caller has spoken, or when the relay ended it. What is written to it before is
/// kept for the caller. The endpoint's `wait` plays no part. The socket is as that of [`dial`].
///
/// A relay that refuses says `X` and ends the stream, which nothing tells from a caller's.
///
/// # Errors
/// Why no relay was reached.
pub fn register(
    endpoint: &Endpoint,
    cancel: &Cancel,
    observer: &mut Observer<'_>,
) -> Result<TcpStream, Error> {
    uncancelled(cancel, || {
        let connection = Meeting::new(endpoint, cancel, observer).register()?;
        connection.into_stream()
    })
}
