//! A read in bytes: those under which its reply lies in memory, and by which another process makes it.
//!
//! ```text
//! a read:    database u8, whose highest bit says that the reply has the form of RESP2; the command's
//!            name, whose last letter has its highest bit; each word behind it, behind its length u32
//! a set:     reads, each behind its length u32 and how often it was made of late u8, which the length
//!            counts
//! ```
//!
//! The reply to a `GET` lies with its key instead.

use breakwater_resp::{Protocol, write_request};
use smallvec::{Array, SmallVec};

/// The bit of a database by which the reply has the form of RESP2.
pub(super) const RESP2: u8 = 1 << 7;
/// The bit by which a name ends.
const END: u8 = 1 << 7;

/// Appends the name of a command.
pub(super) fn name<A: Array<Item = u8>>(name: &str, out: &mut SmallVec<A>) {
    if let Some((last, rest)) = name.as_bytes().split_last() {
        out.extend_from_slice(rest);
        out.push(last | END);
    }
}

/// A read that another process has done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HotRead {
    /// How often it was made of late, as the policy counts.
    pub(crate) times: u8,
    pub(crate) db: u8,
    /// In whose form its reply was remembered.
    pub(crate) protocol: Protocol,
    /// As a client sends it.
    pub(crate) request: Vec<u8>,
}

impl HotRead {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let ([times, db], rest) = bytes.split_first_chunk()?;
        let end = rest.iter().position(|letter| letter & END != 0)?;
        let mut name = rest[..=end].to_vec();
        name[end] &= !END;
        // The second word of `object|encoding` is among the words.
        let command = name.split(|letter| *letter == b'|').next()?;
        let mut words = vec![command];
        let mut rest = &rest[end + 1..];
        while !rest.is_empty() {
            let (word, others) = take(rest)?;
            words.push(word);
            rest = others;
        }
        let mut request = vec![];
        write_request(&mut request, &words);
        let protocol = if db & RESP2 != 0 { Protocol::Resp2 } else { Protocol::Resp3 };
        Some(Self { times: *times, db: db & !RESP2, protocol, request })
    }
}

/// Bytes behind their length, and what is behind them.
pub(super) fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_ne_bytes(*len) as usize)
}

pub(super) fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_ne_bytes());
    out.extend_from_slice(bytes);
}

/// Reads of another process, from the hottest on: what is no read is the end.
#[derive(Default)]
pub(crate) struct HotSet {
    bytes: Vec<u8>,
    at: usize,
}

impl HotSet {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether there is none any more.
    pub(crate) fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

impl Iterator for HotSet {
    type Item = HotRead;

    fn next(&mut self) -> Option<HotRead> {
        let found = take(&self.bytes[self.at..]);
        let read = found.and_then(|(read, rest)| Some((HotRead::decode(read)?, rest.len())));
        self.at = self.bytes.len() - read.as_ref().map_or(0, |(_, left)| *left);
        read.map(|(read, _)| read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(db: u8, of: &str, words: &[&[u8]]) -> Vec<u8> {
        let mut own: SmallVec<[u8; 96]> = SmallVec::new();
        own.push(db);
        name(of, &mut own);
        let mut bytes = [&[2], own.as_slice()].concat();
        words.iter().for_each(|word| put(word, &mut bytes));
        let mut all = vec![];
        put(&bytes, &mut all);
        all
    }

    #[test]
    fn a_read_is_done_as_it_was() {
        let long = [b'a'; 97];
        let check = |db, of: &str, words: &[&[u8]], protocol, request: &[u8]| {
            let read = HotSet::new(described(db, of, words)).next().unwrap();
            let request = request.to_vec();
            assert_eq!(read, HotRead { times: 2, db: db & !RESP2, protocol, request });
        };
        check(3, "get", &[b"k"], Protocol::Resp3, b"*2\r\n$3\r\nget\r\n$1\r\nk\r\n");
        let request = b"*3\r\n$6\r\nobject\r\n$8\r\nENCODING\r\n$1\r\nk\r\n";
        check(RESP2, "object|encoding", &[b"ENCODING", b"k"], Protocol::Resp2, request);
        // The bytes of its length are a letter, and then none.
        let request = [b"*3\r\n$4\r\nhget\r\n$97\r\n".as_slice(), &long, b"\r\n$2\r\n\xff\x00\r\n"];
        check(0, "hget", &[&long, b"\xff\x00"], Protocol::Resp3, &request.concat());
    }

    #[test]
    fn what_is_no_read_is_the_end() {
        let whole = [described(0, "get", &[b"a"]), described(0, "get", &[b"b"])].concat();
        assert_eq!(HotSet::new(whole.clone()).count(), 2);
        for cut in 0..whole.len() {
            let mut set = HotSet::new(whole[..cut].to_vec());
            assert!(set.by_ref().count() <= 1);
            set.by_ref().for_each(drop);
        }
        for nonsense in [vec![255; 40], [vec![1, 0, 0, 0, 0], described(0, "get", &[])].concat()] {
            let mut nonsense = HotSet::new(nonsense);
            assert_eq!(nonsense.next(), None);
            assert!(nonsense.is_over());
        }
    }
}
