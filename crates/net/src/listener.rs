//! Accepting: new connections, and what to do when the system has no more descriptors.

use mio::net::{TcpListener, TcpStream};
use socket2::{SockRef, TcpKeepalive};
use std::io::ErrorKind;
use std::time::Duration;

/// How long a connection is quiet before the system asks whether its other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// What accepting came to.
pub enum Accepted {
    /// A connection, set up.
    Connection(TcpStream),
    /// None waits.
    Nothing,
    /// One waits and cannot be taken now: descriptors or memory are short.
    Short,
}

/// Takes one connection.
pub fn accept(listener: &TcpListener) -> Accepted {
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                set_up(&socket);
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

/// Replies leave at once, and clients that vanished are found. A socket without either works too.
fn set_up(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let _ = SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}
