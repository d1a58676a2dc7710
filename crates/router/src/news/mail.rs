//! News on their way to the thread that has their clients' connections.
//!
//! Each driver has a mailbox. Whoever posts, on any thread, rings its bell if it was empty; the driver
//! takes everything at once. What waits for one client is bounded: beyond, it is told that everything
//! has changed, or its connection ends, as it has missed a message.

use super::topics::Topic;
use foldhash::fast::FixedState;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

/// A client's number, never given twice by one router.
pub type ClientId = u64;

/// The most bytes of names of keys that wait for one client.
const MOST_KEYS: usize = 1024 * 1024;
/// What a name that waits takes beside its bytes.
const OVERHEAD: usize = 32;

/// A message of a channel.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// What brings it to a client.
    pub(crate) topic: Topic,
    /// As a push of RESP3.
    pub(crate) push: Vec<u8>,
}

/// Something that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// These keys have changed.
    Changed {
        /// Their names, in the order of their changes.
        keys: Vec<Arc<[u8]>>,
        /// Whether another client tracks them, and redirects to this one.
        redirected: bool,
    },
    /// Any key may have changed.
    Flushed {
        /// As of [`Notice::Changed`].
        redirected: bool,
    },
    /// The client that it redirects to is gone.
    Broken(ClientId),
    /// A message.
    Message(Arc<Message>),
    /// It has missed messages: its connection is to be ended.
    Missed,
    /// What it came by counts no longer: its connection is to be ended.
    Expired,
}

/// What waits for one client.
#[derive(Default)]
struct Parcel {
    news: Vec<Notice>,
    /// Of names of keys.
    keys: usize,
    /// Of messages.
    messages: usize,
}

/// What waits for the clients of one driver.
pub struct Mailbox {
    waiting: Mutex<HashMap<ClientId, Parcel, FixedState>>,
    /// The most bytes of messages that wait for one client.
    most_messages: usize,
    /// Has the driver come.
    bell: Box<dyn Fn() + Send + Sync>,
}

impl Mailbox {
    /// A mailbox whose driver comes when `bell` is called, on any thread.
    pub(crate) fn new(most_messages: usize, bell: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { waiting: Mutex::default(), most_messages, bell }
    }

    /// Everything that waits.
    pub fn take(&self) -> Vec<(ClientId, Vec<Notice>)> {
        let all = mem::take(&mut *self.waiting.lock());
        all.into_iter().map(|(id, waiting)| (id, waiting.news)).collect()
    }

    /// What waits for a client is for nobody.
    pub(super) fn forget(&self, client: ClientId) {
        self.waiting.lock().remove(&client);
    }

    /// A key has changed.
    pub(super) fn change(&self, client: ClientId, key: &Arc<[u8]>, redirected: bool) {
        self.post(client, |waiting| {
            waiting.keys += key.len() + OVERHEAD;
            if waiting.keys > MOST_KEYS {
                return waiting.flush(redirected);
            }
            match waiting.news.last_mut() {
                Some(Notice::Changed { keys, redirected: same }) if *same == redirected => {
                    keys.push(key.clone());
                }
                _ => waiting.news.push(Notice::Changed { keys: vec![key.clone()], redirected }),
            }
        });
    }

    /// Any key may have changed.
    pub(super) fn flush(&self, client: ClientId, redirected: bool) {
        self.post(client, |waiting| waiting.flush(redirected));
    }

    /// The client that it redirects to is gone.
    pub(super) fn break_off(&self, client: ClientId, from: ClientId) {
        self.post(client, |waiting| waiting.news.push(Notice::Broken(from)));
    }

    /// A message has come.
    pub(super) fn bring(&self, client: ClientId, message: &Arc<Message>) {
        self.post(client, |waiting| {
            waiting.messages += message.push.len();
            if waiting.messages <= self.most_messages {
                waiting.news.push(Notice::Message(message.clone()));
            } else if waiting.news.last() != Some(&Notice::Missed) {
                waiting.news = vec![Notice::Missed];
            }
        });
    }

    /// The client's time is over.
    pub(super) fn expire(&self, client: ClientId) {
        self.post(client, |waiting| waiting.news.push(Notice::Expired));
    }

    fn post(&self, client: ClientId, add: impl FnOnce(&mut Parcel)) {
        let mut all = self.waiting.lock();
        let first = all.is_empty();
        add(all.entry(client).or_default());
        drop(all);
        if first {
            (self.bell)();
        }
    }
}

impl Parcel {
    /// Takes the place of all changes of single keys.
    fn flush(&mut self, redirected: bool) {
        let alike = |one: &Notice| match one {
            Notice::Changed { redirected: same, .. } | Notice::Flushed { redirected: same } => {
                *same == redirected
            }
            _ => false,
        };
        self.news.retain(|one| !alike(one));
        self.news.push(Notice::Flushed { redirected });
        let names = self.news.iter().map(|one| match one {
            Notice::Changed { keys, .. } => keys.iter().map(|key| key.len() + OVERHEAD).sum(),
            _ => 0,
        });
        self.keys = names.sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Mailbox {
        Mailbox::new(100, Box::new(|| {}))
    }

    fn keys(mailbox: &Mailbox) -> Vec<Notice> {
        mailbox.take().into_iter().flat_map(|(_, news)| news).collect()
    }

    #[test]
    fn changes_leave_together_and_too_many_become_one_of_everything() {
        let mailbox = mailbox();
        let key: Arc<[u8]> = b"key"[..].into();
        mailbox.change(1, &key, false);
        mailbox.change(1, &key, false);
        let both = vec![key.clone(), key];
        assert_eq!(keys(&mailbox), [Notice::Changed { keys: both, redirected: false }]);
        let long: Arc<[u8]> = vec![b'x'; 60_000].into();
        for _ in 0..1000 {
            mailbox.change(1, &long, false);
        }
        let news = keys(&mailbox);
        assert_eq!(news[0], Notice::Flushed { redirected: false });
        assert!(news.len() <= 2, "{}", news.len());
    }

    #[test]
    fn a_client_that_misses_a_message_gets_no_other() {
        let mailbox = mailbox();
        let topic = (crate::news::Kind::Channel, vec![]);
        let message = Arc::new(Message { topic, push: vec![b'x'; 60] });
        for _ in 0..3 {
            mailbox.bring(1, &message);
        }
        assert_eq!(keys(&mailbox), [Notice::Missed]);
    }

    #[test]
    fn the_bell_rings_once_until_everything_is_taken() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let rings = Arc::new(AtomicUsize::new(0));
        let counted = rings.clone();
        let bell = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let mailbox = Mailbox::new(100, bell);
        for _ in 0..3 {
            mailbox.flush(1, false);
            mailbox.flush(2, false);
        }
        assert_eq!((rings.load(Ordering::Relaxed), mailbox.take().len()), (1, 2));
        mailbox.flush(1, true);
        assert_eq!(rings.load(Ordering::Relaxed), 2);
    }
}
