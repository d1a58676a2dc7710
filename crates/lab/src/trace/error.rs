//! Why a file could not be read as a trace.

use std::{fmt, io};

/// Why a file could not be read as a trace.
#[derive(Debug)]
pub enum TraceError {
    /// The file cannot be read, or not be decompressed.
    Io(io::Error),
    /// The file does not have the format.
    Wrong(String),
    /// The file has no request.
    Empty,
    /// It was told to be given up.
    Cancelled,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Wrong(what) => f.write_str(what),
            Self::Empty => f.write_str("there is no request in it"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for TraceError {}

impl From<io::Error> for TraceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<csv::Error> for TraceError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => Self::Io(error),
            other => Self::Wrong(format!("{other:?}")),
        }
    }
}
