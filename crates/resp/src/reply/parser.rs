//! Where replies end, in bytes that come in any pieces. A reply may be forwarded as it is: whoever
//! does so needs no more of it than its end.

use super::error::ReplyError;
use super::frame::{Frame, Kind};
use crate::number;
use memchr::memchr;
use smallvec::SmallVec;
use std::ops::Range;

/// What a server may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// The longest line, in bytes: a status, an error, a number.
    pub line: usize,
    /// The longest reply with all that is in it, in bytes.
    pub frame: usize,
    /// How deep replies may be nested; [`ReplyLimits::MAX_DEPTH`] at most.
    pub depth: usize,
}

impl ReplyLimits {
    /// What [`Reply::decode`](crate::Reply::decode) descends to.
    pub const MAX_DEPTH: usize = 256;
}

impl Default for ReplyLimits {
    /// Lines of 1 MiB, replies of 1 GiB, 64 deep.
    fn default() -> Self {
        Self { line: 1 << 20, frame: 1 << 30, depth: 64 }
    }
}

/// Reads one reply at a time. It keeps how far it came, never the bytes: the caller hands it the same
/// bytes again with more behind them, and nothing is looked at twice.
///
/// ```
/// use breakwater_resp::{Frame, Kind, ReplyParser};
/// let mut parser = ReplyParser::default();
/// let bytes = b"*2\r\n$1\r\na\r\n:1\r\n+OK\r\n";
/// assert_eq!(parser.parse(&bytes[..9]), Ok(None));
/// assert_eq!(parser.parse(bytes), Ok(Some(Frame { len: 15, kind: Kind::Array })));
/// assert_eq!(parser.parse(&bytes[15..]), Ok(Some(Frame { len: 5, kind: Kind::Simple })));
/// ```
#[derive(Debug, Default)]
pub struct ReplyParser {
    limits: ReplyLimits,
    /// Bytes of the reply that are understood.
    at: usize,
    /// Bytes of it in which the end of a line was looked for.
    searched: usize,
    /// What begins at `at`, once its announcement was read.
    body: Option<Body>,
    /// What is not complete, from the outside in.
    open: SmallVec<[Open; 8]>,
    kind: Option<Kind>,
    /// Where pushes lie within the reply.
    pushes: Vec<Range<usize>>,
    /// A reply was handed out: the next call begins another.
    done: bool,
}

/// Something that contains replies and is not complete.
#[derive(Clone, Copy, Debug)]
enum Open {
    /// So many replies are to come.
    Counted(usize),
    /// Replies are to come until an end is announced; in pairs, if the one says so, and the other
    /// whether the last one lacks its second.
    Streamed { pairs: bool, half: bool },
    /// Pieces of a string are to come until an end is announced.
    Pieces,
    /// So many replies of the pairs that go before a reply are to come.
    Attribute(usize),
    /// The reply that an attribute goes before is to come.
    Described,
    /// So many replies of a push within a reply are to come; it began there.
    Push { left: usize, start: usize },
}

/// A string whose length is known.
#[derive(Clone, Copy, Debug)]
struct Body {
    end: usize,
    /// Whether it begins with a format of three letters and a colon.
    verbatim: bool,
}

/// What a line means.
enum Step {
    /// A reply ended with it.
    Item,
    /// An attribute did.
    Described,
    /// A string of so many bytes follows.
    Body(usize),
    /// Replies follow.
    Inside(Open),
}

/// How many follow.
enum Announced {
    Some(usize),
    /// There is none, as RESP2 puts it.
    Null,
    /// As many as there are until an end is announced.
    Streamed,
}

impl ReplyParser {
    /// A parser that refuses what goes beyond these limits.
    pub fn new(limits: ReplyLimits) -> Self {
        let depth = limits.depth.min(ReplyLimits::MAX_DEPTH);
        Self { limits: ReplyLimits { depth, ..limits }, ..Self::default() }
    }

    /// Reads on in `bytes`, which begin with the reply's first byte; `None` while its end has not
    /// come. After an error this parser is of no more use.
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<Frame>, ReplyError> {
        if self.done {
            self.reset();
        }
        loop {
            let complete = match self.body {
                Some(body) if bytes.len() < body.end + 2 => return Ok(None),
                Some(body) => self.end_body(bytes, body)?,
                None => match self.line(bytes)? {
                    None => return Ok(None),
                    Some(line) => self.step(line, bytes)?,
                },
            };
            if complete && self.complete() {
                self.done = true;
                let kind = self.kind.expect("a complete reply is of some kind");
                return Ok(Some(Frame { len: self.at, kind }));
            }
        }
    }

