//! How much somebody may use, by all connections together: what limits say, and what is told of one that
//! is reached.

use crate::failure::Failure;
use std::num::NonZeroU64;
use std::time::Duration;

/// How much somebody may use; as much as it likes, of what is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Requests a second.
    pub requests: Option<NonZeroU64>,
    /// Bytes a second, of requests and of replies.
    pub bytes: Option<NonZeroU64>,
    /// Connections at once.
    pub connections: Option<usize>,
    /// Requests at once that have no reply yet.
    pub in_flight: Option<usize>,
    /// Bytes that wait of its connections and for them.
    pub buffered: Option<u64>,
}

impl Quota {
    /// Whether it limits anything.
    pub(super) fn binds(&self) -> bool {
        *self != Self::default()
    }
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Of requests a second; when there is room for another.
    Requests(NonZeroU64, Duration),
    /// Of bytes a second; when there is room for some.
    Bytes(NonZeroU64, Duration),
    InFlight(usize),
    Connections(usize),
}

impl Over {
    /// As a reply. Clients know by the first two words what it is, and that nothing was done.
    fn text(self) -> String {
        match self {
            Self::Requests(rate, wait) => format!(
                "LIMIT requests: this user may make {rate} requests a second, try again in {} ms",
                milliseconds(wait)
            ),
            Self::Bytes(rate, wait) => format!(
                "LIMIT bytes: this user may send and receive {rate} bytes a second, try again in {} ms",
                milliseconds(wait)
            ),
            Self::InFlight(most) => {
                format!("LIMIT inflight: this user may have {most} requests in flight at once")
            }
            Self::Connections(most) => {
                format!("LIMIT connections: this user may have {most} connections at once")
            }
        }
    }
}

impl From<Over> for Failure {
    fn from(over: Over) -> Self {
        Self::new(over.text())
    }
}

/// Rounded up: whoever comes then is not too early.
fn milliseconds(wait: Duration) -> u128 {
    wait.as_nanos().div_ceil(1_000_000)
}
