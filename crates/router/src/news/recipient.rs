//! A client that news may be for, and what it tracks.

use super::mail::{ClientId, Mailbox, Message};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which keys a client tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrackingMode {
    /// Those that it reads.
    Read,
    /// Those that it reads right after `CLIENT CACHING YES`.
    OptIn,
    /// Those that it reads, but not right after `CLIENT CACHING NO`.
    OptOut,
    /// Those that begin with its prefixes.
    Broadcast,
}

/// How a client tracks keys.
#[derive(Clone)]
pub(crate) struct Tracking {
    pub(crate) mode: TrackingMode,
    /// Whether it is not told of its own changes.
    pub(crate) noloop: bool,
    /// Who is told in its place.
    pub(crate) redirect: Option<Arc<Recipient>>,
    /// Whether that one was gone when there was something to tell.
    pub(crate) broken: bool,
    /// Sorted; none but of [`TrackingMode::Broadcast`].
    pub(crate) prefixes: Vec<Box<[u8]>>,
}

impl Tracking {
    /// The number of the client that it redirects to, 0 if it does not.
    pub(crate) fn target(&self) -> i64 {
        self.redirect.as_ref().map_or(0, |client| client.id as i64)
    }
}

/// A client that news may be for.
pub(crate) struct Recipient {
    pub(crate) id: ClientId,
    mail: Arc<Mailbox>,
    gone: AtomicBool,
    tracking: Mutex<Option<Tracking>>,
}

impl Recipient {
    pub(crate) fn new(id: ClientId, mail: Arc<Mailbox>) -> Self {
        Self { id, mail, gone: AtomicBool::new(false), tracking: Mutex::new(None) }
    }

    /// What it tracks, if anything.
    pub(crate) fn tracking(&self) -> MutexGuard<'_, Option<Tracking>> {
        self.tracking.lock()
    }

    /// Its connection ends.
    pub(super) fn leave(&self) {
        // Relaxed: who sees it late posts news for nobody.
        self.gone.store(true, Ordering::Relaxed);
        self.mail.forget(self.id);
    }

    /// A key has changed that it tracks by what it has read, or by a prefix (`broadcast`); `by` whom.
    pub(super) fn tell(&self, key: &Arc<[u8]>, by: ClientId, broadcast: bool) {
        let mut tracking = self.tracking.lock();
        let Some(tracking) = &mut *tracking else { return };
        // It tracks otherwise than it did when it read the key.
        if broadcast != (tracking.mode == TrackingMode::Broadcast) {
            return;
        }
        if tracking.noloop && by == self.id {
            return;
        }
        self.send(tracking, |to, redirected| to.mail.change(to.id, key, redirected));
    }

    /// Any key may have changed.
    pub(super) fn tell_all(&self) {
        if let Some(tracking) = &mut *self.tracking.lock() {
            self.send(tracking, |to, redirected| to.mail.flush(to.id, redirected));
        }
    }

    /// A message has come.
    pub(super) fn bring(&self, message: &Arc<Message>) {
        self.mail.bring(self.id, message);
    }

    /// Its time is over.
    pub(crate) fn expire(&self) {
        self.mail.expire(self.id);
    }

    fn send(&self, tracking: &mut Tracking, post: impl FnOnce(&Self, bool)) {
        match &tracking.redirect {
            None => post(self, false),
            // Relaxed: as in `leave`.
            Some(to) if !to.gone.load(Ordering::Relaxed) => post(to, true),
            Some(to) => {
                tracking.broken = true;
                self.mail.break_off(self.id, to.id);
            }
        }
    }
}
