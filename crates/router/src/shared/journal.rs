//! Who came and who left, where somebody asks for that: lines of JSON, which somebody takes and writes.

use super::clients::Client;
use crate::policy::{Bucket, User};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::mem;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most lines that wait to be taken.
const MOST: usize = 10_000;
/// Lines that are noted in a second: whoever connects may do so as often as it likes.
const RATE: NonZeroU64 = NonZeroU64::new(1_000).expect("it is not 0");

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client hung up, or its driver did.
    #[default]
    Client,
    /// It said so by `QUIT`, or its user may not go on.
    Closed,
    /// Somebody ended it: `CLIENT KILL`, or a reload by which its user is gone.
    Killed,
    /// Too much waited for it, or of it, while memory was full.
    Memory,
    /// Its token or its certificate counts no longer.
    Expired,
    /// It missed messages that it did not take.
    Missed,
    /// It had replies to take and took none for too long.
    Slow,
    /// Its descriptor was needed, by which others are told that there is none.
    Descriptors,
    /// What it sent is no RESP, or too much of it.
    Protocol,
    /// The node, or the thread that served it, ends.
    Drain,
}

impl Ending {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Closed => "closed",
            Self::Killed => "killed",
            Self::Memory => "memory",
            Self::Expired => "expired",
            Self::Missed => "missed",
            Self::Slow => "slow",
            Self::Descriptors => "descriptors",
            Self::Protocol => "protocol",
            Self::Drain => "drain",
        }
    }
}

/// What a connection came to.
pub(crate) struct Ended<'a> {
    pub(crate) client: &'a Client,
    pub(crate) user: Option<&'a User>,
    /// How many requests it made, and the bytes that were received of it.
    pub(crate) requests: u64,
    pub(crate) received: u64,
    pub(crate) cause: Ending,
    /// How long it lasted, in milliseconds.
    pub(crate) lasted: u64,
}

/// Lines that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: Mutex<Vec<String>>,
    bucket: Bucket,
    /// Lines that were not noted. Relaxed: a count by itself.
    left_out: AtomicU64,
}

impl Journal {
    /// A client is here; `clock` in nanoseconds.
    pub(super) fn opened(&self, client: &Client, clock: u64) {
        self.add(clock, || {
            json!({
                "event": "connection_opened",
                "client": client.id,
                "address": client.peer.address,
                "local": client.peer.local,
            })
        });
    }

    /// A client is gone; `clock` in nanoseconds.
    pub(super) fn closed(&self, ended: &Ended<'_>, clock: u64) {
        let Ended { client, user, requests, received, cause, lasted } = ended;
        self.add(clock, || {
            json!({
                "event": "connection_closed",
                "client": client.id,
                "address": client.peer.address,
                "user": user.map(|user| &*user.name),
                "requests": requests,
                "received": received,
                "cause": cause.name(),
                "lasted": lasted,
            })
        });
    }

    fn add(&self, clock: u64, line: impl FnOnce() -> Value) {
        if self.bucket.take(RATE, clock).is_ok() {
            let mut lines = self.lines.lock();
            if lines.len() < MOST {
                return lines.push(line().to_string());
            }
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the lines, and behind them how many are missing, if any are.
    pub(super) fn take(&self) -> Vec<String> {
        let mut lines = mem::take(&mut *self.lines.lock());
        let count = self.left_out.swap(0, Ordering::Relaxed);
        if count > 0 {
            lines.push(
                json!({ "event": "left_out", "of": "connection", "count": count }).to_string(),
            );
        }
        lines
    }
}
