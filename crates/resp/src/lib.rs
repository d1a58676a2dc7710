//! RESP2 and RESP3, the protocols of Redis: requests and replies, parsed from bytes that come in any
//! pieces, and built. Nothing but parsers keeps state, and nothing does I/O.
//!
//! | | parse | build |
//! |---|---|---|
//! | requests | [`RequestParser`] | [`write_request`] |
//! | replies | [`ReplyParser`] finds where one ends, [`Reply`] is what it says | [`ReplyWriter`] |
//!
//! Both parsers are handed the same bytes again with more behind them, look at nothing twice, keep
//! no bytes and reserve nothing for a length that was only announced.

#![forbid(unsafe_code)]

pub mod limits;
pub mod number;
mod reply;
mod request;

pub use reply::{Frame, Kind, Reply, ReplyError, ReplyLimits, ReplyParser, ReplyWriter};
pub use request::{Args, Parsed, RequestParser, Violation, Words, glance, write_request};

/// The version of the protocol that a client or a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The one that a connection begins with.
    #[default]
    Resp2 = 2,
    /// The one with types, which `HELLO 3` asks for.
    Resp3 = 3,
}
