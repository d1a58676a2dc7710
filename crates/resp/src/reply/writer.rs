//! Building replies, in the types of the protocol that the client speaks.

use crate::Protocol;

/// Appends replies to a client's output.
pub struct ReplyWriter<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> ReplyWriter<'a> {
    /// Appends to `out` what a client of this protocol understands.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// Goes on in this protocol.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    #[inline]
    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// The status `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status; line breaks in it become spaces.
    pub fn simple(&mut self, text: impl AsRef<[u8]>) {
        self.clean_line(b'+', text.as_ref());
    }

    /// An error, whose first word is its code; line breaks in it become spaces.
    pub fn error(&mut self, text: &[u8]) {
        self.clean_line(b'-', text);
    }

    /// An error of any bytes; in RESP2 as [`ReplyWriter::error`].
    pub fn bulk_error(&mut self, text: &[u8]) {
        if self.is_resp3() { self.blob(b'!', &[text]) } else { self.error(text) }
    }

    /// A whole number.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.line(b':', itoa::Buffer::new().format(value).as_bytes());
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.blob(b'$', &[bytes]);
    }

    /// Yes or no; in RESP2 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        match (self.protocol, value) {
            (Protocol::Resp2, value) => self.integer(value.into()),
            (Protocol::Resp3, true) => self.out.extend_from_slice(b"#t\r\n"),
            (Protocol::Resp3, false) => self.out.extend_from_slice(b"#f\r\n"),
        }
    }

    /// A number with a fraction, spelled as [`Reply::Double`](crate::Reply::Double) says; in RESP2
    /// a string.
    pub fn double(&mut self, text: &[u8]) {
        if self.is_resp3() { self.clean_line(b',', text) } else { self.bulk(text) }
    }

    /// A whole number of any size, spelled in digits; in RESP2 a string.
    pub fn big_number(&mut self, digits: &[u8]) {
        if self.is_resp3() { self.clean_line(b'(', digits) } else { self.bulk(digits) }
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No array.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The head of an array of `len` replies.
    pub fn array(&mut self, len: usize) {
        self.head(b'*', len);
    }

    /// The head of a map of `len` pairs of replies.
    pub fn map(&mut self, len: usize) {
        if self.is_resp3() { self.head(b'%', len) } else { self.head(b'*', len * 2) }
    }

    /// The head of a set of `len` replies.
    pub fn set(&mut self, len: usize) {
        self.head(if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    /// The head of a push of `len` replies, the first of which says what it is about; in RESP2 of an
    /// array.
    pub fn push(&mut self, len: usize) {
        self.head(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    /// The head of `len` pairs of replies that go before a reply and tell more of it. RESP2 has
    /// nothing of the kind: whether the pairs and the reply may follow, or the reply alone.
    #[must_use]
    pub fn attribute(&mut self, len: usize) -> bool {
        if self.is_resp3() {
            self.head(b'|', len);
        }
        self.is_resp3()
    }

    /// Text in a format of three letters: `txt` is to be shown as it is. In RESP2 a string.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        if self.is_resp3() { self.blob(b'=', &[&format, b":", text]) } else { self.bulk(text) }
    }

    /// Appends replies made before.
    pub fn raw(&mut self, replies: &[u8]) {
        self.out.extend_from_slice(replies);
    }

    /// How far the output reaches, for [`ReplyWriter::rewind`].
    #[inline]
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    /// Takes back what was replied since `mark`.
    #[inline]
    pub fn rewind(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    #[inline]
    fn head(&mut self, kind: u8, len: usize) {
        self.line(kind, itoa::Buffer::new().format(len).as_bytes());
    }

    #[inline]
    fn blob(&mut self, kind: u8, parts: &[&[u8]]) {
        self.head(kind, parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        self.out.extend_from_slice(b"\r\n");
    }

    fn clean_line(&mut self, kind: u8, text: &[u8]) {
        let space = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        self.out.push(kind);
        self.out.extend(text.iter().map(space));
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }
}
