//! The sockets of connections to the store. They may go to another thread, with a letter to its relay.

use crate::backlog::Backlog;
use crate::channel::{Channel, Space};
use crate::socket::Socket;
use crate::tls::StoreTls;
use breakwater_router::{Letter, LinkId, Relay, StoreAddress};
use foldhash::fast::FixedState;
use mio::net::TcpStream;
use mio::{Registry, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// A letter to the relay of another thread, and the sockets that go with it: `None` where a connection
/// has none.
pub struct Parcel {
    pub letter: Letter,
    links: Vec<Option<Link>>,
}

struct Link {
    channel: Channel,
    backlog: Backlog,
    /// The handshake that begins once the socket is connected.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    connected: bool,
    /// It is connected, and the keys are agreed on.
    open: bool,
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
    fn open(&mut self, relay: &mut Relay, tls: Option<&StoreTls>, registry: &Registry) {
        for id in relay.opens() {
            match connect(relay, tls, id, registry) {
                Ok(link) => drop(self.links.insert(id, link)),
                Err(error) => relay.lost(id, &error.to_string()),
            }
        }
    }

    /// Does what the relay wants done: closes sockets, opens others, and writes.
    pub fn serve(&mut self, relay: &mut Relay, tls: Option<&StoreTls>, registry: &Registry) {
        for id in relay.closes() {
            self.links.remove(&id);
        }
        self.open(relay, tls, registry);
        for id in relay.touched() {
            let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else {
                continue;
            };
            let Some(output) = relay.output(id) else { continue };
            let sent = link.backlog.send(output, &mut link.channel);
            output.clear();
            output.shrink_to(64 * 1024);
            if let Err(error) = sent {
                self.lose(id, relay, &error.to_string());
            }
        }
    }

    /// How many bytes wait for sockets.
    pub fn waiting(&self) -> usize {
        self.links.values().map(|link| link.backlog.len()).sum()
    }

    /// A connection has become ready; if `ended` the store has closed it, perhaps behind what it said
    /// last: see [`Channel::became_readable`].
    pub fn became_ready(&mut self, id: LinkId, ended: bool) {
        if let Some(link) = self.links.get_mut(&id) {
            link.channel.became_readable(ended);
        }
    }

    /// A connection may have become ready; whether it may have more to be received.
    pub fn ready(&mut self, id: LinkId, relay: &mut Relay, space: &mut Space) -> bool {
        match self.try_ready(id, relay, space) {
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
        space: &mut Space,
    ) -> Result<bool, String> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(false) };
        link.channel.became_readable(false);
        let text = |error: io::Error| error.to_string();
        if !link.connected {
            if !link.channel.socket().is_connected().map_err(text)? {
                return Ok(false);
            }
            if let Some(tls) = link.tls.take() {
                let tls = ClientConnection::new(tls.0, tls.1).map_err(|error| error.to_string())?;
                link.channel.secure(tls);
            }
            link.connected = true;
        }
        link.backlog.flush(&mut link.channel).map_err(text)?;
        let received = link.channel.receive(space).map_err(text)?;
        if !link.open && !link.channel.is_handshaking() {
            link.open = true;
            relay.connected(id);
        }
        if received.count > 0 {
            relay.receive(id, &space.input[..received.count]);
        }
        if received.ended {
            return Err("it closed the connection".to_owned());
        }
        Ok(link.channel.is_readable())
    }

    /// Puts a letter up with the sockets that go with it.
    pub fn pack(&mut self, letter: Letter, registry: &Registry) -> Parcel {
        let mut pack = |id: &LinkId| {
            let mut link = self.links.remove(id)?;
            link.channel.socket().unwatch(registry);
            Some(link)
        };
        let links = letter.connections().iter().map(&mut pack).collect();
        Parcel { letter, links }
    }

    /// Reads a letter and takes over the sockets that came with it: their numbers, for the first look at
    /// each.
    pub fn unpack(
        &mut self,
        parcel: Parcel,
        relay: &mut Relay,
        registry: &Registry,
    ) -> Vec<LinkId> {
        let numbers = relay.read_letter(parcel.letter);
        for (id, link) in numbers.iter().copied().zip(parcel.links) {
            // One that is still to be opened has none, and waits for its time.
            let Some(mut link) = link else {
                relay.lost(id, "its socket was not open yet");
                continue;
            };
            match link.channel.socket().watch(registry, token(id)) {
                Ok(()) => drop(self.links.insert(id, link)),
                Err(error) => relay.lost(id, &error.to_string()),
            }
        }
        numbers
    }

    fn lose(&mut self, id: LinkId, relay: &mut Relay, why: &str) {
        self.links.remove(&id);
        relay.lost(id, why);
    }
}

/// Begins to connect to the store.
fn connect(
    relay: &Relay,
    tls: Option<&StoreTls>,
    id: LinkId,
    registry: &Registry,
) -> io::Result<Link> {
    let address = relay.address(id);
    let tls = address.tls.then(|| handshake(address, tls)).transpose()?;
    let mut socket = if address.unix {
        Socket::connect_unix(&address.host)?
    } else {
        Socket::Tcp(TcpStream::connect(resolve(address)?)?)
    };
    socket.watch(registry, token(id))?;
    socket.set_up();
    let (channel, backlog) = (Channel::new(socket), Backlog::default());
    Ok(Link { channel, backlog, tls, connected: false, open: false })
}

/// How the store is met by TLS.
fn handshake(
    address: &StoreAddress,
    tls: Option<&StoreTls>,
) -> io::Result<(Arc<ClientConfig>, ServerName<'static>)> {
    let tls = tls.ok_or_else(|| io::Error::other("there are no certificates to check it by"))?;
    let name = match &tls.name {
        Some(name) => name.clone(),
        None => ServerName::try_from(address.host.clone()).map_err(io::Error::other)?,
    };
    Ok((tls.config.clone(), name))
}

/// The address of the store. Names are looked up where the thread stands still for that: a store is
/// best named by its address, or by a name that the machine knows.
fn resolve(address: &StoreAddress) -> io::Result<SocketAddr> {
    let mut found = (address.host.as_str(), address.port).to_socket_addrs()?;
    found.next().ok_or_else(|| ErrorKind::AddrNotAvailable.into())
}
