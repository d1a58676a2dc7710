//! How a reply lies in the engine.
//!
//! ```text
//! of a key:    generation u64, stamp u64, database u8, until u64 if `OUTLASTS`, the reply to its GET
//!              or nothing
//! of a read:   stamp u64, the generation of each key u64, the reply
//! ```
//!
//! A reply is the bytes that the store sent. `NULL` stands for "no value", which each protocol has
//! bytes of its own for. The stamp says when the store was asked, and over which connection
//! (`sources`). A reply ends with its entry; one that its key's generation outlasts ends at `until`.

use breakwater_engine::{EntryRef, KeyKind};
use breakwater_resp::{Kind, Protocol, Reply, ReplyWriter};
use std::borrow::Cow;

/// What the bytes of an entry hold, as its format.
pub(super) const EMPTY: u8 = 0;
pub(super) const REPLY: u8 = 1;
pub(super) const NULL: u8 = 2;
/// A bit beside those: none of the keys existed.
pub(super) const ABSENT: u8 = 4;
/// Another bit: the generation of the key outlasts the reply that lies with it, now or later. It is
/// wanted for other reads as well, or for one that is under way.
const OUTLASTS: u8 = 8;

/// How the replies to a command differ between the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// They have the same bytes, unless there is no value.
    Alike,
    /// Each protocol has types of its own for them.
    Typed,
    /// As `Typed`; and members with scores are pairs, where RESP2 has them one after the other.
    Scored,
    /// As `Typed`; and where there is nothing within, RESP2 has no array in its place.
    Places,
    /// Nobody knows: they are kept for RESP3 alone, in which the store is asked.
    Foreign,
}

impl Form {
    /// The form of the replies to a command, its name in lower case.
    pub(crate) fn of(name: &str, words: usize) -> Self {
        match name {
            "zrank" | "zrevrank" if words > 3 => Self::Foreign,
            "geohash"
            | "georadius_ro"
            | "georadiusbymember_ro"
            | "geosearch"
            | "hgetall"
            | "hmget"
            | "lcs"
            | "mget"
            | "sdiff"
            | "sinter"
            | "smembers"
            | "sunion"
            | "zmscore"
            | "zscore" => Self::Typed,
            "zrange" | "zrangebylex" | "zrangebyscore" | "zrevrange" | "zrevrangebylex"
            | "zrevrangebyscore" | "zdiff" | "zinter" | "zunion" => Self::Scored,
            "geopos" => Self::Places,
            "digest" => Self::Foreign,
            _ if name.starts_with("json.") => Self::Foreign,
            "vcard" | "vdim" | "vemb" | "vgetattr" | "vismember" | "vlinks" | "vrange" => {
                Self::Foreign
            }
            _ => Self::Alike,
        }
    }

    /// Whether a client of a protocol can be given what the store sent in RESP3.
    pub(crate) fn suits(self, protocol: Protocol) -> bool {
        self != Self::Foreign || protocol == Protocol::Resp3
    }

    /// A reply of the store in RESP3 in the bytes that a protocol has for it.
    pub(crate) fn convert<'a>(
        self,
        kind: Kind,
        reply: &'a [u8],
        protocol: Protocol,
    ) -> Cow<'a, [u8]> {
        let same = match (protocol, self) {
            (Protocol::Resp3, _) => true,
            (_, Self::Alike) => kind != Kind::Null,
            _ => kind == Kind::Error,
        };
        if same {
            return reply.into();
        }
        let mut converted = vec![];
        match Reply::decode(reply) {
            Ok(reply) => self.write_resp2(&reply, &mut converted),
            // It was found whole; what it says is nothing that RESP2 could say.
            Err(_) => converted.extend_from_slice(b"-ERR the store's reply is broken\r\n"),
        }
        converted.into()
    }

    /// Appends a reply of RESP3 in the form that RESP2 has for it.
    pub(crate) fn write_resp2(self, reply: &Reply<'_>, out: &mut Vec<u8>) {
        let mut writer = ReplyWriter::new(out, Protocol::Resp2);
        match (self, reply) {
            (Self::Scored, Reply::Array(all)) if matches!(all.first(), Some(Reply::Array(_))) => {
                let pairs = all.iter().filter_map(|pair| match pair {
                    Reply::Array(pair) => Some(pair),
                    _ => None,
                });
                let flat: Vec<_> = pairs.flatten().collect();
                writer.array(flat.len());
                flat.iter().for_each(|reply| reply.write(&mut writer));
            }
            (Self::Places, Reply::Array(all)) => {
                writer.array(all.len());
                for reply in all {
                    let reply = if *reply == Reply::Null { &Reply::NullArray } else { reply };
                    reply.write(&mut writer);
                }
            }
            _ => reply.write(&mut writer),
        }
    }
}

