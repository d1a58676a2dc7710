//! What one thread hears for all: one subscription for each topic, over connections for nothing else, so
//! that every client gets all messages in the order in which a store sent them. Which servers a topic is
//! heard at, `stations` says.
//!
//! ```text
//! a thread says                   this one does
//! Listen (topics)                 SUBSCRIBE what is new, and a PING behind it; once all servers have
//!                                 answered that, or at once if nothing is new: Stands
//! Unlisten (topics), Gone         UNSUBSCRIBE what no thread listens to any more
//! ```
//! What comes goes to the threads that listen (`Message`). A thread that does not keep up is told
//! that it has lost messages (`Deaf`), and holds up nobody. So are those that listen to what goes by way
//! of a connection that is lost. When this thread ends, another one goes on (`handover`).

use super::Relay;
use super::link::HEARTBEAT;
use super::refusal::is_refusal;
use super::reply::To;
use super::step::Step;
use crate::failure::error_line;
use crate::news::{Kind, Topic};
use crate::path::letter::{Letter, Listen, Word};
use crate::path::pending::LinkId;
use crate::path::transaction::command as word;
use crate::topology::ServerId;
use crate::upstream::UpstreamOptions;
use breakwater_resp::{Kind as ReplyKind, Protocol, Reply, write_request};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A thread that listens.
struct Listener {
    thread: u64,
    load: Arc<AtomicUsize>,
}

/// What a thread asks for at once: the thread, and its number of that.
type Ask = (u64, u64);

/// A topic that is listened to.
#[derive(Default)]
pub(super) struct Station {
    listeners: Vec<Listener>,
    /// The servers that were asked for it, and the errand that is not answered yet.
    pub(super) at: BTreeMap<ServerId, Option<u64>>,
    /// Whether it has been heard.
    stood: bool,
    /// What waits until it is.
    asks: Vec<Ask>,
}

/// What this thread hears.
#[derive(Default)]
pub(super) struct Hearing {
    /// By which connection each server is heard.
    pub(super) ears: BTreeMap<ServerId, LinkId>,
    pub(super) topics: HashMap<Topic, Station>,
    /// What has been asked for, and what of it is not heard yet.
    asks: HashMap<Ask, BTreeSet<Topic>>,
    /// The number of the last errand: what a server was asked for in one command.
    last_errand: u64,
    /// Whether it hears what it could not end.
    stuck: bool,
    pub(super) moving: super::stations::Moving,
}

impl Hearing {
    /// The threads that listen to anything.
    pub(super) fn threads(&self) -> BTreeSet<u64> {
        let all = self.topics.values().flat_map(|station| &station.listeners);
        all.map(|listener| listener.thread).collect()
    }

    /// What a thread listens to.
    pub(super) fn topics_of(&self, thread: u64) -> Vec<Topic> {
        let its = |one: &Station| one.listeners.iter().any(|listener| listener.thread == thread);
        let topics = self.topics.iter().filter(|(_, station)| its(station));
        topics.map(|(topic, _)| topic.clone()).collect()
    }

    /// The server that a connection hears.
    pub(super) fn server(&self, id: LinkId) -> Option<ServerId> {
        self.ears.iter().find(|(_, ear)| **ear == id).map(|(server, _)| *server)
    }

    /// Its connections have other numbers now.
    pub(super) fn renumber(&mut self, numbers: &HashMap<LinkId, LinkId>) {
        for id in self.ears.values_mut() {
            *id = numbers.get(id).copied().unwrap_or_default();
        }
    }

    /// These are not asked of a server any more.
    pub(super) fn leave(&mut self, server: ServerId, topics: &[Topic]) {
        for topic in topics {
            if let Some(station) = self.topics.get_mut(topic) {
                station.at.remove(&server);
            }
        }
    }
}

impl Relay {
    /// Whether a connection is one that hears.
    #[inline]
    pub(super) fn is_ear(&self, id: LinkId) -> bool {
        !self.hearing.ears.is_empty() && self.hearing.server(id).is_some()
    }

