//! Removals on their way from the thread that caused them to the environments that listen.
//!
//! Each environment has one [`Outbox`]. What its own thread causes is delivered at the end of the
//! call that caused it; what others cause is delivered by one threadsafe function, which never
//! keeps the process alive.

use breakwater_engine::{EntryRef, KeyKind, Reason, RemovalListener};
use napi_sys as sys;
use parking_lot::{Mutex, RwLock};
use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};

/// The most bytes of keys and values that wait in one environment's outbox.
pub const OUTBOX_BYTES: usize = 64 * 1024 * 1024;

/// What a removal is charged beside its key and value.
const REMOVAL_BYTES: usize = size_of::<Removal>();

/// An entry that left.
pub struct Removal {
    /// The listener that is told.
    pub listener: u64,
    /// Why it left.
    pub reason: Reason,
    /// What the key's bytes spell.
    pub kind: KeyKind,
    /// The value's format.
    pub format: u8,
    key_len: u32,
    bytes: Box<[u8]>,
}

impl Removal {
    fn new(listener: u64, entry: EntryRef<'_>, reason: Reason) -> Self {
        let (key, value) = (entry.key(), entry.value());
        Self {
            listener,
            reason,
            kind: key.kind,
            format: value.format,
            key_len: key.bytes.len() as u32,
            bytes: [key.bytes, value.bytes].concat().into(),
        }
    }

    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    /// The value's bytes.
    pub fn value(&self) -> &[u8] {
        &self.bytes[self.key_len as usize..]
    }

    fn charge(&self) -> usize {
        REMOVAL_BYTES + self.bytes.len()
    }
}

/// The removals that wait for one environment.
pub struct Outbox {
    owner: ThreadId,
    /// Whether any wait. Written under the lock of `queue`.
    pending: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    removals: VecDeque<Removal>,
    bytes: usize,
    /// How to wake the environment; `None` before its first listener and after its end.
    bell: Option<Bell>,
    /// Whether the bell rang and the environment has not come yet.
    rang: bool,
}

struct Bell(sys::napi_threadsafe_function);

// SAFETY: Node-API lets any thread call a threadsafe function until it is finalized, and that
// takes it out of the queue, under the lock that callers hold.
unsafe impl Send for Bell {}

impl Outbox {
    /// An empty one of the environment that runs on this thread.
    pub fn new() -> Self {
        Self {
            owner: thread::current().id(),
            pending: AtomicBool::new(false),
            queue: Mutex::default(),
        }
    }

    /// Whether removals wait.
    #[inline]
    pub fn is_pending(&self) -> bool {
        // Relaxed: the queue's lock orders the rest. What this thread queued it sees; what others
        // queue right now, the bell announces.
        self.pending.load(Ordering::Relaxed)
    }

    /// Whether the environment can be woken.
    pub fn has_bell(&self) -> bool {
        self.queue.lock().bell.is_some()
    }

    /// How to wake the environment from now on.
    pub fn set_bell(&self, bell: sys::napi_threadsafe_function) {
        self.queue.lock().bell = Some(Bell(bell));
    }

    /// The environment ends, or its bell does: nothing is queued any more.
    pub fn close(&self) {
        *self.queue.lock() = Queue::default();
        // Relaxed: as in `is_pending`.
        self.pending.store(false, Ordering::Relaxed);
    }

    /// Takes at most `n` removals, in the order in which they came.
    pub fn take(&self, n: usize) -> Vec<Removal> {
        let mut queue = self.queue.lock();
        let n = n.min(queue.removals.len());
        let taken: Vec<_> = queue.removals.drain(..n).collect();
        queue.bytes -= taken.iter().map(Removal::charge).sum::<usize>();
        queue.rang = false;
        // Relaxed: as in `is_pending`.
        self.pending.store(!queue.removals.is_empty(), Ordering::Relaxed);
        taken
    }

    /// Queues a removal; whether there was room.
    fn push(&self, removal: Removal, must: bool) -> bool {
        let mut queue = self.queue.lock();
        if queue.bell.is_none() {
            return true;
        }
        let charge = removal.charge();
        if !must && queue.bytes + charge > OUTBOX_BYTES {
            return false;
        }
        queue.bytes += charge;
        queue.removals.push_back(removal);
        // Relaxed: as in `is_pending`.
        self.pending.store(true, Ordering::Relaxed);
        if !queue.rang && thread::current().id() != self.owner {
            queue.ring();
        }
        true
    }

    /// Wakes the environment, if something waits for it.
    pub fn ring(&self) {
        let mut queue = self.queue.lock();
        if !queue.removals.is_empty() && !queue.rang {
            queue.ring();
        }
    }
}

impl Queue {
    fn ring(&mut self) {
        if let Some(Bell(bell)) = &self.bell {
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            // SAFETY: the function is not finalized: that would have taken it out of the queue.
            let status =
                unsafe { sys::napi_call_threadsafe_function(*bell, ptr::null_mut(), mode) };
            self.rang = status == sys::Status::napi_ok;
            // The environment is ending. Whoever was told so must not call again.
            if status == sys::Status::napi_closing {
                self.bell = None;
            }
        }
    }
}

/// One instance's interest in the removals of its cache.
pub struct Listener {
    /// Tells the facade which instance it is.
    pub id: u64,
    /// Where its removals go.
    pub outbox: Arc<Outbox>,
    /// Whether each removal must arrive: an object is let go by it. There are at most as many as
    /// the cache had entries, since each call of the owner empties the outbox.
    pub must: bool,
    /// Removals that found the outbox full.
    pub dropped: AtomicU64,
}

/// The listeners of a cache.
#[derive(Default)]
pub struct Listeners(RwLock<Vec<Arc<Listener>>>);

impl Listeners {
    /// Adds one.
    pub fn add(&self, listener: Arc<Listener>) {
        self.0.write().push(listener);
    }

    /// Removes one; whether any are left.
    pub fn remove(&self, listener: &Arc<Listener>) -> bool {
        let mut all = self.0.write();
        all.retain(|other| !Arc::ptr_eq(other, listener));
        !all.is_empty()
    }
}

impl RemovalListener for Listeners {
    fn removed(&self, entry: EntryRef<'_>, reason: Reason) {
        for listener in &*self.0.read() {
            let removal = Removal::new(listener.id, entry, reason);
            if !listener.outbox.push(removal, listener.must) {
                // Relaxed: a count that orders nothing.
                listener.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
