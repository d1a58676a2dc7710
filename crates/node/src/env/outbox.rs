//! What is on its way to an environment: removals that it listens to, and letters about flights.
//!
//! Each facade has one outbox. Removals that its own calls cause are delivered at the end of
//! the call, or in the next turn of the event loop if they are many. What others cause, on its thread
//! or not, and every letter, is announced by one threadsafe function, the bell. It keeps the process
//! alive only while an instance waits for a flight.

use super::letter::Letter;
use super::removal::Removal;
use crate::js::Js;
use napi_sys as sys;
use parking_lot::Mutex;
use std::cell::Cell;
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

/// The most bytes of keys and values of removals that wait in one environment's outbox.
pub const OUTBOX_BYTES: usize = 64 * 1024 * 1024;

thread_local! {
    /// Facades that live on this thread: a module that is loaded twice has two.
    static FACADES: Cell<usize> = const { Cell::new(0) };
}

/// What waits for one environment.
pub struct Outbox {
    owner: ThreadId,
    /// Whether removals wait. Written under the lock of `queue`.
    pending: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    removals: VecDeque<Removal>,
    /// What the removals are charged.
    bytes: usize,
    letters: Vec<Letter>,
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

    /// How many removals wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().removals.len()
    }

    /// Whether the environment can be woken.
    pub fn has_bell(&self) -> bool {
        self.queue.lock().bell.is_some()
    }

    /// How to wake the environment from now on.
    pub fn set_bell(&self, bell: sys::napi_threadsafe_function) {
        self.queue.lock().bell = Some(Bell(bell));
    }

    /// Its facade begins, on this thread.
    pub fn begin(&self) {
        FACADES.set(FACADES.get() + 1);
    }

    /// Its facade is gone, which was of this thread: nothing is queued any more, and nobody rings.
    pub fn take_down(&self) {
        FACADES.set(FACADES.get() - 1);
        let bell = self.queue.lock().bell.take();
        self.close();
        if let Some(Bell(bell)) = bell {
            let mode = sys::ThreadsafeFunctionReleaseMode::abort;
            // SAFETY: nobody else knows the function any more; it is finalized once.
            unsafe { sys::napi_release_threadsafe_function(bell, mode) };
        }
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

    /// Takes all letters, in the order in which they came. The bell that announced them is over.
    pub fn take_letters(&self) -> Vec<Letter> {
        let mut queue = self.queue.lock();
        queue.rang = false;
        std::mem::take(&mut queue.letters)
    }

    /// Queues a letter and wakes the environment, even if this is its own thread: letters never
    /// arrive in the middle of a call.
    pub fn post(&self, letter: Letter) {
        let mut queue = self.queue.lock();
        if queue.bell.is_some() {
            queue.letters.push(letter);
            queue.ring();
        }
    }

    /// Has the bell keep the process alive, or not. On the environment's thread.
    pub fn keep_alive(&self, js: Js<'_>, keep: bool) {
        if let Some(Bell(bell)) = &self.queue.lock().bell {
            // SAFETY: the environment is live, this is its thread, and the bell is not finalized.
            unsafe {
                if keep {
                    sys::napi_ref_threadsafe_function(js.raw(), *bell);
                } else {
                    sys::napi_unref_threadsafe_function(js.raw(), *bell);
                }
            }
        }
    }

    /// Queues a removal; whether there was room.
    pub fn push(&self, removal: Removal, must: bool) -> bool {
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
        // Another facade of this thread may have caused it, whose call does not end here.
        if thread::current().id() != self.owner || FACADES.get() > 1 {
            queue.ring();
        }
        true
    }

    /// Wakes the environment, if something waits for it.
    pub fn ring(&self) {
        let mut queue = self.queue.lock();
        if !queue.removals.is_empty() {
            queue.ring();
        }
    }
}

impl Queue {
    /// Rings, unless the environment is on its way already.
    fn ring(&mut self) {
        if self.rang {
            return;
        }
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