    fn ear(&mut self, server: ServerId) -> LinkId {
        if let Some(&id) = self.hearing.ears.get(&server) {
            return id;
        }
        let options = self.options(server, Protocol::Resp3, 0);
        let options = UpstreamOptions { heartbeat: HEARTBEAT, ..options };
        let id = self.open_link(server, options, None);
        self.hearing.ears.insert(server, id);
        id
    }

    /// Whether it hears anything.
    pub(super) fn hears(&self) -> bool {
        !self.hearing.ears.is_empty()
    }

    /// A thread wants to hear something.
    pub(super) fn listen(&mut self, listen: Listen) {
        let Listen { thread, ask, topics, load } = listen;
        self.begin_hearing();
        let everywhere = self.everywhere();
        let mut fresh = BTreeMap::<ServerId, Vec<Topic>>::new();
        let mut missing = BTreeSet::new();
        for topic in topics {
            let mut station = self.hearing.topics.remove(&topic).unwrap_or_default();
            if station.listeners.iter().all(|listener| listener.thread != thread) {
                station.listeners.push(Listener { thread, load: load.clone() });
            }
            for server in self.stations(&topic, &station.at, everywhere.as_ref()) {
                if !station.at.contains_key(&server) {
                    fresh.entry(server).or_default().push(topic.clone());
                }
            }
            station.asks.push((thread, ask));
            self.hearing.topics.insert(topic.clone(), station);
            missing.insert(topic);
        }
        if missing.is_empty() {
            // Its client has subscribed to these before.
            return self.write(thread, Word::Stands { ask, refusal: None });
        }
        self.hearing.asks.insert((thread, ask), missing.clone());
        for (server, topics) in fresh {
            self.hear_at(server, topics, false);
        }
        missing.iter().for_each(|topic| self.stood(topic));
    }

    /// Asks a server for topics, for a move or for a thread. One that is down is asked once it is back:
    /// then nobody is told of what would be published there.
    pub(super) fn hear_at(&mut self, server: ServerId, mut topics: Vec<Topic>, moves: bool) {
        // Another server has refused some of them meanwhile.
        topics.retain(|topic| self.hearing.topics.contains_key(topic));
        let ear = self.ear(server);
        if self.is_down(ear) {
            topics.retain(|topic| !moves && self.depends(topic, server, false));
            return self.drop_topics(topics, &error_line(&self.reason(ear)));
        }
        for topics in self.by_command(topics) {
            self.hearing.last_errand += 1;
            let errand = self.hearing.last_errand;
            if moves {
                self.hearing.moving.errands.insert(errand);
            }
            for topic in &topics {
                if let Some(station) = self.hearing.topics.get_mut(topic) {
                    station.at.insert(server, Some(errand));
                }
            }
            let bytes = said(&topics, true);
            self.announce(ear, &bytes, To::Session(Step::Stands { server, errand, topics }));
        }
    }

    /// Topics by commands: one is about topics of one kind, and, where servers have slots, of one slot.
    fn by_command(&self, mut topics: Vec<Topic>) -> Vec<Vec<Topic>> {
        let sharded = self.clustered();
        let slot = |topic: &Topic| match topic.0 {
            Kind::Shard if sharded => self.map.partition(&topic.1),
            _ => 0,
        };
        topics.sort_by_cached_key(|topic| (topic.0, slot(topic)));
        let alike = |one: &Topic, other: &Topic| one.0 == other.0 && slot(one) == slot(other);
        topics.chunk_by(alike).map(<[Topic]>::to_vec).collect()
    }

