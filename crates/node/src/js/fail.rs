//! What can go wrong in a call.
//!
//! The facade owns the error classes and their wording; this side hands it a code and details.

use breakwater_engine::{ConfigError, Error, PersistError};

/// Why a call has no result. One word, so that results travel in registers.
pub struct Fail(Option<Box<Failure>>);

/// A failure that the facade makes an error of.
pub struct Failure {
    /// The error's code.
    pub code: &'static str,
    /// What the error says beside it, in the order that the facade expects.
    pub details: Vec<Detail>,
}

/// What an error says beside its code.
pub enum Detail {
    /// A size or a count.
    Number(u64),
    /// A name or a reason.
    Text(String),
}

impl From<u64> for Detail {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}

impl From<usize> for Detail {
    fn from(n: usize) -> Self {
        Self::Number(n as u64)
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A failure with this code and these details.
macro_rules! failure {
    ($code:literal $(, $detail:expr)*) => {
        Fail(Some(Box::new(Failure { code: $code, details: vec![$($detail.into()),*] })))
    };
}

impl Fail {
    /// A JavaScript exception is pending already, or the environment can run no more JavaScript.
    pub const PENDING: Self = Self(None);

    /// The key is not of a type that the cache takes, but of this one.
    #[cold]
    pub fn key_type(got: &str) -> Self {
        failure!("ERR_INVALID_KEY", got)
    }

    /// The key has this many bytes (characters, if even those are too many).
    #[cold]
    pub fn key_too_long(len: usize) -> Self {
        failure!("ERR_KEY_TOO_LONG", len)
    }

    /// The value is not of a type that the codec takes, but of this one.
    #[cold]
    pub fn value_type(codec: &str, got: &str) -> Self {
        failure!("ERR_INVALID_VALUE", codec, got)
    }

    /// The facade passed something of another type than it should.
    #[cold]
    pub fn argument() -> Self {
        Self::internal("an argument of another type")
    }

    /// The stored value was written by another codec.
    #[cold]
    pub fn codec() -> Self {
        failure!("ERR_CODEC_MISMATCH")
    }

    /// The cache was closed.
    #[cold]
    pub fn closed() -> Self {
        failure!("ERR_CACHE_CLOSED")
    }

    /// No open cache has this handle.
    #[cold]
    pub fn handle() -> Self {
        failure!("ERR_INVALID_HANDLE")
    }

    /// No open cache has this name.
    #[cold]
    pub fn no_such_cache(name: &str) -> Self {
        failure!("ERR_NO_SUCH_CACHE", name)
    }

    /// A trace that cannot be read, and why.
    #[cold]
    pub fn trace(what: &str) -> Self {
        failure!("ERR_TRACE", what)
    }

    /// A bug of ours.
    #[cold]
    pub fn internal(what: &str) -> Self {
        failure!("ERR_INTERNAL", what)
    }

    /// What to hand to the facade; `None` if an exception is pending already.
    pub fn into_failure(self) -> Option<Box<Failure>> {
        self.0
    }
}

impl From<Error> for Fail {
    #[cold]
    fn from(error: Error) -> Self {
        match error {
            Error::KeyTooLong { len } => Self::key_too_long(len),
            Error::TooLarge { size, max } => failure!("ERR_ENTRY_TOO_LARGE", size, max),
            Error::Full => failure!("ERR_CACHE_FULL"),
            // Who may meet it asks for it.
            Error::Outdated => Self::internal("outdated"),
        }
    }
}

impl From<ConfigError> for Fail {
    fn from(ConfigError { option, value, allowed }: ConfigError) -> Self {
        failure!("ERR_INVALID_OPTION", option, value, allowed)
    }
}

impl From<PersistError> for Fail {
    fn from(error: PersistError) -> Self {
        match error {
            PersistError::Damaged(what) => failure!("ERR_SNAPSHOT_DAMAGED", what),
            PersistError::Io(error) => failure!("ERR_SNAPSHOT_IO", error.to_string()),
            PersistError::NoRoom { loaded, error } => {
                failure!("ERR_SNAPSHOT_NO_ROOM", loaded, error.to_string())
            }
        }
    }
}