/// The bytes of "no value".
pub(super) fn null(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Resp2 => b"$-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    }
}

/// The number at the head of `bytes`, and what follows.
#[inline]
pub(super) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u64::from_ne_bytes(*head), rest))
}

/// What is known of a key.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) generation: u64,
    /// That of the reply.
    pub(super) stamp: u64,
    pub(super) db: u8,
    /// [`EMPTY`], [`REPLY`] or [`NULL`], and [`ABSENT`] perhaps.
    pub(super) format: u8,
    /// When the reply ends, in milliseconds of the engine's clock, if the generation outlasts it.
    pub(super) until: Option<u64>,
    pub(super) reply: &'a [u8],
}

impl<'a> Head<'a> {
    #[inline]
    pub(super) fn read(entry: EntryRef<'a>) -> Option<Self> {
        let value = entry.value();
        let (generation, rest) = number(value.bytes)?;
        let (stamp, rest) = number(rest)?;
        let (db, reply) = rest.split_first()?;
        let (db, format) = (*db, value.format);
        if format & OUTLASTS == 0 {
            return Some(Self { generation, stamp, db, format, until: None, reply });
        }
        let (until, reply) = number(reply)?;
        let (format, until) = (format & !OUTLASTS, Some(until));
        Some(Self { generation, stamp, db, format, until, reply })
    }

    /// Writes the bytes; gives the format that says what they hold.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        out.extend_from_slice(&self.generation.to_ne_bytes());
        out.extend_from_slice(&self.stamp.to_ne_bytes());
        out.push(self.db);
        self.until.iter().for_each(|until| out.extend_from_slice(&until.to_ne_bytes()));
        out.extend_from_slice(self.reply);
        self.format | if self.until.is_some() { OUTLASTS } else { 0 }
    }
}

/// Whether an entry is the generation of a key that the reply to a `GET` is to join: what the configuration
/// of a cache of replies calls awaited. A generation that other reads drew stays without one.
#[inline]
pub fn awaits_reply(entry: EntryRef<'_>) -> bool {
    entry.key().kind == KeyKind::Bytes && entry.value().format == EMPTY
}

#[cfg(test)]
mod tests {
    use super::Form;
    use breakwater_resp::Reply;

    #[test]
    fn resp2_has_its_own_forms() {
        for (form, resp3, resp2) in [
            (Form::Typed, "%1\r\n+a\r\n,1.5\r\n", "*2\r\n+a\r\n$3\r\n1.5\r\n"),
            (Form::Typed, "*2\r\n_\r\n$1\r\nx\r\n", "*2\r\n$-1\r\n$1\r\nx\r\n"),
            (Form::Scored, "*1\r\n*2\r\n$1\r\na\r\n,2\r\n", "*2\r\n$1\r\na\r\n$1\r\n2\r\n"),
            (Form::Scored, "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\na\r\n"),
            (Form::Scored, "*0\r\n", "*0\r\n"),
            (Form::Places, "*2\r\n_\r\n*1\r\n,2\r\n", "*2\r\n*-1\r\n*1\r\n$1\r\n2\r\n"),
        ] {
            let mut out = vec![];
            form.write_resp2(&Reply::decode(resp3.as_bytes()).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), resp2);
        }
    }
}
