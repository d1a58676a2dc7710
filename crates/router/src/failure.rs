//! Why a command is refused.

use std::borrow::Cow;

/// Why a command was refused, as the client reads it.
pub(crate) struct Failure(pub(crate) Cow<'static, [u8]>);

impl Failure {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}
