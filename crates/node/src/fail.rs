//! What can go wrong in a call, and the JavaScript error that it becomes.
//!
//! The facade owns the error classes and their wording; this side hands it a code and details.

use crate::env::Env;
use crate::js::{Js, Val};
use breakwater_engine::{ConfigError, Error, PersistError};

/// Why a call has no result.
pub enum Fail {
    /// A JavaScript exception is pending already, or the environment can run no more JavaScript.
    Pending,
    /// The key is not of a type that the cache takes, but of this one.
    KeyType(&'static str),
    /// The key has this many bytes (characters, if even those are too many).
    KeyTooLong(usize),
    /// The value is not of a type that the codec takes.
    ValueType {
        /// The codec's name.
        codec: String,
        /// The value's type.
        got: &'static str,
    },
    /// The facade passed something of another type than it should.
    Argument,
    /// The stored value was written by another codec.
    Codec,
    /// The entry alone exceeds the bound.
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The bound in bytes.
        max: u64,
    },
    /// The bounds are reached and nothing can be evicted.
    Full,
    /// The cache was closed.
    Closed,
    /// No open cache has this handle.
    Handle,
    /// An option cannot be.
    Option(ConfigError),
    /// A file could not be read or written, or is not a snapshot.
    Persist(PersistError),
    /// A bug of ours.
    Internal(String),
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyTooLong { len } => Self::KeyTooLong(len),
            Error::TooLarge { size, max } => Self::TooLarge { size, max },
            Error::Full => Self::Full,
        }
    }
}

impl From<ConfigError> for Fail {
    fn from(error: ConfigError) -> Self {
        Self::Option(error)
    }
}

impl Fail {
    /// The JavaScript error; `None` if one is pending or none can be made any more.
    #[cold]
    pub fn into_js<'s>(self, js: Js<'s>, env: &Env) -> Option<Val<'s>> {
        let number = |n: u64| js.number(n as f64);
        let (code, details) = match self {
            Self::Pending => return None,
            Self::KeyType(got) => ("ERR_INVALID_KEY", vec![js.text(got)]),
            Self::KeyTooLong(len) => ("ERR_KEY_TOO_LONG", vec![number(len as u64)]),
            Self::ValueType { codec, got } => {
                ("ERR_INVALID_VALUE", vec![js.text(&codec), js.text(got)])
            }
            Self::Argument => ("ERR_INVALID_ARGUMENT", vec![]),
            Self::Codec => ("ERR_CODEC_MISMATCH", vec![]),
            Self::TooLarge { size, max } => {
                ("ERR_ENTRY_TOO_LARGE", vec![number(size), number(max)])
            }
            Self::Full => ("ERR_CACHE_FULL", vec![]),
            Self::Closed => ("ERR_CACHE_CLOSED", vec![]),
            Self::Handle => ("ERR_INVALID_HANDLE", vec![]),
            Self::Option(ConfigError { option, value, allowed }) => {
                ("ERR_INVALID_OPTION", vec![js.text(option), js.text(&value), js.text(allowed)])
            }
            Self::Persist(PersistError::Damaged(what)) => {
                ("ERR_SNAPSHOT_DAMAGED", vec![js.text(what)])
            }
            Self::Persist(PersistError::Io(error)) => {
                ("ERR_SNAPSHOT_IO", vec![js.text(&error.to_string())])
            }
            Self::Persist(PersistError::NoRoom { loaded, error }) => {
                ("ERR_SNAPSHOT_NO_ROOM", vec![number(loaded), js.text(&error.to_string())])
            }
            Self::Internal(what) => ("ERR_INTERNAL", vec![js.text(&what)]),
        };
        let mut args = vec![js.text(code).ok()?];
        for detail in details {
            args.push(detail.ok()?);
        }
        js.call(env.fail(js).ok()?, &args).ok()
    }
}
