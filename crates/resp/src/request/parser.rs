//! RequestParser: arrays of bulk strings and inline commands, from bytes that come in any pieces.

use super::args::Args;
use super::inline;
use super::write_request;
use crate::limits::{
    MAX_ARGS, MAX_ARGS_UNAUTHENTICATED, MAX_BULK, MAX_BULK_UNAUTHENTICATED, MAX_LINE,
};
use crate::number;
use memchr::memchr;
use std::borrow::Cow;
use std::ops::Range;

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a command.
    Partial,
    /// A command of so many bytes, whose words [`RequestParser::args`] has; of none, if it was empty.
    Command(usize),
    /// So many bytes of a command that has a word longer than [`RequestParser::bound`] allows: they are
    /// not needed any more, whatever follows. The next call begins with the byte behind them.
    Skipped(usize),
    /// The last bytes of such a command, so many, and how long the first such word is.
    TooLong(usize, usize),
    /// Nothing that can be a command, now or after more bytes.
    Invalid(Violation),
}

/// How a client broke the protocol, worded as Redis words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The number of words is no number, or too high.
    Count,
    /// The line that announces the number of words has no end.
    CountLine,
    /// The number of words is too high for a client that has not authenticated.
    CountUnauthenticated,
    /// The length of a word is no number, or too high.
    Bulk,
    /// The line that announces the length of a word has no end.
    BulkLine,
    /// A word is too long for a client that has not authenticated.
    BulkUnauthenticated,
    /// Something else than a word, which begins with this byte.
    NoBulk(u8),
    /// An inline command has no end.
    InlineLine,
    /// The quotes of an inline command do not pair up.
    Quotes,
}

impl Violation {
    /// The error to reply with before the connection is closed.
    pub fn message(self) -> Vec<u8> {
        let text = match self {
            Self::Count => "invalid multibulk length",
            Self::CountLine => "too big mbulk count string",
            Self::CountUnauthenticated => "unauthenticated multibulk length",
            Self::Bulk => "invalid bulk length",
            Self::BulkLine => "too big bulk count string",
            Self::BulkUnauthenticated => "unauthenticated bulk length",
            Self::InlineLine => "too big inline request",
            Self::Quotes => "unbalanced quotes in request",
            Self::NoBulk(_) => "expected '$', got '",
        };
        let mut message = [b"ERR Protocol error: ", text.as_bytes()].concat();
        if let Self::NoBulk(byte) = self {
            message.extend([byte, b'\'']);
        }
        message
    }
}

/// Reads one command at a time. It keeps how far it came, never the bytes: the caller hands it the
/// same bytes again with more behind them, and nothing is looked at twice.
///
/// ```text
/// course     what comes next                                        ends with
/// Reading    the words of a command, which are kept by the caller   the last of them (Done), a word that
///                                                                   is too long (Skipping)
/// Skipping   the rest of a command, which nobody keeps              the last of it (Done)
/// Done       another command                                        its first byte (Reading)
/// ```
pub struct RequestParser {
    /// The longest word.
    most: usize,
    /// Where the words of the command lie, from its first byte on or in `text`.
    words: Vec<Range<usize>>,
    /// The words of an inline command, quotes resolved.
    text: Vec<u8>,
    /// Bytes of the command that are understood.
    at: usize,
    /// Words still to come.
    missing: usize,
    /// The length of the word at `at`, once its announcement was read.
    bulk: Option<usize>,
    course: Course,
    /// Whether the command so far is spelled as [`write_request`] spells it.
    plain: bool,
    /// While a command is skipped: how long the word is for which it is, and how many bytes have yet to
    /// come of a word and what is behind it.
    too_long: usize,
    left: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Reading,
    Skipping,
    /// A command was handed out: the next call begins another.
    Done,
}

/// Why a command is read no further.
enum Stop {
    Violation(Violation),
    /// Its next word has so many bytes, which begin here.
    TooLong(usize, usize),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Default for RequestParser {
    fn default() -> Self {
        Self {
            most: MAX_BULK,
            words: vec![],
            text: vec![],
            at: 0,
            missing: 0,
            bulk: None,
            course: Course::Reading,
            plain: true,
            too_long: 0,
            left: 0,
        }
    }
}

enum Line {
    Missing,
    TooLong,
    /// Where the line's carriage return is.
    End(usize),
}

impl RequestParser {
    /// The words of the command that [`RequestParser::parse`] just found in `bytes`.
    #[inline]
    pub fn args<'a>(&'a self, bytes: &'a [u8]) -> Args<'a> {
        let inline = !matches!(bytes, [b'*', ..]);
        Args::new(if inline { &self.text } else { bytes }, &self.words)
    }

