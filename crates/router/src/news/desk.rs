//! Tells clients of changes of the keys that they track, whichever thread makes the change and
//! whichever has the client.
//!
//! A change is told after it can be read, and a client that is about to read a key is noted before it
//! reads: whoever has read what was there before is told. Where nobody tracks, a change costs a fence
//! and a look at a count.

use super::keys::TrackedKeys;
use super::mail::ClientId;
use super::prefixes::Prefixes;
use super::recipient::{Recipient, Tracking, TrackingMode};
use foldhash::fast::FixedState;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// Nobody's number: of changes that no client makes.
pub(crate) const NOBODY: ClientId = 0;

/// Who tracks what.
pub(crate) struct NewsDesk {
    /// How many clients track. Written under the lock of `clients`.
    count: AtomicUsize,
    clients: RwLock<HashMap<ClientId, Arc<Recipient>, FixedState>>,
    keys: TrackedKeys,
    prefixes: RwLock<Prefixes>,
}

impl NewsDesk {
    /// That remembers so many keys that were read; any number, if it is 0.
    pub(crate) fn new(most_keys: usize) -> Self {
        Self {
            count: AtomicUsize::new(0),
            clients: RwLock::default(),
            keys: TrackedKeys::new(most_keys),
            prefixes: RwLock::default(),
        }
    }

    /// It remembers so many from now on.
    pub(crate) fn bound(&self, most_keys: usize) {
        self.keys.bound(most_keys);
    }

    /// A client tracks keys from now on, or otherwise than before.
    pub(crate) fn track(&self, client: &Arc<Recipient>, tracking: Tracking) {
        let mut prefixes = self.prefixes.write();
        tracking.prefixes.iter().for_each(|prefix| prefixes.add(prefix, client));
        drop(prefixes);
        *client.tracking() = Some(tracking);
        let mut clients = self.clients.write();
        clients.insert(client.id, client.clone());
        self.count.store(clients.len(), Ordering::Relaxed);
        drop(clients);
        // With the fence of `changed`: a change whose thread does not see the count can be read by
        // whoever is answered after this.
        fence(Ordering::SeqCst);
    }

    /// A client no longer tracks.
    pub(crate) fn untrack(&self, client: &Recipient) {
        let Some(tracking) = client.tracking().take() else { return };
        let mut prefixes = self.prefixes.write();
        tracking.prefixes.iter().for_each(|prefix| prefixes.remove(prefix, client.id));
        drop(prefixes);
        let mut clients = self.clients.write();
        clients.remove(&client.id);
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    /// A client's connection ends.
    pub(crate) fn leave(&self, client: &Recipient) {
        self.untrack(client);
        client.leave();
    }

    /// A client is about to read a key, of which it is to be told when it changes.
    pub(crate) fn read(&self, name: &[u8], client: &Arc<Recipient>) {
        for (name, readers) in self.keys.add(name, client) {
            readers.iter().for_each(|reader| reader.tell(&name, NOBODY, false));
        }
    }

    /// A key has changed, by whom; the change can be read.
    #[inline]
    pub(crate) fn changed(&self, name: &[u8], by: ClientId) {
        // With the fence of `track`.
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) != 0 {
            self.tell(name, by);
        }
    }

    #[cold]
    fn tell(&self, name: &[u8], by: ClientId) {
        let key: Arc<[u8]> = name.into();
        self.prefixes.read().of(name).for_each(|holder| holder.tell(&key, by, true));
        self.keys.take(name).iter().for_each(|reader| reader.tell(&key, by, false));
    }

    /// All keys of a database, or of all, are gone.
    pub(crate) fn flushed(&self) {
        fence(Ordering::SeqCst);
        // What is read from now on is noted anew.
        self.keys.clear();
        self.clients.read().values().for_each(|client| client.tell_all());
    }

    /// How many clients track, how many keys, and how many prefixes.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.clients.read().len(), self.keys.len(), self.prefixes.read().len())
    }

    /// Whether what a client reads is noted, if it says `caching` for this once.
    pub(crate) fn notes(mode: TrackingMode, caching: bool) -> bool {
        match mode {
            TrackingMode::Read => true,
            TrackingMode::OptIn => caching,
            TrackingMode::OptOut => !caching,
            TrackingMode::Broadcast => false,
        }
    }
}
