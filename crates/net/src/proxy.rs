//! The PROXY protocol, versions 1 and 2: who a proxy in front of the node speaks for.

use crate::socket::Socket;
use ppp::{HeaderResult, PartialResult, v1, v2};
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;

/// The longest header that is read, in bytes: the addresses and what a proxy may add to them.
const LONGEST: usize = 4096;

/// Takes the header at the head of a connection: `None` while it is not all there, else the client
/// that the proxy speaks for, if it speaks for one (its health checks are its own).
///
/// # Errors
/// What comes is no header; the connection is gone.
pub fn take_header(socket: &mut Socket, into: &mut [u8]) -> io::Result<Option<Option<String>>> {
    let into = &mut into[..LONGEST];
    let count = match socket.peek(into) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((len, origin)) = parse(&into[..count])? else { return Ok(None) };
    socket.read_exact(&mut into[..len])?;
    Ok(Some(origin))
}

/// The length of the header, and whom it names; `None` if it is not all there.
fn parse(bytes: &[u8]) -> io::Result<Option<(usize, Option<String>)>> {
    let wrong = || io::Error::new(ErrorKind::InvalidData, "no header of the PROXY protocol");
    let header = HeaderResult::parse(bytes);
    if header.is_incomplete() {
        return if bytes.len() < LONGEST { Ok(None) } else { Err(wrong()) };
    }
    match header {
        HeaderResult::V1(Ok(header)) => Ok(Some((header.header.len(), origin_v1(&header)))),
        HeaderResult::V2(Ok(header)) => Ok(Some((header.len(), origin_v2(&header)))),
        _ => Err(wrong()),
    }
}

fn origin_v1(header: &v1::Header<'_>) -> Option<String> {
    let source: SocketAddr = match header.addresses {
        v1::Addresses::Tcp4(ends) => (ends.source_address, ends.source_port).into(),
        v1::Addresses::Tcp6(ends) => (ends.source_address, ends.source_port).into(),
        v1::Addresses::Unknown => return None,
    };
    Some(source.to_string())
}

fn origin_v2(header: &v2::Header<'_>) -> Option<String> {
    if header.command == v2::Command::Local {
        return None;
    }
    let source: SocketAddr = match header.addresses {
        v2::Addresses::IPv4(ends) => (ends.source_address, ends.source_port).into(),
        v2::Addresses::IPv6(ends) => (ends.source_address, ends.source_port).into(),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => return None,
    };
    Some(source.to_string())
}
