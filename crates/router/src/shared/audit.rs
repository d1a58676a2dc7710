//! What is noted of who was refused and of who administers: lines of JSON, which somebody takes and writes.
//!
//! No line has a value or a secret in it. A word that a client sends in the place of a name is shown only
//! where it is that of a command or a user that exists: a password may have come there by mistake.

use super::clients::Client;
use super::refusals::RefusalReason;
use crate::catalog::{self, Known};
use crate::policy::{Bucket, User};
use breakwater_resp::Args;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::mem;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most lines that wait to be taken, and those of them that refusals may have.
const MOST: usize = 10_000;
const MOST_REFUSALS: usize = 9_000;
/// Refusals that are noted in a second: whoever is refused may try as often as it likes.
const RATE: NonZeroU64 = NonZeroU64::new(1_000).expect("it is not 0");
/// The most keys of a request that are noted, and characters of each.
const MOST_KEYS: usize = 8;
const LONGEST: usize = 128;

/// How the names of keys are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditKeys {
    /// As they are.
    Shown,
    /// The beginning of their SHA-256: who knows a key finds it.
    Hashed,
    /// Not at all.
    Omitted,
}

impl AuditKeys {
    /// By its name: `shown`, `hashed`, `omitted`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "shown" => Self::Shown,
            "hashed" => Self::Hashed,
            "omitted" => Self::Omitted,
            _ => return None,
        })
    }

    fn name(self, key: &[u8]) -> Option<String> {
        match self {
            Self::Shown => {
                let text = String::from_utf8_lossy(&key[..key.len().min(LONGEST * 4)]);
                let more = key.len() > LONGEST * 4 || text.chars().count() > LONGEST;
                let shown: String = text.chars().take(LONGEST).collect();
                Some(if more { shown + "\u{2026}" } else { shown })
            }
            Self::Hashed => {
                let digest = Sha256::digest(key);
                Some(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
            }
            Self::Omitted => None,
        }
    }
}

/// What happened, of which a line is made.
pub(crate) struct Noted<'a> {
    pub(crate) client: &'a Client,
    pub(crate) user: Option<&'a User>,
    /// What was asked, if anything.
    pub(crate) args: Option<Args<'a>>,
    /// In Unix milliseconds.
    pub(crate) now: i64,
}

/// Lines that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Audit {
    lines: Mutex<Vec<String>>,
    bucket: Bucket,
    /// Lines that were not noted. Relaxed: a count by itself.
    dropped: AtomicU64,
}

impl Audit {
    /// Somebody was refused; `clock` in nanoseconds. `named` is the user whose name it gave, if there is
    /// one.
    pub(super) fn refused(
        &self,
        refusal: RefusalReason,
        noted: &Noted<'_>,
        named: Option<&User>,
        keys: AuditKeys,
        clock: u64,
    ) {
        if self.bucket.take(RATE, clock).is_err() || self.lines.lock().len() >= MOST_REFUSALS {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut line = noted.line("refused", keys);
        line.insert("reason".into(), refusal.name().into());
        if refusal == RefusalReason::Password {
            line.insert("user".into(), named.map_or(Value::Null, |user| (*user.name).into()));
        }
        self.add(line);
    }

    /// Somebody administers.
    pub(super) fn administered(&self, noted: &Noted<'_>, keys: AuditKeys) {
        self.add(noted.line("admin", keys));
    }

    fn add(&self, line: Map<String, Value>) {
        let text = Value::Object(line).to_string();
        let mut lines = self.lines.lock();
        if lines.len() < MOST {
            lines.push(text);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the lines, and behind them how many are missing, if any are.
    pub(super) fn take(&self, now: u64) -> Vec<String> {
        let mut lines = mem::take(&mut *self.lines.lock());
        let count = self.dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            lines.push(json!({ "time": now, "event": "dropped", "count": count }).to_string());
        }
        lines
    }
}

impl Noted<'_> {
    fn line(&self, event: &str, keys: AuditKeys) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("time".into(), self.now.into());
        line.insert("event".into(), event.into());
        line.insert("client".into(), self.client.id.into());
        line.insert("address".into(), (*self.client.peer.address).into());
        line.insert("user".into(), self.user.map_or(Value::Null, |user| (*user.name).into()));
        let Some(args) = self.args.filter(|args| !args.is_empty()) else { return line };
        let known = catalog::find(args);
        line.insert("command".into(), known.map_or("unknown", |known| &known.name).into());
        let names = known.map(|known| names_of(known, args, keys)).unwrap_or_default();
        if !names.is_empty() {
            line.insert("keys".into(), names.into());
        }
        line
    }
}

/// The keys of a request, the first ones.
fn names_of(known: &Known, args: Args<'_>, keys: AuditKeys) -> Vec<String> {
    let mut names = vec![];
    if known.takes(args.len()) {
        known.each_access(args, |place, _| {
            if names.len() < MOST_KEYS {
                names.extend(keys.name(args.word(place)));
            }
        });
    }
    names
}
