//! Replies that the kernel has not taken yet.

use std::io::{self, ErrorKind, Write};

/// Bytes that an empty backlog may keep for the next time: most connections are idle.
const KEPT: usize = 512;

/// Bytes on their way to a socket that was full.
#[derive(Default)]
pub struct Backlog {
    bytes: Vec<u8>,
    /// How many of them are written.
    written: usize,
    /// How many bytes were that had waited, in all.
    taken: u64,
}

impl Backlog {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// How many bytes that had waited were written, since the beginning.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes `bytes` behind what waits; what the socket does not take waits.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, bytes: &[u8], socket: &mut impl Write) -> io::Result<()> {
        let taken = if self.is_empty() { write(bytes, socket)? } else { 0 };
        self.bytes.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Where bytes go that are to be written behind what waits.
    pub fn behind(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        socket.flush()?;
        if self.is_empty() {
            return Ok(());
        }
        let taken = write(&self.bytes[self.written..], socket)?;
        self.written += taken;
        self.taken += taken as u64;
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            self.written = 0;
        } else if self.written > self.bytes.len() / 2 {
            // Every byte is moved at most once for each byte that is written.
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }
}

/// How many bytes the socket took before it was full.
fn write(bytes: &[u8], socket: &mut impl Write) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match socket.write(&bytes[taken..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::Backlog;
    use std::io::{self, ErrorKind, Write};

    /// A socket that takes so many bytes until it is asked again.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 && !bytes.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_leave_in_their_order_however_little_the_socket_takes() {
        let mut socket = Narrow { room: 0, taken: vec![] };
        let mut backlog = Backlog::default();
        let mut sent = vec![];
        for round in 0..200_u32 {
            let piece: Vec<u8> = (0..round % 13).map(|n| (round + n) as u8).collect();
            sent.extend_from_slice(&piece);
            socket.room = (round % 7) as usize;
            backlog.flush(&mut socket).unwrap();
            backlog.send(&piece, &mut socket).unwrap();
            assert_eq!(socket.taken.len() + backlog.len(), sent.len());
        }
        socket.room = usize::MAX;
        backlog.flush(&mut socket).unwrap();
        assert!(backlog.is_empty());
        assert_eq!(socket.taken, sent);
    }
}