    /// The command that [`RequestParser::parse`] just found in `bytes`, as [`write_request`] spells it. Any
    /// other spelling (an inline command, a line or a word that does not end with `\r\n`) is one that servers
    /// understand each in its own way, or refuse with the connection.
    #[inline]
    pub fn spelled<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.plain { Cow::Borrowed(bytes) } else { Cow::Owned(self.respelled(bytes)) }
    }

    #[cold]
    fn respelled(&self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = vec![];
        write_request(&mut plain, &self.args(bytes).iter().collect::<Vec<_>>());
        plain
    }

    /// No word may be longer than `most` bytes from now on, which are 100 at least: a command with such a
    /// word is skipped as it comes.
    #[inline]
    pub fn bound(&mut self, most: usize) {
        self.most = most;
    }

    /// Reads on in `bytes`, which begin with the command's first byte. A client that is not
    /// `authenticated` may send less: see [`limits`](crate::limits).
    #[inline]
    pub fn parse(&mut self, bytes: &[u8], authenticated: bool) -> Parsed {
        if self.course != Course::Reading {
            if self.course == Course::Skipping {
                return self.skip(bytes, authenticated).unwrap_or_else(Parsed::Invalid);
            }
            self.reset();
        }
        let parsed = match bytes {
            [] => return Parsed::Partial,
            [b'*', ..] => self.array(bytes, authenticated),
            _ => self.inline(bytes),
        };
        match parsed {
            Ok(None) => Parsed::Partial,
            Ok(Some(len)) => {
                self.course = Course::Done;
                Parsed::Command(len)
            }
            Err(Stop::Violation(violation)) => Parsed::Invalid(violation),
            Err(Stop::TooLong(len, at)) => {
                (self.course, self.too_long) = (Course::Skipping, len);
                // Of an inline command, nothing is left.
                self.left = if self.missing == 0 { 0 } else { len + 2 };
                (self.at, self.missing) = (at, self.missing.saturating_sub(1));
                self.skip(bytes, authenticated).unwrap_or_else(Parsed::Invalid)
            }
        }
    }

    /// Goes past what is left of a command, as far as it has come.
    #[cold]
    fn skip(&mut self, bytes: &[u8], authenticated: bool) -> Result<Parsed, Violation> {
        loop {
            let here = self.left.min(bytes.len() - self.at);
            (self.at, self.left) = (self.at + here, self.left - here);
            if self.left > 0 {
                break;
            }
            if self.missing == 0 {
                self.course = Course::Done;
                return Ok(Parsed::TooLong(self.at, self.too_long));
            }
            match announced(bytes, self.at, authenticated, MAX_BULK) {
                Ok(Some((len, at))) => (self.at, self.left) = (at, len + 2),
                Ok(None) => break,
                Err(Stop::Violation(violation)) => return Err(violation),
                Err(Stop::TooLong(..)) => return Err(Violation::Bulk),
            }
            self.missing -= 1;
        }
        Ok(Parsed::Skipped(std::mem::take(&mut self.at)))
    }

    fn reset(&mut self) {
        self.words.clear();
        self.text.clear();
        (self.at, self.missing, self.bulk, self.course) = (0, 0, None, Course::Reading);
        self.plain = true;
        // One command of a million words must not cost its client's memory for good.
        self.words.shrink_to(4096);
        self.text.shrink_to(MAX_LINE);
    }

    fn array(&mut self, bytes: &[u8], authenticated: bool) -> Result<Option<usize>, Stop> {
        if self.at == 0
            && let Some((count, end)) = short(&bytes[1..])
            && (authenticated || count <= MAX_ARGS_UNAUTHENTICATED)
        {
            (self.missing, self.at) = (count, 1 + end);
        } else if self.at == 0 {
            let end = match line(&bytes[1..]) {
                Line::Missing => return Ok(None),
                Line::TooLong => return Err(Violation::CountLine.into()),
                Line::End(end) => end + 1,
            };
            let count = number::integer(&bytes[1..end]).ok_or(Violation::Count)?;
            if count > MAX_ARGS as i64 {
                return Err(Violation::Count.into());
            }
            if count > MAX_ARGS_UNAUTHENTICATED as i64 && !authenticated {
                return Err(Violation::CountUnauthenticated.into());
            }
            self.missing = count.max(0) as usize;
            self.at = end + 2;
            self.plain &= bytes[end + 1] == b'\n';
        }
        while self.missing > 0 {
            if !self.word(bytes, authenticated)? {
                return Ok(None);
            }
        }
        Ok(Some(self.at))
    }

