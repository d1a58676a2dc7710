//! What no server sends that is one.

use std::error::Error;
use std::fmt;

/// Why bytes are no reply. Nothing after them can be understood either: the connection is to be
/// closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// No reply begins with this byte, or none in this place.
    Kind(u8),
    /// The line of a reply that begins with this byte does not say what it should.
    Line(u8),
    /// A line is longer than [`ReplyLimits::line`](crate::ReplyLimits::line).
    LongLine,
    /// A string does not end where it should.
    End,
    /// Replies are nested deeper than [`ReplyLimits::depth`](crate::ReplyLimits::depth).
    Deep,
    /// A reply is longer than [`ReplyLimits::frame`](crate::ReplyLimits::frame), or says that it
    /// will be.
    Large,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(byte) => write!(f, "no reply begins with '{}' here", byte.escape_ascii()),
            Self::Line(byte) => {
                write!(f, "a line that begins with '{}' is not well-formed", byte.escape_ascii())
            }
            Self::LongLine => f.write_str("a line is too long"),
            Self::End => f.write_str("a string does not end where it should"),
            Self::Deep => f.write_str("replies are nested too deep"),
            Self::Large => f.write_str("a reply is too long"),
        }
    }
}

impl Error for ReplyError {}
