//! What one thread hears for all: one subscription for each topic, over a connection for nothing
//! else, so that every client gets all messages in the order in which the store sent them.
//!
//! ```text
//! a thread says                   this one does
//! Listen (topics)                 SUBSCRIBE what is new, and a PING behind it; once that is
//!                                 answered, or at once if nothing is new: Stands
//! Unlisten (topics), Gone         UNSUBSCRIBE what no thread listens to any more
//! ```
//! What comes goes to the threads that listen (`Message`). A thread that does not keep up is told
//! that it has lost messages (`Deaf`), and holds up nobody. So are all, if the connection is lost. When
//! this thread ends, another one goes on (`handover`).

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::news::{Kind, Topic};
use crate::path::letter::{Letter, Listen, Word};
use crate::path::pending::LinkId;
use crate::path::transaction::command as word;
use crate::topology::PRIMARY;
use breakwater_resp::{Protocol, Reply, write_request};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A thread that listens.
struct Listener {
    thread: u64,
    load: Arc<AtomicUsize>,
}

/// What this thread hears.
#[derive(Default)]
pub(super) struct Hearing {
    pub(super) link: Option<LinkId>,
    topics: HashMap<Topic, Vec<Listener>>,
    /// What the store has refused, while others may wait for its answer to the same.
    refused: BTreeSet<Topic>,
    /// Whether it hears what it could not end.
    stuck: bool,
}

impl Hearing {
    /// The threads that listen to anything.
    pub(super) fn threads(&self) -> BTreeSet<u64> {
        self.topics.values().flatten().map(|listener| listener.thread).collect()
    }

    /// What a thread listens to.
    pub(super) fn topics_of(&self, thread: u64) -> Vec<Topic> {
        let its = |all: &[Listener]| all.iter().any(|listener| listener.thread == thread);
        let topics = self.topics.iter().filter(|(_, all)| its(all));
        topics.map(|(topic, _)| topic.clone()).collect()
    }
}

impl Relay {
    /// Whether a connection is the one that hears.
    pub(super) fn is_ear(&self, id: LinkId) -> bool {
        self.hearing.link == Some(id)
    }

    fn ear(&mut self) -> LinkId {
        if let Some(id) = self.hearing.link {
            return id;
        }
        let server = self.any_master().unwrap_or(PRIMARY);
        let id = self.open_link(server, self.options(server, Protocol::Resp3, 0), None);
        self.hearing.link = Some(id);
        id
    }

    /// Whether it hears anything.
    pub(super) fn hears(&self) -> bool {
        self.hearing.link.is_some()
    }

    /// Messages of a ring go by way of one store. If that is another one now, all hear anew.
    pub(super) fn move_ear(&mut self) {
        let link = self.hearing.link.and_then(|id| self.links.get(&id));
        let Some(heard) = link.map(|link| link.server) else { return };
        let left =
            self.clustered() && !self.map.leads(heard) && self.map.master_of(heard).is_none();
        if left || self.map.first_of_ring().is_some_and(|first| first != heard) {
            self.lose_ear();
        }
    }

    /// A thread wants to hear something.
    pub(super) fn listen(&mut self, listen: Listen) {
        let Listen { thread, ask, topics, load } = listen;
        let ear = self.ear();
        let mut fresh = vec![];
        for topic in &topics {
            let listeners = self.hearing.topics.entry(topic.clone()).or_default();
            if listeners.is_empty() {
                fresh.push(topic.clone());
            }
            if listeners.iter().all(|listener| listener.thread != thread) {
                listeners.push(Listener { thread, load: load.clone() });
            }
        }
        if fresh.is_empty() && self.links.get(&ear).is_some_and(|link| link.to.is_empty()) {
            return self.write(thread, Word::Stands { ask, refusal: None });
        }
        let bytes = said(&fresh, true);
        self.announce(ear, &bytes, To::Session(Step::Stands { thread, ask, topics, fresh }));
    }