    /// Reads one bulk string; whether it is all there.
    fn word(&mut self, bytes: &[u8], authenticated: bool) -> Result<bool, Stop> {
        let len = match self.bulk {
            Some(len) => len,
            None => {
                let next = announced(bytes, self.at, authenticated, self.most)?;
                let Some((len, at)) = next else { return Ok(false) };
                self.plain &= bytes[at - 1] == b'\n';
                self.at = at;
                self.bulk = Some(len);
                len
            }
        };
        // The two bytes behind a bulk string are passed over unseen, as Redis does.
        if bytes.len() - self.at < len + 2 {
            return Ok(false);
        }
        self.words.push(self.at..self.at + len);
        self.at += len + 2;
        self.plain &= bytes[self.at - 2..self.at] == *b"\r\n";
        self.bulk = None;
        self.missing -= 1;
        Ok(true)
    }

    fn inline(&mut self, bytes: &[u8]) -> Result<Option<usize>, Stop> {
        self.plain = false;
        let Some(end) = memchr(b'\n', &bytes[self.at..]).map(|end| end + self.at) else {
            self.at = bytes.len();
            return if bytes.len() > MAX_LINE {
                Err(Violation::InlineLine.into())
            } else {
                Ok(None)
            };
        };
        if end > MAX_LINE {
            return Err(Violation::InlineLine.into());
        }
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        inline::split(line, &mut self.text, &mut self.words).map_err(|_| Violation::Quotes)?;
        if let Some(word) = self.words.iter().find(|word| word.len() > self.most) {
            return Err(Stop::TooLong(word.len(), end + 1));
        }
        Ok(Some(end + 1))
    }
}

/// The length that the line at `at` announces and where the bytes that it announces begin.
#[inline]
fn announced(
    bytes: &[u8],
    at: usize,
    authenticated: bool,
    most: usize,
) -> Result<Option<(usize, usize)>, Stop> {
    if let [b'$', rest @ ..] = &bytes[at..]
        && let Some((len, end)) = short(rest)
    {
        return Ok(Some((len, at + 1 + end)));
    }
    let end = match line(&bytes[at..]) {
        Line::Missing => return Ok(None),
        Line::TooLong => return Err(Violation::BulkLine.into()),
        Line::End(end) => at + end,
    };
    if bytes[at] != b'$' {
        return Err(Violation::NoBulk(bytes[at]).into());
    }
    let len = number::integer(&bytes[at + 1..end]).ok_or(Violation::Bulk)?;
    if !(0..=MAX_BULK as i64).contains(&len) {
        return Err(Violation::Bulk.into());
    }
    if len > MAX_BULK_UNAUTHENTICATED as i64 && !authenticated {
        return Err(Violation::BulkUnauthenticated.into());
    }
    if len as usize > most {
        return Err(Stop::TooLong(len as usize, end + 2));
    }
    Ok(Some((len as usize, end + 2)))
}

/// The number of one or two digits that a line spells, and where the next one begins: almost every line
/// is one of these. Too small for any bound but that on the words of who has not authenticated.
#[inline]
pub(super) fn short(bytes: &[u8]) -> Option<(usize, usize)> {
    let value = |digit: u8| usize::from(digit - b'0');
    // Behind such a line there is at least one byte, if the command is all there.
    match *bytes.first_chunk::<4>()? {
        [one @ b'1'..=b'9', b'\r', b'\n', _] => Some((value(one), 3)),
        [ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', b'\n'] => {
            Some((value(ten) * 10 + value(one), 4))
        }
        _ => None,
    }
}

/// Looks for the carriage return that ends a line and the byte that must follow it.
#[inline]
fn line(bytes: &[u8]) -> Line {
    // Lengths are short: a plain loop over the first bytes beats the vector search.
    let near = bytes.len().min(16);
    let end = match bytes[..near].iter().position(|byte| *byte == b'\r') {
        Some(end) => Some(end),
        None => memchr(b'\r', &bytes[near..bytes.len().min(MAX_LINE + 1)]).map(|end| end + near),
    };
    match end {
        Some(end) if end + 1 < bytes.len() => Line::End(end),
        None if bytes.len() > MAX_LINE => Line::TooLong,
        _ => Line::Missing,
    }
}
