//! The bytes of a connection, whether they travel as they are or by TLS.

use crate::socket::Socket;
use rustls::Connection;
use rustls::pki_types::CertificateDer;
use std::io::{self, ErrorKind, Read, Write};

/// The largest piece that is received at once, in bytes.
const INPUT: usize = 64 * 1024;
/// The same of records. With what was left of a record before, their contents fit the input.
const RECORDS: usize = 32 * 1024;

/// Records of so many bytes need no more room than an idle connection has.
const SMALL: usize = 4 * 1024;

/// Where the connections of a thread receive.
pub struct Space {
    /// What was received.
    pub input: Box<[u8]>,
    records: Box<[u8]>,
}

impl Default for Space {
    fn default() -> Self {
        let buffer = |len| vec![0; len].into_boxed_slice();
        Self { input: buffer(INPUT), records: buffer(RECORDS) }
    }
}

/// What receiving came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// So many bytes lie in the input.
    pub count: usize,
    /// The other end sends no more.
    pub ended: bool,
}

/// A connection.
pub struct Channel {
    socket: Socket,
    /// The keys and what is on its way, if it is secured.
    tls: Option<Box<Connection>>,
    /// Whether there may be something to receive.
    readable: bool,
    /// The other end sends no more: what it sent before is still received, to its end.
    ended: bool,
    /// Bytes of records that the socket has taken.
    taken: u64,
}

impl Channel {
    /// A connection whose bytes travel as they are.
    pub fn new(socket: Socket) -> Self {
        Self { socket, tls: None, readable: true, ended: false, taken: 0 }
    }

    /// Begins the handshake of TLS.
    pub fn secure(&mut self, tls: impl Into<Connection>) {
        self.tls = Some(Box::new(tls.into()));
    }

    /// The socket, to be watched.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// The socket may have something to receive; if `ended` it has the end of it as well.
    ///
    /// Events tell of changes only: a piece that is received may be followed by an end that was
    /// told before, of which nothing more is heard.
    pub fn became_readable(&mut self, ended: bool) {
        self.readable = true;
        self.ended |= ended;
    }

    /// Whether there may be something to receive.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether the two ends have yet to agree on keys.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether records are made that the socket has not taken.
    pub fn owes(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// How many bytes of records the socket has taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The certificate that the other end has shown.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.as_ref()?.peer_certificates()?.first()
    }

    /// Receives what there is, up to a bound.
    ///
    /// # Errors
    /// The connection is gone, or what it sent is no TLS.
    pub fn receive(&mut self, space: &mut Space) -> io::Result<Received> {
        let into = if self.tls.is_some() { &mut space.records } else { &mut space.input };
        let Some(count) = read(&mut self.socket, into)? else {
            self.readable = false;
            return Ok(Received::default());
        };
        // A full buffer may have left something behind.
        self.readable = count > 0 && (self.ended || count == into.len());
        let ended = count == 0;
        let Some(tls) = &mut self.tls else { return Ok(Received { count, ended }) };
        let opened = open(tls, &space.records[..count], &mut space.input);
        // Whatever it came to, the other end is told: of keys, or of what is wrong.
        let settled = self.settle();
        let mut received = opened?;
        settled?;
        received.ended |= ended;
        Ok(received)
    }

    /// Writes the records that are made, as far as the socket takes them.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn settle(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.taken += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends no more, and says so.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // It may be gone already.
            let _ = self.settle();
        }
        self.socket.shut_down();
    }
}

impl Write for Channel {
    /// What is taken is made into records, and these are written as far as the socket takes them;
    /// the rest leaves by [`Channel::settle`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.settle()?;
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) if tls.wants_write() => Err(ErrorKind::WouldBlock.into()),
            Some(tls) => {
                let taken = tls.writer().write(bytes)?;
                self.settle()?;
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.settle()
    }
}

/// How many bytes were received; `None` if there are none now.
fn read(socket: &mut Socket, into: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match socket.read(into) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens the records: their contents go to `input`.
fn open(tls: &mut Connection, mut records: &[u8], input: &mut [u8]) -> io::Result<Received> {
    let mut received = Received::default();
    let large = records.len() > SMALL;
    while !records.is_empty() && !received.ended {
        tls.read_tls(&mut records)?;
        let state = tls
            .process_new_packets()
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let count = tls.reader().read(&mut input[received.count..])?;
            if count == 0 {
                return Err(ErrorKind::OutOfMemory.into());
            }
            received.count += count;
            left -= count;
        }
        received.ended = state.peer_has_closed();
    }
    if large {
        // It keeps the room that it needed until it reads again: it reads nothing, now.
        let _ = tls.read_tls(&mut Nothing);
    }
    Ok(received)
}

/// A socket that has nothing to read.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}