    /// A server has answered an errand; `None` if it has not, and why.
    pub(super) fn stands(
        &mut self,
        (server, errand): (ServerId, u64),
        topics: Vec<Topic>,
        answer: Result<(ReplyKind, &[u8]), &[u8]>,
    ) {
        let asked = |topic: &Topic| {
            let station = self.hearing.topics.get(topic);
            station.is_some_and(|station| station.at.get(&server) == Some(&Some(errand)))
        };
        // Others are not wanted any more, or were asked for once more.
        let topics: Vec<Topic> = topics.into_iter().filter(asked).collect();
        match answer {
            Ok((kind, reply)) if self.clustered() && is_refusal(kind, reply) => {
                self.hearing.leave(server, &topics);
                self.hear_again();
            }
            Ok((kind, reply)) if kind.is_error() => self.drop_topics(topics, reply),
            Ok(_) => {
                for topic in &topics {
                    if let Some(station) = self.hearing.topics.get_mut(topic) {
                        station.at.insert(server, None);
                    }
                    self.stood(topic);
                }
            }
            Err(why) => {
                // Where the answer is late it may have begun.
                self.silence(server, topics.clone());
                if !topics.is_empty() {
                    self.leave_lost(server, topics, why);
                    self.hear_again();
                }
            }
        }
        if self.hearing.moving.errands.remove(&errand) {
            self.move_ears();
        }
    }

    /// A topic may be heard at all servers by now: who waits for that is told so.
    fn stood(&mut self, topic: &Topic) {
        let Some(station) = self.hearing.topics.get_mut(topic) else { return };
        if station.at.is_empty() || station.at.values().any(Option::is_some) {
            return;
        }
        station.stood = true;
        for ask in std::mem::take(&mut station.asks) {
            self.has_heard(ask, topic);
        }
    }

    /// What was asked for does not wait for this topic any more.
    fn has_heard(&mut self, (thread, ask): Ask, topic: &Topic) {
        let Some(missing) = self.hearing.asks.get_mut(&(thread, ask)) else { return };
        missing.remove(topic);
        if missing.is_empty() {
            self.hearing.asks.remove(&(thread, ask));
            self.write(thread, Word::Stands { ask, refusal: None });
        }
    }

    /// A server does not tell of these any more: nobody listens to what it alone would tell of.
    fn leave_lost(&mut self, server: ServerId, topics: Vec<Topic>, why: &[u8]) {
        let (lost, others): (Vec<_>, Vec<_>) = topics.into_iter().partition(|topic| {
            let station = self.hearing.topics.get(topic);
            let heard = station.is_some_and(|station| station.at.get(&server) == Some(&None));
            self.depends(topic, server, heard)
        });
        self.hearing.leave(server, &lost);
        self.hearing.leave(server, &others);
        self.drop_topics(lost, why);
        others.iter().for_each(|topic| self.stood(topic));
    }

    /// Messages to these topics are not heard: who waits for that is told why, and who has heard them
    /// that some may have been lost.
    pub(super) fn drop_topics(&mut self, topics: Vec<Topic>, why: &[u8]) {
        let (mut deaf, mut silent) = (BTreeMap::<u64, Vec<Topic>>::new(), BTreeMap::new());
        let error: Arc<[u8]> = why.into();
        for topic in topics {
            let Some(station) = self.hearing.topics.remove(&topic) else { continue };
            for (thread, ask) in station.asks {
                if self.hearing.asks.remove(&(thread, ask)).is_some() {
                    let refusal = Some(error.clone());
                    self.write(thread, Word::Stands { ask, refusal });
                }
            }
            for listener in station.listeners.into_iter().filter(|_| station.stood) {
                deaf.entry(listener.thread).or_default().push(topic.clone());
            }
            for server in station.at.into_keys() {
                silent.entry(server).or_insert_with(Vec::new).push(topic.clone());
            }
        }
        silent.into_iter().for_each(|(server, topics)| self.silence(server, topics));
        deaf.into_iter().for_each(|(thread, topics)| self.write(thread, Word::Deaf(Some(topics))));
        self.end_hearing();
    }

