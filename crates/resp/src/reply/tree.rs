//! What a reply says.

use super::error::ReplyError;
use super::frame::Frame;
use super::parser::{ReplyLimits, ReplyParser};
use super::writer::ReplyWriter;
use crate::number;
use memchr::memchr;
use std::borrow::Cow;

/// A reply and all that is in it. Its bytes are borrowed from where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A status.
    Simple(&'a [u8]),
    /// An error, whose first word is its code.
    Error(&'a [u8]),
    /// A whole number.
    Integer(i64),
    /// A string.
    Bulk(Cow<'a, [u8]>),
    /// No value.
    Null,
    /// No array, where RESP2 keeps that apart.
    NullArray,
    /// Yes or no.
    Boolean(bool),
    /// A number with a fraction as it is spelled, for [`number::double`].
    Double(&'a [u8]),
    /// A whole number of any size as it is spelled: a sign or none, and digits.
    BigNumber(&'a [u8]),
    /// An error of any bytes.
    BulkError(&'a [u8]),
    /// Text in a format, `txt` or another of three letters.
    Verbatim([u8; 3], &'a [u8]),
    /// Replies in order.
    Array(Vec<Reply<'a>>),
    /// Pairs of replies in the order in which they came.
    Map(Vec<(Reply<'a>, Reply<'a>)>),
    /// Replies in the order in which they came.
    Set(Vec<Reply<'a>>),
    /// What the server says unasked.
    Push(Vec<Reply<'a>>),
    /// Pairs that tell more of a reply, and that reply.
    Attributed(Vec<(Reply<'a>, Reply<'a>)>, Box<Reply<'a>>),
}

impl<'a> Reply<'a> {
    /// The reply at the head of `bytes` and how many of them it has; `None` if its end has not come.
    /// Pushes within it are left out.
    pub fn parse(
        bytes: &'a [u8],
        limits: ReplyLimits,
    ) -> Result<Option<(Self, usize)>, ReplyError> {
        match ReplyParser::new(limits).parse(bytes)? {
            None => Ok(None),
            Some(Frame { len, .. }) => Ok(Some((Self::decode(&bytes[..len])?, len))),
        }
    }

    /// What the bytes of a [`Frame`] say that a [`ReplyParser`] found.
    pub fn decode(frame: &'a [u8]) -> Result<Self, ReplyError> {
        Reader { rest: frame, depth: 0 }.reply()
    }

    /// Appends the reply in the types that the writer's protocol has.
    pub fn write(&self, out: &mut ReplyWriter<'_>) {
        match self {
            Self::Simple(text) => out.simple(text),
            Self::Error(text) => out.error(text),
            Self::Integer(value) => out.integer(*value),
            Self::Bulk(bytes) => out.bulk(bytes),
            Self::Null => out.null(),
            Self::NullArray => out.null_array(),
            Self::Boolean(value) => out.boolean(*value),
            Self::Double(text) => out.double(text),
            Self::BigNumber(digits) => out.big_number(digits),
            Self::BulkError(text) => out.bulk_error(text),
            Self::Verbatim(format, text) => out.verbatim(*format, text),
            Self::Array(all) => {
                out.array(all.len());
                all.iter().for_each(|reply| reply.write(out));
            }
            Self::Map(pairs) => {
                out.map(pairs.len());
                write_pairs(pairs, out);
            }
            Self::Set(all) => {
                out.set(all.len());
                all.iter().for_each(|reply| reply.write(out));
            }
            Self::Push(all) => {
                out.push(all.len());
                all.iter().for_each(|reply| reply.write(out));
            }
            Self::Attributed(pairs, reply) => {
                if out.attribute(pairs.len()) {
                    write_pairs(pairs, out);
                }
                reply.write(out);
            }
        }
    }

    /// The text of a status, a string, a number that is spelled or an error.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Bulk(text) => Some(text),
            Self::Simple(text)
            | Self::Error(text)
            | Self::BulkError(text)
            | Self::Double(text)
            | Self::BigNumber(text)
            | Self::Verbatim(_, text) => Some(text),
            Self::Attributed(_, reply) => reply.text(),
            _ => None,
        }
    }

    /// The first word of an error, by which clients tell it from others: `MOVED`, `LOADING`.
    pub fn error_code(&self) -> Option<&[u8]> {
        match self {
            Self::Error(text) | Self::BulkError(text) => text.split(|byte| *byte == b' ').next(),
            Self::Attributed(_, reply) => reply.error_code(),
            _ => None,
        }
    }
}

fn write_pairs(pairs: &[(Reply<'_>, Reply<'_>)], out: &mut ReplyWriter<'_>) {
    for (key, value) in pairs {
        key.write(out);
        value.write(out);
    }
}

/// Reads what a [`ReplyParser`] has found well-formed.
struct Reader<'a> {
    rest: &'a [u8],
    /// Replies that are being read, from the outside in.
    depth: usize,
}

/// How many replies there are in one.
#[derive(Clone, Copy)]
enum Count {
    Some(usize),
    UntilEnd,
}

impl<'a> Reader<'a> {
    fn reply(&mut self) -> Result<Reply<'a>, ReplyError> {
        // Attributes take a level more here than where frames are found.
        if self.depth > 2 * ReplyLimits::MAX_DEPTH {
            return Err(ReplyError::Deep);
        }
        self.depth += 1;
        let reply = self.any();
        self.depth -= 1;
        reply
    }

    fn any(&mut self) -> Result<Reply<'a>, ReplyError> {
        let (kind, text) = self.line()?;
        let broken = ReplyError::Line(kind);
        Ok(match kind {
            b'+' => Reply::Simple(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(number::signed(text).ok_or(broken)?),
            b'_' => Reply::Null,
            b'#' => Reply::Boolean(text == b"t"),
            b',' => Reply::Double(text),
            b'(' => Reply::BigNumber(text),
            b'$' if text == b"-1" => Reply::Null,
            b'*' if text == b"-1" => Reply::NullArray,
            b'$' if text == b"?" => Reply::Bulk(self.pieces()?.into()),
            b'$' => Reply::Bulk(self.body(text)?.into()),
            b'!' => Reply::BulkError(self.body(text)?),
            b'=' => match self.body(text)? {
                [a, b, c, b':', text @ ..] => Reply::Verbatim([*a, *b, *c], text),
                _ => return Err(broken),
            },
            b'*' => Reply::Array(self.all(text)?),
            b'~' => Reply::Set(self.all(text)?),
            b'%' => Reply::Map(self.pairs(text)?),
            b'>' => Reply::Push(self.all(text)?),
            b'|' => {
                let pairs = self.pairs(text)?;
                let reply = self.inner()?.ok_or(ReplyError::Kind(b'.'))?;
                if pairs.is_empty() { reply } else { Reply::Attributed(pairs, reply.into()) }
            }
            _ => return Err(ReplyError::Kind(kind)),
        })
    }

    /// The next reply within one; `None` at the end of what is streamed.
    fn inner(&mut self) -> Result<Option<Reply<'a>>, ReplyError> {
        while self.rest.first() == Some(&b'>') {
            // A push that came in between.
            self.reply()?;
        }
        if self.rest.first() == Some(&b'.') {
            self.line()?;
            return Ok(None);
        }
        self.reply().map(Some)
    }

    fn line(&mut self) -> Result<(u8, &'a [u8]), ReplyError> {
        let end = memchr(b'\r', self.rest).ok_or(ReplyError::End)?;
        let (line, rest) = self.rest.split_at(end);
        let (kind, text) = line.split_first().ok_or(ReplyError::End)?;
        self.rest = rest.strip_prefix(b"\r\n").ok_or(ReplyError::End)?;
        Ok((*kind, text))
    }

    fn body(&mut self, len: &[u8]) -> Result<&'a [u8], ReplyError> {
        let len = number::integer(len).and_then(|len| usize::try_from(len).ok());
        let body = len.and_then(|len| self.rest.split_at_checked(len));
        let (body, rest) = body.ok_or(ReplyError::End)?;
        self.rest = rest.strip_prefix(b"\r\n").ok_or(ReplyError::End)?;
        Ok(body)
    }

    fn pieces(&mut self) -> Result<Vec<u8>, ReplyError> {
        let mut all = vec![];
        loop {
            match self.line()? {
                (b';', b"0") => return Ok(all),
                (b';', len) => all.extend_from_slice(self.body(len)?),
                (kind, _) => return Err(ReplyError::Kind(kind)),
            }
        }
    }

    fn count(&self, text: &[u8]) -> Result<Count, ReplyError> {
        if text == b"?" {
            return Ok(Count::UntilEnd);
        }
        let count = number::integer(text).and_then(|count| usize::try_from(count).ok());
        count.map(Count::Some).ok_or(ReplyError::End)
    }

    fn all(&mut self, count: &[u8]) -> Result<Vec<Reply<'a>>, ReplyError> {
        let count = self.count(count)?;
        let mut all = vec![];
        while !matches!(count, Count::Some(count) if all.len() == count) {
            match self.inner()? {
                Some(reply) => all.push(reply),
                None if matches!(count, Count::UntilEnd) => break,
                None => return Err(ReplyError::Kind(b'.')),
            }
        }
        Ok(all)
    }

    fn pairs(&mut self, count: &[u8]) -> Result<Vec<(Reply<'a>, Reply<'a>)>, ReplyError> {
        let count = self.count(count)?;
        let mut pairs = vec![];
        while !matches!(count, Count::Some(count) if pairs.len() == count) {
            match self.inner()? {
                Some(key) => {
                    let value = self.inner()?.ok_or(ReplyError::Kind(b'.'))?;
                    pairs.push((key, value));
                }
                None if matches!(count, Count::UntilEnd) => break,
                None => return Err(ReplyError::Kind(b'.')),
            }
        }
        Ok(pairs)
    }
}
