//! Times that clients give: how long a key is to live, or until when.

use super::call::NOT_AN_INTEGER;
use crate::failure::Failure;
use breakwater_resp::number;

/// What a time is counted in and from.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Measure {
    pub(super) seconds: bool,
    /// From 1970 rather than from now.
    pub(super) absolute: bool,
}

pub(super) const SECONDS: Measure = Measure { seconds: true, absolute: false };
pub(super) const MILLIS: Measure = Measure { seconds: false, absolute: false };
pub(super) const UNIX_SECONDS: Measure = Measure { seconds: true, absolute: true };
pub(super) const UNIX_MILLIS: Measure = Measure { seconds: false, absolute: true };

impl Measure {
    /// The Unix millisecond that `text` means, past ones too; `command` is named in the refusal of
    /// one that 64 bits do not hold.
    pub(super) fn moment(self, text: &[u8], now: i64, command: &str) -> Result<i64, Failure> {
        let count = number::integer(text).ok_or(NOT_AN_INTEGER)?;
        let millis = count.checked_mul(if self.seconds { 1000 } else { 1 });
        millis
            .and_then(|millis| millis.checked_add(if self.absolute { 0 } else { now }))
            .ok_or_else(|| invalid(command))
    }

    /// As [`Measure::moment`], but nothing at or before zero.
    pub(super) fn positive(self, text: &[u8], now: i64, command: &str) -> Result<i64, Failure> {
        let count = number::integer(text).ok_or(NOT_AN_INTEGER)?;
        if count <= 0 { Err(invalid(command)) } else { self.moment(text, now, command) }
    }
}

fn invalid(command: &str) -> Failure {
    Failure::new(format!("ERR invalid expire time in '{command}' command"))
}