    /// Where pushes lie within the reply that [`ReplyParser::parse`] just found, in their order.
    /// Redis writes them there when it notices in the middle of a command that a key is gone. They
    /// are no part of the reply: who forwards it leaves them out.
    pub fn pushes(&self) -> &[Range<usize>] {
        &self.pushes
    }

    fn reset(&mut self) {
        self.open.clear();
        self.pushes.clear();
        (self.at, self.searched, self.body, self.kind) = (0, 0, None, None);
        self.done = false;
    }

    /// The next line without its end, if it is all there.
    fn line(&mut self, bytes: &[u8]) -> Result<Option<Range<usize>>, ReplyError> {
        let from = self.at.max(self.searched);
        let end = memchr(b'\r', &bytes[from..]).map(|end| end + from);
        let len = end.unwrap_or(bytes.len()) - self.at;
        if len > self.limits.line {
            return Err(ReplyError::LongLine);
        }
        let Some(end) = end.filter(|end| end + 1 < bytes.len()) else {
            self.searched = self.at + len;
            return Ok(None);
        };
        let line = self.at..end;
        if len == 0 {
            return Err(ReplyError::Kind(b'\r'));
        }
        if bytes[end + 1] != b'\n' {
            return Err(ReplyError::Line(bytes[self.at]));
        }
        self.at = self.within(end + 2)?;
        Ok(Some(line))
    }

    /// A place in the reply, if the reply may be so long.
    fn within(&self, end: usize) -> Result<usize, ReplyError> {
        if end > self.limits.frame { Err(ReplyError::Large) } else { Ok(end) }
    }

