//! A connection before its client is served: a header of the PROXY protocol, then the handshake of
//! TLS, where the entrance asks for them.

use crate::channel::{Channel, Received, Space};
use crate::gate::Place;
use crate::proxy;
use crate::socket::Socket;
use crate::tls::shown;
use breakwater_router::Peer;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// A connection on its way in.
pub struct Arrival {
    channel: Channel,
    peer: Peer,
    /// A header has to come first.
    proxied: bool,
    secure: bool,
    /// A handshake has to begin.
    tls: Option<Arc<ServerConfig>>,
    /// Its place among those that agree on keys.
    _place: Option<Place>,
}

impl Arrival {
    /// A connection that was accepted.
    pub fn new(
        socket: Socket,
        proxied: bool,
        tls: Option<Arc<ServerConfig>>,
        place: Option<Place>,
    ) -> Self {
        let (address, local) = socket.ends();
        let peer = Peer { address, local, certificate: None };
        let (channel, secure) = (Channel::new(socket), tls.is_some());
        Self { channel, peer, proxied, secure, tls, _place: place }
    }

    /// Whether it agrees on keys first.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether its client has something to say before it is served.
    pub fn waits(&self) -> bool {
        self.proxied || self.tls.is_some()
    }

    /// Its connection.
    pub fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// What is left of it when it is here: its connection, and whose it is.
    pub fn into_parts(self) -> (Channel, Peer) {
        (self.channel, self.peer)
    }

    /// One step; what was received beside the last of the handshake, when it is here.
    ///
    /// # Errors
    /// The connection is gone, or what it sent is neither a header nor TLS.
    pub fn step(&mut self, space: &mut Space) -> io::Result<Option<Received>> {
        if self.proxied {
            match proxy::take_header(self.channel.socket(), &mut space.input)? {
                None => return Ok(None),
                Some(Some(origin)) => self.peer.address = origin,
                Some(None) => {}
            }
            self.proxied = false;
        }
        if let Some(config) = self.tls.take() {
            self.channel.secure(ServerConnection::new(config).map_err(io::Error::other)?);
        }
        let mut received = Received::default();
        while self.channel.is_handshaking() && self.channel.is_readable() {
            received = self.channel.receive(space)?;
            if received.ended && self.channel.is_handshaking() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        self.channel.settle()?;
        if self.channel.is_handshaking() {
            return Ok(None);
        }
        self.peer.certificate =
            self.channel.certificate().and_then(|certificate| shown(certificate));
        Ok(Some(received))
    }
}
