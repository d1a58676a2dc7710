//! A connection's socket: of TCP, or of this machine alone.

use crate::room::number_of;
use mio::event::Source;
use mio::net::TcpStream;
#[cfg(unix)]
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// How long a connection is quiet before the system asks whether its other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Does the same to either kind.
macro_rules! either {
    ($kind:ident, $of:expr, $socket:ident => $what:expr) => {
        match $of {
            $kind::Tcp($socket) => $what,
            #[cfg(unix)]
            $kind::Unix($socket) => $what,
        }
    };
}

/// A connected socket.
pub enum Socket {
    /// Of TCP.
    Tcp(TcpStream),
    /// Of this machine.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// Begins to connect to a socket of this machine.
    ///
    /// # Errors
    /// The system refuses, or has no such sockets.
    pub fn connect_unix(path: &str) -> io::Result<Self> {
        #[cfg(unix)]
        return UnixStream::connect(path).map(Self::Unix);
        #[cfg(not(unix))]
        return Err(io::Error::new(io::ErrorKind::Unsupported, path));
    }

    /// Has replies leave at once, and ends that vanished be found. A socket without either works too.
    pub fn set_up(&self) {
        if let Self::Tcp(socket) = self {
            let _ = socket.set_nodelay(true);
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
            let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
        }
    }

    /// Says a few words to a new client, if there is room for them, and no more. What it has sent is read, as
    /// far as it is here: a socket that is closed over unread bytes is reset, and the words would be lost.
    pub fn say_last(&self, words: &[u8]) {
        let mut unread = [0; 4096];
        let _ = either!(Self, self, socket => (&mut &*socket).read(&mut unread));
        let _ = either!(Self, self, socket => (&mut &*socket).write(words));
        self.shut_down();
    }

    /// The number of its descriptor.
    pub fn number(&self) -> u64 {
        either!(Self, self, socket => number_of(socket))
    }

    /// The other end and this one, as Redis writes them.
    pub fn ends(&self) -> (String, String) {
        match self {
            Self::Tcp(socket) => {
                let text = |end: io::Result<std::net::SocketAddr>| {
                    end.map_or_else(|_| String::new(), |end| end.to_string())
                };
                (text(socket.peer_addr()), text(socket.local_addr()))
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                let path = socket.local_addr().ok();
                let path = path.as_ref().and_then(|end| end.as_pathname());
                let path = path.map_or(String::new(), |path| path.display().to_string());
                (format!("{path}:0"), format!("{path}:0"))
            }
        }
    }

    /// Whether it is connected; an error if it could not be.
    ///
    /// # Errors
    /// Why it could not be connected.
    pub fn is_connected(&self) -> io::Result<bool> {
        match either!(Self, self, socket => socket.take_error())? {
            Some(error) => Err(error),
            None => Ok(either!(Self, self, socket => socket.peer_addr().is_ok())),
        }
    }

    /// Reads without taking: the next `read` gives the same bytes. Only of TCP.
    ///
    /// # Errors
    /// As for reading.
    pub fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.peek(into),
            #[cfg(unix)]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Sends no more.
    pub fn shut_down(&self) {
        // It may be gone already.
        let _ = either!(Self, self, socket => socket.shutdown(Shutdown::Write));
    }

    fn source(&mut self) -> &mut dyn Source {
        either!(Self, self, socket => socket)
    }

    /// Has the poller tell of it by this token.
    ///
    /// # Errors
    /// The system refuses.
    pub fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.source().register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Has the poller tell no more of it. Closing does the same, where nobody else has the socket.
    pub fn unwatch(&mut self, registry: &Registry) {
        let _ = self.source().deregister(registry);
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        either!(Self, self, socket => socket.read(into))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(Self, self, socket => socket.write(bytes))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [piece] = pieces {
            // What the system does at less cost than for several: `send`, not `writev`.
            return self.write(piece);
        }
        either!(Self, self, socket => socket.write_vectored(pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
