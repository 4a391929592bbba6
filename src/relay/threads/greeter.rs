//! Connections until they are one of a pair: the accept, the hello, what follows from it.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{Builder, Scope};
use std::time::Instant;

use super::{Connection, EXHAUSTED, Opened, STACK, Server, is_timeout};
use crate::relay::event::{Event, Reason, Refusal};
use crate::relay::guest::Guest;
use crate::relay::places::{Place, Vacancy};
use crate::relay::session::{Session, Verdict as Asked};
use crate::relay::{admit, canonical, turn_away};
use crate::sys::bell::Wait;
use crate::sys::net;
use crate::wire::{HELLO_MAX, Role, UserId};

/// What came of the wait for a hello.
enum Heard {
    /// This.
    Asked(Asked),
    /// The source that a balancer told has had its share.
    OverLimit(Refusal),
    /// The connection ended.
    End,
    /// The house is cleared.
    Not(Session),
}

/// What is left to do for a connection that has said its hello.
enum Served<'a> {
    Pair(UserId, Connection<'a>, Connection<'a>),
    Refuse(Option<UserId>, Refusal, Connection<'a>),
    /// Nothing.
    Done,
}

/// Whether an accept failed because of the connection that it would have given; any other failure
/// (no descriptor, no memory) would come again at once.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
    )
}

