//! Writing on a condition, as one step: what counters, locks and functions of the old value need.

use super::Cache;
use super::update::Edit;
use crate::config::Error;
use crate::entry::{EntryRef, Expiry, Value};
use crate::key::Key;
use crate::note::Note;

impl Cache {
    /// Stores an entry unless the key has a live one; whether it did. Of several threads that do so at
    /// once one stores.
    ///
    /// # Errors
    /// As [`Cache::set_noted`].
    pub fn set_if_absent(
        &self,
        key: Key<'_>,
        value: Value<'_>,
        expiry: Expiry,
        note: Option<&Note>,
    ) -> Result<bool, Error> {
        self.compare_and_set(key, |held| held.is_none(), value, expiry, note)
    }

    /// Stores an entry if `expected` is true of the live one that the key has, if any; whether it did.
    /// What was expected is still there when the value takes its place. Without a note the one that
    /// was there stays, tags included.
    ///
    /// Who reads a value, computes another one from it, and has that take the place of an equal value
    /// has done all of it in one step: what would have been computed from the equal one is the same.
    ///
    /// # Errors
    /// As [`Cache::set_noted`].
    pub fn compare_and_set(
        &self,
        key: Key<'_>,
        expected: impl Fn(Option<EntryRef<'_>>) -> bool,
        value: Value<'_>,
        expiry: Expiry,
        note: Option<&Note>,
    ) -> Result<bool, Error> {
        let format = value.format;
        let edit = match note {
            Some(_) => Edit::Put { format, expiry },
            None => Edit::Change { format, expiry },
        };
        self.update_noted(key, note, |held, out| {
            if !expected(held) {
                return (Edit::Keep, false);
            }
            out.extend_from_slice(value.bytes);
            (edit, true)
        })
    }
}
