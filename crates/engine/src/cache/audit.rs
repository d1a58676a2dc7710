//! The audit: does what is charged equal what is there? For tests and fuzzers.

use super::Cache;
use crate::cursor::run_to_end;
use crate::lane::Lane;
use crate::shard::ShardRef;
use std::ops::ControlFlow::Continue;

impl Cache {
    /// Counts everything anew and compares it with the books: what the ledger has given out, how many
    /// entries there are. Nobody else may use the cache meanwhile.
    ///
    /// # Errors
    /// Tells the first difference.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), String> {
        let mut given = self.price_of_extras() + self.shared.lanes.sum(Lane::bytes);
        let mut entries = 0;
        for (at, shard) in self.shard_refs().enumerate() {
            let counted = self.count_bytes(shard);
            let known = (shard.entries(), shard.payload());
            if known != (counted.entries, counted.payload) {
                return Err(format!("shard {at} has {counted:?}, not {known:?}"));
            }
            given += counted.bytes + shard.account.leased();
            entries += counted.entries;
        }
        let same = |what: &str, book: u64, counted: u64, cap: u64| {
            if book == counted && book <= cap {
                Ok(())
            } else {
                Err(format!("{what}: {book} in the book, {counted} counted, {cap} allowed"))
            }
        };
        same("bytes", self.shared.ledger.used(), given, self.shared.ledger.cap())?;
        same("entries", self.entry_ledger.used(), entries, self.entry_ledger.cap())
    }

    fn count_bytes(&self, shard: ShardRef<'_>) -> Counted {
        let _guard = shard.here.pin();
        let mut counted = Counted::default();
        run_to_end::<()>(|cursor| {
            Continue(shard.index.visit(cursor, |_, entry| {
                // SAFETY: pinned: what the index holds is not freed.
                let read = unsafe { entry.read() };
                counted.entries += 1;
                counted.payload += read.payload();
                counted.bytes += read.footprint(self.is_linked());
            }))
        });
        let guarded = shard.guarded.lock();
        counted.bytes += guarded.order.footprint() + guarded.wheel.footprint();
        counted.bytes +=
            shard.index.footprint() + shard.limbo.charged_bytes() + shard.limbo.lost_bytes();
        counted
    }
}

#[derive(Debug, Default)]
struct Counted {
    entries: u64,
    payload: u64,
    bytes: u64,
}
