//! Letters: what an instance is told about a flight that it takes part in.

use breakwater_engine::Lease;
use std::sync::Arc;

/// A value, or the text of an error, that any number of letters share.
#[derive(Clone)]
pub struct Enclosure {
    /// The value's format.
    pub format: u8,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// What a letter says; src/native/mail.ts knows the numbers as well.
pub enum News {
    /// A value was loaded.
    Value(Enclosure),
    /// The load gave nothing: `undefined` (4) or `null` (5).
    Nothing(u8),
    /// The load failed, with this text: it is remembered (6) or not (7).
    Failed(u8, Enclosure),
    /// Lead from now on.
    Lead(Lease),
    /// Nobody waits any more.
    Alone,
    /// Another one leads: wait.
    Overtaken,
    /// The flight ended and brought nothing.
    Gone,
}

impl News {
    /// The number by which JavaScript knows it.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Value(_) => 1,
            Self::Nothing(kind) | Self::Failed(kind, _) => *kind,
            Self::Lead(_) => 8,
            Self::Alone => 9,
            Self::Overtaken => 10,
            Self::Gone => 11,
        }
    }
}

/// A letter to one instance.
pub struct Letter {
    /// Whom it is for.
    pub owner: u64,
    /// The number of the instance in its environment.
    pub instance: usize,
    /// The flight.
    pub flight: u64,
    /// What it says.
    pub news: News,
}
