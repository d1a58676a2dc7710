//! Where clients come in: listening sockets, and what to do when the system has no more descriptors.

use crate::socket::Socket;
use breakwater_router::TOO_MANY_CLIENTS;
use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};
#[cfg(unix)]
use socket2::SockRef;
use std::io::{self, ErrorKind};

/// The most who are hung up on at once.
#[cfg(unix)]
const MOST: usize = 1024;

/// What is listened on.
pub enum Listening {
    /// A port.
    Tcp(std::net::TcpListener),
    /// A file of this machine.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// A way in for clients.
pub struct Entrance {
    /// The listening socket.
    pub on: Listening,
    /// Whether clients speak TLS.
    pub secure: bool,
    /// Whether each connection begins with a header of the PROXY protocol. Only on ports.
    pub proxied: bool,
}

enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// An entrance that a driver watches.
pub struct Listener {
    kind: Kind,
    pub secure: bool,
    pub proxied: bool,
    /// Whether it is looked at again at a time that is known: nobody is let in before.
    pub waits: bool,
}

/// What accepting came to.
pub enum Accepted {
    /// A connection, set up.
    Connection(Socket),
    /// None waits.
    Nothing,
    /// One waits and cannot be taken now: descriptors or memory are short.
    Short,
}

/// Hangs up on those who wait at a listening socket that nobody accepts from now, some at a time; how many.
#[cfg(unix)]
pub fn hang_up(on: &impl std::os::fd::AsFd) -> usize {
    let listening = SockRef::from(on);
    // It is so already where somebody has accepted from it. Were it not, nobody might come.
    if listening.set_nonblocking(true).is_err() {
        return 0;
    }
    (0..MOST).take_while(|_| listening.accept().is_ok()).count()
}

impl Listener {
    /// Watches an entrance.
    pub fn new(entrance: Entrance, registry: &Registry, token: Token) -> io::Result<Self> {
        let Entrance { on, secure, proxied } = entrance;
        let kind = match on {
            Listening::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let mut listener = TcpListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Kind::Tcp(listener)
            }
            #[cfg(unix)]
            Listening::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let mut listener = UnixListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Kind::Unix(listener)
            }
        };
        Ok(Self { kind, secure, proxied, waits: false })
    }

    /// Hangs up on a client, which is told why where that needs no keys.
    pub fn turn_away(&self, socket: Socket) {
        if !self.secure {
            socket.say_last(TOO_MANY_CLIENTS);
        }
    }

    /// Takes one connection.
    pub fn accept(&self) -> Accepted {
        loop {
            let accepted = match &self.kind {
                Kind::Tcp(listener) => listener.accept().map(|(socket, _)| Socket::Tcp(socket)),
                #[cfg(unix)]
                Kind::Unix(listener) => listener.accept().map(|(socket, _)| Socket::Unix(socket)),
            };
            match accepted {
                Ok(socket) => {
                    socket.set_up();
                    return Accepted::Connection(socket);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Accepted::Nothing,
                    // The client left before it was its turn.
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    ErrorKind::ConnectionReset => {}
                    _ => return Accepted::Short,
                },
            }
        }
    }
}