    /// Ends subscriptions at a server.
    pub(super) fn silence(&mut self, server: ServerId, topics: Vec<Topic>) {
        let Some(&ear) = self.hearing.ears.get(&server) else { return };
        for topics in self.by_command(topics) {
            self.announce(ear, &said(&topics, false), To::Session(Step::Ended));
        }
    }

    /// A thread does not want to hear these any more.
    pub(super) fn unlisten(&mut self, thread: u64, topics: Vec<Topic>) {
        let mut silent = BTreeMap::<ServerId, Vec<Topic>>::new();
        for topic in topics {
            let Some(station) = self.hearing.topics.get_mut(&topic) else { continue };
            station.listeners.retain(|listener| listener.thread != thread);
            let asks: Vec<_> = station.asks.extract_if(.., |ask| ask.0 == thread).collect();
            if station.listeners.is_empty()
                && let Some(station) = self.hearing.topics.remove(&topic)
            {
                for server in station.at.into_keys() {
                    silent.entry(server).or_default().push(topic.clone());
                }
            }
            asks.into_iter().for_each(|ask| self.has_heard(ask, &topic));
        }
        silent.into_iter().for_each(|(server, topics)| self.silence(server, topics));
        self.end_hearing();
    }

    /// The store has answered the end of subscriptions. Where it refuses that, what still comes is for
    /// nobody, until nothing is listened to any more: then the connections end.
    pub(super) fn ended(&mut self, refused: bool) {
        self.hearing.stuck |= refused && self.hears();
        self.end_hearing();
    }

    /// If nothing is listened to any more.
    fn end_hearing(&mut self) {
        if !self.hearing.topics.is_empty() {
            return;
        }
        self.stop_hearing();
        if std::mem::take(&mut self.hearing.stuck) {
            for id in std::mem::take(&mut self.hearing.ears).into_values() {
                self.give_up(id, "nothing is heard there any more");
            }
        }
    }

    /// A thread wants to hear nothing any more.
    pub(super) fn unlisten_all(&mut self, thread: u64) {
        let topics = self.hearing.topics_of(thread);
        self.unlisten(thread, topics);
    }

    /// A server has told something.
    pub(super) fn heard(&mut self, server: ServerId, push: &[u8]) {
        let Ok(Reply::Push(parts)) = Reply::decode(push) else { return };
        let [name, topic, ..] = &parts[..] else { return };
        let (Some(name), Some(topic)) = (name.text(), topic.text()) else { return };
        if let Some(kind) = Kind::of_message(name) {
            self.pass_message((kind, topic.to_vec()), push);
        } else if name == b"sunsubscribe" {
            self.sent_away(server, topic);
        }
    }

    fn pass_message(&mut self, topic: Topic, push: &[u8]) {
        let topic = Arc::new(topic);
        let Some(Station { listeners, .. }) = self.hearing.topics.get(&*topic) else { return };
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
            self.write(thread, Word::Deaf(None));
        }
    }

    /// A connection is lost: if it hears, messages that were published there, perhaps.
    pub(super) fn lose_ear(&mut self, id: LinkId) {
        let Some(server) = self.hearing.server(id) else { return };
        let why = error_line(&self.reason(id));
        let its = self.hearing.topics.iter();
        let its = its.filter(|(_, station)| station.at.contains_key(&server));
        let its: Vec<Topic> = its.map(|(topic, _)| topic.clone()).collect();
        self.leave_lost(server, its, &why);
        // What waits to be written would begin what nobody may listen to by then.
        self.tell(id, |upstream, heard| upstream.release(heard));
        if !self.is_wanted(server) {
            self.close_ear(server);
        }
    }

    /// A server is heard no more.
    pub(super) fn close_ear(&mut self, server: ServerId) {
        let Some(id) = self.hearing.ears.remove(&server) else { return };
        self.hearing.moving.hub.take_if(|hub| *hub == server);
        let why = self.reason(id);
        self.give_up(id, &why);
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
