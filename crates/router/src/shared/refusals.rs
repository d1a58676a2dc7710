//! What the node refuses by itself: how often, by the reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request is refused, or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// Of somebody who is not known yet.
    Unauthenticated,
    /// A password or a token is wrong.
    Password,
    /// The user may not do that.
    Permission,
    /// A limit of the user is reached: of requests a second,
    Requests,
    /// of bytes a second,
    Bytes,
    /// of requests in flight,
    InFlight,
    /// of connections.
    Connections,
    /// An argument is longer than any may be.
    Value,
}

impl RefusalReason {
    /// All of them, by their names in `stats()`.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Unauthenticated, "unauthenticated"),
        (Self::Password, "password"),
        (Self::Permission, "permission"),
        (Self::Requests, "requests"),
        (Self::Bytes, "bytes"),
        (Self::InFlight, "inFlight"),
        (Self::Connections, "connections"),
        (Self::Value, "value"),
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// What a reply refuses: clients know it by the same words. None, if it is any other error.
    pub(super) fn of(reply: &[u8]) -> Option<Self> {
        let words: [(&[u8], Self); 9] = [
            (b"NOAUTH ", Self::Unauthenticated),
            (b"WRONGPASS ", Self::Password),
            (b"ERR too many passwords ", Self::Password),
            (b"NOPERM ", Self::Permission),
            (b"LIMIT requests:", Self::Requests),
            (b"LIMIT bytes:", Self::Bytes),
            (b"LIMIT inflight:", Self::InFlight),
            (b"LIMIT connections:", Self::Connections),
            (b"LIMIT value:", Self::Value),
        ];
        words.iter().find(|(words, _)| reply.starts_with(words)).map(|(_, refusal)| *refusal)
    }
}

/// How often the node refused, since the start. Relaxed: counts by themselves.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; RefusalReason::ALL.len()]);

impl Refusals {
    pub(super) fn read(&self) -> [u64; RefusalReason::ALL.len()] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn count(&self, refusal: RefusalReason) {
        self.0[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }
}
