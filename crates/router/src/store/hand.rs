//! The store as one client changes it: those who track a key are told of each change, when it can be
//! read.

use super::databases::{DbKey, Store};
use crate::failure::Failure;
use crate::news::ClientId;
use breakwater_engine::{Edit, EntryRef, Expiry};
use std::ops::Deref;

/// The store in a client's hands.
#[derive(Clone, Copy)]
pub(crate) struct Hand<'a> {
    store: &'a Store,
    client: ClientId,
}

impl Deref for Hand<'_> {
    type Target = Store;

    #[inline]
    fn deref(&self) -> &Store {
        self.store
    }
}

impl<'a> Hand<'a> {
    #[inline]
    pub(crate) fn new(store: &'a Store, client: ClientId) -> Self {
        Self { store, client }
    }

    #[inline]
    pub(crate) fn set(&self, key: &DbKey, value: &[u8], expiry: Expiry) -> Result<(), Failure> {
        self.store.set(key, value, expiry)?;
        self.changed(key.name());
        Ok(())
    }

    /// Reads, decides and writes as one step; `f` may run again if another thread was faster.
    pub(crate) fn update<R>(
        &self,
        key: &DbKey,
        mut f: impl FnMut(Option<EntryRef<'_>>, &mut Vec<u8>) -> (Edit, R),
    ) -> Result<R, Failure> {
        let mut changes = false;
        let result = self.store.update(key, |old, out| {
            let there = old.is_some();
            let (edit, result) = f(old, out);
            changes = edit != Edit::Keep && (there || edit != Edit::Remove);
            (edit, result)
        })?;
        if changes {
            self.changed(key.name());
        }
        Ok(result)
    }

    pub(crate) fn delete(&self, key: &DbKey) -> bool {
        let done = self.store.delete(key) | self.store.records.forget(key.bytes());
        if done {
            self.changed(key.name());
        }
        done
    }

    /// Changes when a key ends; whether it is there.
    pub(crate) fn expire(&self, key: &DbKey, expiry: Expiry) -> Result<bool, Failure> {
        let done = self.store.expire(key, expiry)?;
        if done {
            self.changed(key.name());
        }
        Ok(done)
    }

    /// Removes every key that a database had when this began.
    pub(crate) fn flush(&self, db: u8) {
        self.store.flush(db);
        self.store.records.lock().forget_database(db);
        self.store.tell_flushed();
    }

    /// Removes every key of all databases.
    pub(crate) fn flush_all(&self) {
        self.store.flush_all();
        self.store.records.lock().forget_all();
        self.store.tell_flushed();
    }

    /// Tells those who track a key that it has changed.
    #[inline]
    pub(crate) fn changed(&self, name: &[u8]) {
        self.store.tell(name, self.client);
    }
}