    /// Takes a line; whether a reply is complete with it.
    fn step(&mut self, line: Range<usize>, bytes: &[u8]) -> Result<bool, ReplyError> {
        let (start, kind, text) = (line.start, bytes[line.start], &bytes[line.start + 1..line.end]);
        let outermost = matches!(self.open[..], [] | [Open::Described]);
        let step = match (self.open.last(), kind) {
            (Some(Open::Pieces), b';') => match length(kind, text)? {
                Announced::Some(0) => self.close(),
                Announced::Some(len) => Step::Body(len),
                _ => return Err(ReplyError::Line(kind)),
            },
            (Some(Open::Pieces), _) => return Err(ReplyError::Kind(kind)),
            (Some(Open::Streamed { half: false, .. }), b'.') if text.is_empty() => self.close(),
            (_, b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(') => scalar(kind, text)?,
            (_, b'$' | b'!' | b'=') => match length(kind, text)? {
                Announced::Some(len) if kind == b'=' && len < 4 => {
                    return Err(ReplyError::Line(kind));
                }
                Announced::Some(len) => Step::Body(len),
                Announced::Null if kind == b'$' => Step::Item,
                Announced::Streamed if kind == b'$' => Step::Inside(Open::Pieces),
                _ => return Err(ReplyError::Line(kind)),
            },
            (_, b'*' | b'%' | b'~' | b'>' | b'|') => self.aggregate(kind, text, start)?,
            _ => return Err(ReplyError::Kind(kind)),
        };
        if outermost && kind != b'|' && !matches!(step, Step::Inside(Open::Push { .. })) {
            self.kind = Some(kind_of(kind, text));
        }
        match step {
            Step::Item => return Ok(true),
            Step::Described => self.describe(),
            Step::Body(len) => {
                let end = self.at.checked_add(len).ok_or(ReplyError::Large)?;
                let end = self.within(end.saturating_add(2))? - 2;
                self.body = Some(Body { end, verbatim: kind == b'=' });
            }
            Step::Inside(_) if self.open.len() >= self.limits.depth => {
                return Err(ReplyError::Deep);
            }
            Step::Inside(open) => self.open.push(open),
        }
        Ok(false)
    }

    /// Takes the line that says how many replies are in one.
    fn aggregate(&self, kind: u8, text: &[u8], start: usize) -> Result<Step, ReplyError> {
        let pairs = matches!(kind, b'%' | b'|');
        let count = match length(kind, text)? {
            Announced::Null if kind == b'*' => return Ok(Step::Item),
            Announced::Streamed if matches!(kind, b'*' | b'%' | b'~') => {
                return Ok(Step::Inside(Open::Streamed { pairs, half: false }));
            }
            Announced::Some(count) => count.checked_mul(1 + usize::from(pairs)),
            _ => return Err(ReplyError::Line(kind)),
        };
        // Each takes three bytes at least.
        let count =
            count.filter(|count| *count <= self.limits.frame / 3).ok_or(ReplyError::Large)?;
        // Behind an attribute it is within a reply as well, the one that is to come.
        let inside = start > 0;
        Ok(match (kind, count) {
            (b'>', 0) => return Err(ReplyError::Line(kind)),
            (b'>', count) if inside => Step::Inside(Open::Push { left: count, start }),
            (b'|', 0) => Step::Described,
            (b'|', count) => Step::Inside(Open::Attribute(count)),
            (_, 0) => Step::Item,
            (_, count) => Step::Inside(Open::Counted(count)),
        })
    }

    /// An attribute is complete, and what it goes before is to come.
    fn describe(&mut self) {
        if !matches!(self.open.last(), Some(Open::Described)) {
            self.open.push(Open::Described);
        }
    }

    /// The end of what is streamed was announced.
    fn close(&mut self) -> Step {
        self.open.pop();
        Step::Item
    }

    /// Takes the end of a string; whether a reply is complete with it.
    fn end_body(&mut self, bytes: &[u8], body: Body) -> Result<bool, ReplyError> {
        let Body { end, verbatim } = body;
        if bytes[end..end + 2] != *b"\r\n" {
            return Err(ReplyError::End);
        }
        if verbatim && bytes[self.at + 3] != b':' {
            return Err(ReplyError::Line(b'='));
        }
        self.body = None;
        self.at = end + 2;
        Ok(!matches!(self.open.last(), Some(Open::Pieces)))
    }

    /// One reply more is complete; whether the outermost is with it.
    fn complete(&mut self) -> bool {
        loop {
            match self.open.last_mut() {
                None => return true,
                Some(Open::Streamed { pairs, half }) => {
                    *half = *pairs && !*half;
                    return false;
                }
                Some(Open::Counted(left) | Open::Attribute(left) | Open::Push { left, .. }) => {
                    *left -= 1;
                    if *left > 0 {
                        return false;
                    }
                }
                Some(Open::Described) => {}
                // Their end is no reply's.
                Some(Open::Pieces) => return false,
            }
            match self.open.pop() {
                // What it goes before is to come.
                Some(Open::Attribute(_)) => {
                    self.describe();
                    return false;
                }
                Some(Open::Push { start, .. }) => {
                    // One within another goes with that.
                    if !self.open.iter().any(|open| matches!(open, Open::Push { .. })) {
                        self.pushes.push(start..self.at);
                    }
                    return false;
                }
                _ => {}
            }
        }
    }
}

/// Reads a length: of a string, or how many replies follow.
fn length(kind: u8, text: &[u8]) -> Result<Announced, ReplyError> {
    match (text, number::integer(text)) {
        (b"?", _) => Ok(Announced::Streamed),
        (_, Some(-1)) => Ok(Announced::Null),
        (_, Some(len)) => len.try_into().map(Announced::Some).map_err(|_| ReplyError::Line(kind)),
        _ => Err(ReplyError::Line(kind)),
    }
}

/// Takes a reply of one line.
fn scalar(kind: u8, text: &[u8]) -> Result<Step, ReplyError> {
    let well_formed = match kind {
        b':' => number::signed(text).is_some(),
        b'_' => text.is_empty(),
        b'#' => matches!(text, b"t" | b"f"),
        b',' => number::double(text).is_some(),
        b'(' => {
            let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        }
        _ => true,
    };
    if well_formed { Ok(Step::Item) } else { Err(ReplyError::Line(kind)) }
}

/// What a reply is that begins so.
fn kind_of(kind: u8, text: &[u8]) -> Kind {
    match kind {
        b'+' => Kind::Simple,
        b'-' => Kind::Error,
        b':' => Kind::Integer,
        b'$' | b'*' if text == b"-1" => Kind::Null,
        b'$' | b';' => Kind::Bulk,
        b'_' => Kind::Null,
        b'#' => Kind::Boolean,
        b',' => Kind::Double,
        b'(' => Kind::BigNumber,
        b'!' => Kind::BulkError,
        b'=' => Kind::Verbatim,
        b'%' => Kind::Map,
        b'~' => Kind::Set,
        b'>' => Kind::Push,
        _ => Kind::Array,
    }
}
