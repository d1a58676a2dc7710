//! One reply among the bytes of a connection.

/// Where a reply ends, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its bytes, attributes before it included.
    pub len: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A status: `+OK`.
    Simple,
    /// An error in one line: `-ERR ...`.
    Error,
    /// A whole number of 64 bits.
    Integer,
    /// A string of any bytes.
    Bulk,
    /// No value.
    Null,
    /// Yes or no.
    Boolean,
    /// A number with a fraction.
    Double,
    /// A whole number of any size.
    BigNumber,
    /// An error of any bytes.
    BulkError,
    /// Text in a format.
    Verbatim,
    /// Replies in order.
    Array,
    /// Pairs of replies.
    Map,
    /// Replies in no order.
    Set,
    /// What the server says unasked: it answers no request.
    Push,
}

impl Kind {
    /// Whether it says that something failed.
    pub fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::BulkError)
    }
}
