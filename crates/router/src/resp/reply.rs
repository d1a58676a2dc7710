//! Replies, in the types of the client's protocol.

/// Appends replies to a client's output.
pub(crate) struct Reply<'a> {
    out: &'a mut Vec<u8>,
    resp3: bool,
}

impl<'a> Reply<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Vec<u8>, resp3: bool) -> Self {
        Self { out, resp3 }
    }

    /// Goes on in RESP3 or RESP2.
    pub(crate) fn speak(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    #[inline]
    pub(crate) fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status, which must be one line.
    pub(crate) fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error; line breaks in it become spaces.
    pub(crate) fn error(&mut self, text: &[u8]) {
        self.out.push(b'-');
        let space = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        self.out.extend(text.iter().map(space));
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    pub(crate) fn integer(&mut self, value: i64) {
        self.line(b':', itoa::Buffer::new().format(value).as_bytes());
    }

    #[inline]
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.head(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// No value.
    #[inline]
    pub(crate) fn null(&mut self) {
        self.out.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The head of an array of `len` replies.
    pub(crate) fn array(&mut self, len: usize) {
        self.head(b'*', len);
    }

    /// The head of a map of `len` pairs of replies.
    pub(crate) fn map(&mut self, len: usize) {
        if self.resp3 { self.head(b'%', len) } else { self.head(b'*', len * 2) }
    }

    /// The head of a set of `len` replies.
    pub(crate) fn set(&mut self, len: usize) {
        self.head(if self.resp3 { b'~' } else { b'*' }, len);
    }

    /// Text to be shown as it is.
    pub(crate) fn verbatim(&mut self, text: &str) {
        if !self.resp3 {
            return self.bulk(text.as_bytes());
        }
        self.head(b'=', text.len() + 4);
        self.out.extend_from_slice(b"txt:");
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Appends replies made before.
    pub(crate) fn raw(&mut self, replies: &[u8]) {
        self.out.extend_from_slice(replies);
    }

    /// How far the output reaches, for [`Reply::rewind`].
    #[inline]
    pub(crate) fn mark(&self) -> usize {
        self.out.len()
    }

    /// Takes back what was replied since `mark`.
    #[inline]
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    #[inline]
    fn head(&mut self, kind: u8, len: usize) {
        self.line(kind, itoa::Buffer::new().format(len).as_bytes());
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }
}
