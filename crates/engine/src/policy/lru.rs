//! `lru`: a list from the newest to the oldest, linked through the entries themselves.
//!
//! An entry in the list is alive: whoever removes one from the index unlinks it under the shard's
//! lock before it is retired.

use super::{Eviction, TURNS, take};
use crate::entry::EntryPtr;
use crate::index::{Host, Index};
use std::ptr;

pub(crate) struct Recency {
    newest: *mut u8,
    oldest: *mut u8,
}

// SAFETY: the pointers are followed under the shard's lock alone, and what they lead to is alive.
unsafe impl Send for Recency {}

impl Recency {
    pub(super) const fn new() -> Self {
        Self { newest: ptr::null_mut(), oldest: ptr::null_mut() }
    }

    pub(super) fn push(&mut self, entry: EntryPtr) {
        // SAFETY: the caller holds the lock and the entry, which is linked nowhere.
        let links = unsafe { entry.links() };
        links.newer = ptr::null_mut();
        links.older = self.newest;
        match EntryPtr::from_raw(self.newest) {
            // SAFETY: entries in the list are alive, and we hold the lock.
            Some(second) => unsafe { second.links() }.newer = entry.as_raw(),
            None => self.oldest = entry.as_raw(),
        }
        self.newest = entry.as_raw();
    }

    fn is_linked(&self, entry: EntryPtr) -> bool {
        // SAFETY: the caller holds the lock, and the entry is not freed.
        let links = unsafe { entry.links() };
        !links.newer.is_null() || self.newest == entry.as_raw()
    }

    pub(super) fn unlink(&mut self, entry: EntryPtr) {
        if !self.is_linked(entry) {
            return;
        }
        // SAFETY: the caller holds the lock, and the entry is alive.
        let links = unsafe { entry.links() };
        let (newer, older) = (links.newer, links.older);
        links.newer = ptr::null_mut();
        links.older = ptr::null_mut();
        match EntryPtr::from_raw(newer) {
            // SAFETY: entries in the list are alive, and we hold the lock.
            Some(newer) => unsafe { newer.links() }.older = older,
            None => self.newest = older,
        }
        match EntryPtr::from_raw(older) {
            // SAFETY: as above.
            Some(older) => unsafe { older.links() }.newer = newer,
            None => self.oldest = newer,
        }
    }

    pub(super) fn touch(&mut self, entry: EntryPtr) {
        // An entry that another thread is removing is not linked any more, and stays so.
        if self.newest != entry.as_raw() && self.is_linked(entry) {
            self.unlink(entry);
            self.push(entry);
        }
    }

    pub(super) fn evict(&mut self, index: &Index, host: &impl Host) -> Eviction {
        for _ in 0..TURNS {
            let Some(oldest) = EntryPtr::from_raw(self.oldest) else { return Eviction::Nothing };
            let hash = host.hash_of(oldest);
            self.unlink(oldest);
            // Where it is gone already, whoever removed it is about to unlink it, and retires it.
            if let Some(victim) = take(index, host, hash, |_, entry| entry == oldest) {
                return Eviction::Victim(victim);
            }
        }
        Eviction::Again
    }
}
