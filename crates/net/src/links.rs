//! The sockets of connections to the store.

use crate::backlog::Backlog;
use breakwater_router::{LinkId, Relay};
use foldhash::fast::FixedState;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, ToSocketAddrs};

/// Steps of receiving in a turn, for each connection.
const PIECES: usize = 8;

struct Link {
    socket: TcpStream,
    backlog: Backlog,
    connected: bool,
}

/// The sockets of one thread's connections to the store, by the numbers that the relay gives them.
#[derive(Default)]
pub struct Links {
    links: HashMap<LinkId, Link, FixedState>,
}

/// The token of a connection: those of clients have a generation in their upper half, which is
/// never 0.
fn token(id: LinkId) -> Token {
    Token(id as usize)
}

/// The connection that a token means, if it is one.
pub fn link_of(token: Token) -> Option<LinkId> {
    LinkId::try_from(token.0).ok()
}

impl Links {
    /// Opens what the relay wants opened.
    fn open(&mut self, relay: &mut Relay, registry: &Registry) {
        for id in relay.opens() {
            let opened = resolve(relay).and_then(|address| {
                let mut socket = TcpStream::connect(address)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                registry.register(&mut socket, token(id), interest)?;
                let _ = socket.set_nodelay(true);
                Ok(Link { socket, backlog: Backlog::default(), connected: false })
            });
            match opened {
                Ok(link) => drop(self.links.insert(id, link)),
                Err(error) => relay.lost(id, &error.to_string()),
            }
        }
    }

    /// Does what the relay wants done: closes sockets, opens others, and writes.
    pub fn serve(&mut self, relay: &mut Relay, registry: &Registry) {
        for id in relay.closes() {
            self.links.remove(&id);
        }
        self.open(relay, registry);
        for id in relay.touched() {
            let Some(link) = self.links.get_mut(&id).filter(|link| link.connected) else {
                continue;
            };
            let Some(output) = relay.output(id) else { continue };
            let sent = link.backlog.send(output, &mut link.socket);
            output.clear();
            output.shrink_to(64 * 1024);
            if let Err(error) = sent {
                self.lose(id, relay, &error.to_string());
            }
        }
    }

    /// A connection may have become ready; whether it may have more to be received.
    pub fn ready(&mut self, id: LinkId, relay: &mut Relay, input: &mut [u8]) -> bool {
        match self.try_ready(id, relay, input) {
            Ok(more) => more,
            Err(why) => {
                self.lose(id, relay, &why);
                false
            }
        }
    }

    fn try_ready(
        &mut self,
        id: LinkId,
        relay: &mut Relay,
        input: &mut [u8],
    ) -> Result<bool, String> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(false) };
        let text = |error: io::Error| error.to_string();
        if !link.connected {
            if let Some(error) = link.socket.take_error().map_err(text)? {
                return Err(error.to_string());
            }
            if link.socket.peer_addr().is_err() {
                return Ok(false);
            }
            link.connected = true;
            relay.connected(id);
        }
        link.backlog.flush(&mut link.socket).map_err(text)?;
        for _ in 0..PIECES {
            match link.socket.read(input) {
                Ok(0) => return Err("it closed the connection".to_owned()),
                Ok(count) => relay.receive(id, &input[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(true)
    }

    fn lose(&mut self, id: LinkId, relay: &mut Relay, why: &str) {
        self.links.remove(&id);
        relay.lost(id, why);
    }
}

/// The address of the store. Names are looked up where the thread stands still for that: a store is
/// best named by its address, or by a name that the machine knows.
fn resolve(relay: &Relay) -> io::Result<SocketAddr> {
    let address = relay.address();
    let mut found = (address.host.as_str(), address.port).to_socket_addrs()?;
    found.next().ok_or_else(|| ErrorKind::AddrNotAvailable.into())
}