impl<'a> Server<'a> {
    /// Accepts until the house is cleared.
    pub(super) fn accept<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        listener: &TcpListener,
    ) where
        'a: 'scope,
    {
        while !self.household.heeds() {
            let Some(vacancy) = self.places.await_vacancy() else {
                continue;
            };
            match self.household.bell.accept(listener) {
                Ok(None) => {}
                Ok(Some((stream, from))) => {
                    self.stats.accepted();
                    self.admit(scope, stream, canonical(from), vacancy);
                }
                Err(error) if of_one_connection(&error) => {
                    if error.kind() != io::ErrorKind::Interrupted {
                        self.stats.accept_failed();
                    }
                }
                Err(_) => {
                    self.stats.accept_failed();
                    drop(vacancy);
                    std::thread::sleep(EXHAUSTED);
                }
            }
        }
    }

    fn admit<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        stream: TcpStream,
        from: SocketAddr,
        vacancy: Vacancy,
    ) where
        'a: 'scope,
    {
        let (place, session) = match admit(vacancy, self.config, from, Instant::now()) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                (self.log)(&Event::Refused {
                    from,
                    id: None,
                    refusal,
                });
                return turn_away(&stream);
            }
        };
        let connection = self.open(stream, from, place);
        self.welcome(scope, connection, session, Asked::Await);
    }

    pub(super) fn open(&self, stream: TcpStream, from: SocketAddr, place: Place) -> Connection<'a> {
        self.stats.opened();
        Connection {
            stream,
            from,
            place,
            _opened: Opened(self.stats),
        }
    }

    /// Gives a connection that has come to this so far the thread that serves it.
    pub(super) fn welcome<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        mut connection: Connection<'a>,
        session: Session,
        asked: Asked,
    ) where
        'a: 'scope,
    {
        let from = connection.from;
        let unheard = self.household.unheard();
        let serve = move || {
            let heard = match asked {
                Asked::Await => self.hello(&mut connection, session),
                asked => Heard::Asked(asked),
            };
            let served = self.receive(connection, heard);
            // Who waits is in the registry by now, who was called is out of it, and who was not
            // heard to the end is given up.
            drop(unheard);
            match served {
                Served::Pair(id, listener, caller) => self.pair(&id, listener, caller),
                Served::Refuse(id, refusal, connection) => {
                    if refusal == Refusal::NobodyWaits {
                        std::thread::sleep(connection.place.miss(Instant::now()));
                    }
                    self.refuse(&connection, id.as_ref(), refusal);
                }
                Served::Done => {}
            }
        };
        // A thread that cannot be had takes the connection down with it: the closure is dropped.
        let spawned = Builder::new().stack_size(STACK).spawn_scoped(scope, serve);
        if spawned.is_err() {
            (self.log)(&Event::Refused {
                from,
                id: None,
                refusal: Refusal::Exhausted,
            });
            std::thread::sleep(EXHAUSTED);
        }
    }

    fn receive(&self, mut connection: Connection<'a>, heard: Heard) -> Served<'a> {
        let from = connection.from;
        let hello = match heard {
            Heard::Asked(Asked::Serve(hello)) => hello,
            Heard::Asked(Asked::Refuse(refusal)) => {
                return Served::Refuse(None, refusal, connection);
            }
            Heard::Not(session) => {
                let charged = connection.place.is_charged();
                let guest = Guest::unheard(connection.stream, from, charged, &session);
                self.household.give_up(guest);
                return Served::Done;
            }
            Heard::OverLimit(refusal) => {
                (self.log)(&Event::Refused {
                    from,
                    id: None,
                    refusal,
                });
                turn_away(&connection.stream);
                return Served::Done;
            }
            Heard::Asked(Asked::Await) | Heard::End => {
                (self.log)(&Event::Left {
                    from,
                    id: None,
                    reason: Reason::NoHello,
                });
                return Served::Done;
            }
        };
        match hello.role {
            Role::Listener => {
                if let Err(refusal) = connection.place.listen() {
                    return Served::Refuse(Some(hello.id), refusal, connection);
                }
                let id = hello.id;
                let gone = net::peer_gone(&connection.stream);
                self.register(id.clone(), connection, true);
                // Not left to the next tour: a queue of such would be let in by as many tours.
                if gone {
                    self.forget_gone(&id);
                }
                Served::Done
            }
            Role::Caller => match self.find(&hello.id) {
                Some(listener) => Served::Pair(hello.id, listener, connection),
                None => Served::Refuse(Some(hello.id), Refusal::NobodyWaits, connection),
            },
        }
    }

    /// Puts a listener that has its place into the registry, and says so unless that is no news.
    pub(super) fn register(&self, id: UserId, connection: Connection<'a>, news: bool) {
        // Logged under the lock: no caller's `matched` may come before it.
        let mut registry = self.registry();
        if news {
            (self.log)(&Event::Registered {
                id: &id,
                from: connection.from,
            });
        }
        registry.insert(id, connection);
    }

    /// Reads until the hello is whole or there will be none.
    fn hello(&self, connection: &mut Connection<'a>, session: Session) -> Heard {
        // Where the listening socket did not hand these down.
        let _ = net::watch_peer(&connection.stream);
        self.try_hello(connection, session).unwrap_or(Heard::End)
    }

    fn try_hello(
        &self,
        connection: &mut Connection<'a>,
        mut session: Session,
    ) -> io::Result<Heard> {
        let mut stream = &connection.stream;
        let mut buffer = [0; HELLO_MAX];
        loop {
            let now = Instant::now();
            match session.handle_time(now) {
                Asked::Await => {}
                refused => return Ok(Heard::Asked(refused)),
            }
            let bell = &self.household.bell;
            match bell.await_bytes(stream, session.deadline() - now)? {
                Wait::Ready => {}
                Wait::Rung if self.household.clears() => return Ok(Heard::Not(session)),
                Wait::Rung | Wait::TimedOut => continue,
            }
            let count = match stream.peek(&mut buffer) {
                Ok(0) => return Ok(Heard::End),
                Ok(count) => count,
                Err(error) if is_timeout(&error) => continue,
                Err(error) => return Err(error),
            };
            let (used, asked) = session.handle_bytes(&buffer[..count]);
            let taken = stream.read_exact(&mut buffer[..used]);
            if let Some(from) = session.take_source().map(canonical) {
                connection.from = from;
                if let Err(refusal) = connection.place.charge(from.ip(), now) {
                    return Ok(Heard::OverLimit(refusal));
                }
            }
            taken?;
            if asked != Asked::Await {
                return Ok(Heard::Asked(asked));
            }
        }
    }
}
