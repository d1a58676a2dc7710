//! The PROXY protocol, versions 1 and 2: who a proxy in front of the node speaks for.

use crate::socket::Socket;
use ppp::{HeaderResult, v1, v2};
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;

/// The longest header that is read, in bytes: the addresses and what a proxy may add to them.
const LONGEST: usize = 4096;

/// The longest header of version 1, in bytes.
const LONGEST_LINE: usize = 107;

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
    let len = match length(bytes) {
        None => return Err(wrong()),
        Some(len) if len > LONGEST => return Err(wrong()),
        Some(len) if len > bytes.len() => return Ok(None),
        Some(len) => len,
    };
    match HeaderResult::parse(&bytes[..len]) {
        HeaderResult::V1(Ok(header)) => Ok(Some((len, origin_v1(&header)))),
        HeaderResult::V2(Ok(header)) => Ok(Some((len, origin_v2(&header)))),
        _ => Err(wrong()),
    }
}

/// How long the header is, at the least, if these are its first bytes; `None` if they cannot be.
fn length(bytes: &[u8]) -> Option<usize> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(one, other)| one == other);
    if begins(v2::PROTOCOL_PREFIX) {
        return Some(match bytes.get(14..16) {
            Some(rest) => 16 + usize::from(rest[0]) * 256 + usize::from(rest[1]),
            None => 16,
        });
    }
    if !begins(b"PROXY ") {
        return None;
    }
    match bytes.windows(2).position(|pair| pair == b"\r\n") {
        Some(at) => Some(at + 2),
        None if bytes.len() < LONGEST_LINE => Some(bytes.len() + 1),
        None => None,
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

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_header_is_whole_at_its_last_byte_and_not_before() {
        let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        v2.extend_from_slice(&[203, 0, 113, 7, 10, 0, 0, 1, 0xc3, 0x50, 0x18, 0xec]);
        let v1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 50000 6380\r\n".to_vec();
        for header in [v1, v2] {
            for len in 0..header.len() {
                assert_eq!(parse(&header[..len]).unwrap(), None, "{len}");
            }
            let whole = Some((header.len(), Some("203.0.113.7:50000".to_owned())));
            let followed = [&header[..], b"PING\r\n"].concat();
            assert_eq!(parse(&followed).unwrap(), whole);
        }
    }

    #[test]
    fn what_is_no_header_is_known_at_its_first_wrong_byte() {
        for bytes in [&b"P0"[..], b"PING", b"\r\n\r\n\x01", b"PROXY TCP5 x\r\n", &[b' '; 200]] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
        assert!(parse(&[b"PROXY ", &[b'x'; 200][..]].concat()).is_err());
    }
}