    /// The store has answered what a thread asked for.
    pub(super) fn stands(
        &mut self,
        thread: u64,
        ask: u64,
        topics: &[Topic],
        fresh: &[Topic],
        refusal: Option<&[u8]>,
    ) {
        let mut refusal: Option<Arc<[u8]>> = refusal.map(Into::into);
        for topic in fresh {
            match refusal {
                None => self.hearing.refused.remove(topic),
                Some(_) => {
                    self.hearing.topics.remove(topic);
                    self.hearing.refused.insert(topic.clone())
                }
            };
        }
        if refusal.is_none() && topics.iter().any(|topic| self.hearing.refused.contains(topic)) {
            // It was asked of the store for another one.
            let error = b"-ERR the store has refused this subscription\r\n".as_slice();
            refusal = Some(error.into());
        }
        if refusal.is_some()
            && !fresh.is_empty()
            && let Some(ear) = self.hearing.link
        {
            // Where the answer is late it may have begun.
            self.announce(ear, &said(fresh, false), To::Session(Step::Ended));
        }
        let link = self.hearing.link.and_then(|id| self.links.get(&id));
        if link.is_none_or(|link| link.to.is_empty()) {
            self.hearing.refused.clear();
        }
        self.write(thread, Word::Stands { ask, refusal });
    }

    /// A thread does not want to hear these any more.
    pub(super) fn unlisten(&mut self, thread: u64, topics: Vec<Topic>) {
        let mut silent: Vec<Topic> = vec![];
        for topic in topics {
            let Some(listeners) = self.hearing.topics.get_mut(&topic) else { continue };
            listeners.retain(|listener| listener.thread != thread);
            if listeners.is_empty() {
                self.hearing.topics.remove(&topic);
                silent.push(topic);
            }
        }
        let Some(ear) = self.hearing.link else { return };
        // One command is about topics of one kind.
        silent.sort_unstable();
        for alike in silent.chunk_by(|one, other| one.0 == other.0) {
            self.announce(ear, &said(alike, false), To::Session(Step::Ended));
        }
        self.close_stuck();
    }

    /// The store has answered the end of subscriptions. Where it refuses that, what still comes is for
    /// nobody, until nothing is listened to any more: then the connection ends.
    pub(super) fn ended(&mut self, refused: bool) {
        self.hearing.stuck |= refused && self.hearing.link.is_some();
        self.close_stuck();
    }

    fn close_stuck(&mut self) {
        if self.hearing.stuck && self.hearing.topics.is_empty() {
            self.lose_ear();
        }
    }

    /// A thread wants to hear nothing any more.
    pub(super) fn unlisten_all(&mut self, thread: u64) {
        let topics = self.hearing.topics_of(thread);
        self.unlisten(thread, topics);
    }

    /// A message has come.
    pub(super) fn heard(&mut self, push: &[u8]) {
        let Ok(Reply::Push(parts)) = Reply::decode(push) else { return };
        let [name, topic, ..] = &parts[..] else { return };
        let kind = name.text().and_then(Kind::of_message);
        let (Some(kind), Some(topic)) = (kind, topic.text()) else { return };
        let topic = Arc::new((kind, topic.to_vec()));
        let Some(listeners) = self.hearing.topics.get(&*topic) else { return };
        let (bytes, most): (Arc<[u8]>, _) = (push.into(), self.rules.limits.messages);
        let (mut here, mut slow) = (false, vec![]);
        for Listener { thread, load } in listeners {
            if *thread == self.number {
                here = true;
                continue;
            }
            // Relaxed: the letter itself publishes what it brings.
            let before = load.fetch_add(bytes.len(), Ordering::Relaxed);
            if before > most {
                load.fetch_sub(bytes.len(), Ordering::Relaxed);
                slow.push(*thread);
                continue;
            }
            let word = Word::Message { topic: topic.clone(), bytes: bytes.clone() };
            self.letters.push(Letter { to: *thread, word });
        }
        if here {
            self.spread(&topic, &bytes);
        }
        for thread in slow {
            self.unlisten_all(thread);
            self.write(thread, Word::Deaf);
        }
    }

    /// The connection is lost, and with it messages, perhaps.
    pub(super) fn lose_ear(&mut self) {
        let Some(id) = self.hearing.link.take() else { return };
        self.hearing.stuck = false;
        let why = self.reason(id);
        let threads = self.hearing.threads();
        self.hearing.topics.clear();
        self.give_up(id, &why);
        threads.into_iter().for_each(|thread| self.write(thread, Word::Deaf));
    }
}

/// What begins or ends subscriptions of one kind, and a `PING` behind it, which tells that it is
/// done: the other is answered by pushes.
fn said(topics: &[Topic], begins: bool) -> Vec<u8> {
    let mut bytes = vec![];
    if let Some((kind, _)) = topics.first() {
        let (begin, end) = kind.commands();
        let name = if begins { begin } else { end };
        let names = topics.iter().map(|(_, name)| name.as_slice());
        let words: Vec<&[u8]> = std::iter::once(name.as_bytes()).chain(names).collect();
        write_request(&mut bytes, &words);
    }
    bytes.extend(word("PING"));
    bytes
}
