//! What the clients of this thread subscribe to. One thread of the process hears the store for all
//! (`ear`): a client that subscribes to what others of its thread subscribe to costs nothing, one
//! that is the first in its thread a letter, one that is the first of all a `SUBSCRIBE`.
//!
//! A subscription is confirmed to its client once it stands in the store. From then on the client
//! gets messages.

use super::Relay;
use super::homes::Home;
use super::stations::comes_from_all;
use crate::catalog::Known;
use crate::command;
use crate::failure::Failure;
use crate::news::{Kind, Topic};
use crate::path::course::{Course, Delivery, Payload, Request, Taken};
use crate::path::letter::{Listen, Word};
use crate::shared::ClientId;
use crate::topology::{ServerId, Span};
use breakwater_resp::{Protocol, ReplyWriter};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How long, in milliseconds, a client waits for its subscriptions.
const PATIENCE: u64 = 5_000;

/// What was asked of the thread that hears, and is not answered.
struct Unconfirmed {
    number: u64,
    due: u64,
    client: ClientId,
    ticket: u64,
    /// What confirms it.
    bytes: Vec<u8>,
    topics: Vec<Topic>,
}

/// What the clients of this thread hear.
#[derive(Default)]
pub(super) struct Subscribers {
    /// Who subscribes, and whether that is confirmed.
    topics: HashMap<Topic, Vec<(ClientId, bool)>>,
    /// In the order in which they are answered.
    asks: VecDeque<Unconfirmed>,
    last: u64,
    /// How many bytes of messages are on their way here.
    load: Arc<AtomicUsize>,
}

impl Subscribers {
    /// All that clients of this thread want to hear.
    pub(super) fn topics(&self) -> BTreeSet<Topic> {
        self.topics.keys().cloned().collect()
    }

    /// What was asked for and is not answered, by its numbers.
    pub(super) fn unconfirmed(&self) -> Vec<(u64, Vec<Topic>)> {
        self.asks.iter().map(|ask| (ask.number, ask.topics.clone())).collect()
    }

    /// How many bytes of messages are on their way here.
    pub(super) fn load(&self) -> Arc<AtomicUsize> {
        self.load.clone()
    }

    /// When somebody has waited long enough.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.asks.front().map(|ask| ask.due)
    }
}

impl Relay {
    /// Begins or ends subscriptions.
    pub(super) fn subscribe(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        if !known.takes(request.args.len()) {
            return Err(command::wrong_arity(&known.name));
        }
        let (kind, begins) = Kind::of(&known.name);
        if !begins {
            return Ok(self.end_topics(kind, request, course, out));
        }
        if !self.are_told(kind, request)? {
            return Ok(Taken::Later);
        }
        let (mut fresh, mut added, mut bytes) = (false, vec![], vec![]);
        for channel in request.args.from(1).iter() {
            let topic = (kind, channel.to_vec());
            if course.topics.add(topic.clone()) {
                let clients = self.subscribers.topics.entry(topic.clone()).or_default();
                fresh |= clients.is_empty();
                clients.push((request.client, false));
                added.push(topic);
            } else if self.is_unconfirmed(request.client, &topic) {
                // It was asked for before, and this one is answered as that.
                added.push(topic);
            }
            let name = kind.commands().0;
            confirmation(&mut bytes, request.protocol, name, Some(channel), kind, course);
        }
        if !fresh && self.subscribers.asks.is_empty() {
            self.confirm(request.client, &added);
            out.extend_from_slice(&bytes);
            return Ok(Taken::Made);
        }
        let (client, ticket) = (request.client, course.replies.owe());
        course.confirms = Some(ticket);
        self.ask_ear(client, ticket, bytes, added);
        Ok(Taken::Done)
    }

    /// Whether the servers that tell of what a client subscribes to can be asked, or it has to wait for one.
    fn are_told(&mut self, kind: Kind, request: &Request<'_>) -> Result<bool, Failure> {
        for channel in request.args.from(1).iter() {
            let Some(server) = self.tells(kind, channel)? else { continue };
            if let Some(&shared) = self.shared.get(&(server, request.protocol, request.db))
                && self.refuses(shared)
            {
                if kind == Kind::Shard && self.await_server(request.client) {
                    return Ok(false);
                }
                return Err(Failure::because(&self.reason(shared)));
            }
        }
        Ok(true)
    }

    /// Whether a client has asked for a topic that does not stand yet.
    fn is_unconfirmed(&self, client: ClientId, topic: &Topic) -> bool {
        let mut clients = self.subscribers.topics.get(topic).into_iter().flatten();
        clients.any(|(other, confirmed)| *other == client && !confirmed)
    }

    /// The server without which a topic is not heard; `None` if any will do.
    fn tells(&mut self, kind: Kind, channel: &[u8]) -> Result<Option<ServerId>, Failure> {
        let any = self.any_master()?;
        if self.map.first_of_ring().is_some() {
            return Ok(self.publishes_at(channel).filter(|_| !comes_from_all(kind, channel)));
        }
        match kind == Kind::Shard && self.clustered() {
            true => self
                .home_of_span(Span::One(self.map.partition(channel)))
                .map(|home| Some(home.server)),
            false => Ok(Some(any)),
        }
    }

    /// Where a message is published, behind which stand independent stores: at that of its channel.
    pub(super) fn home_of_message(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
    ) -> Option<Home> {
        self.map.first_of_ring()?;
        known.filter(|known| matches!(&*known.name, "publish" | "spublish"))?;
        self.look();
        let channel = request.args.get(1)?;
        let server = self.publishes_at(channel)?;
        Some(Home { partition: self.map.partition(channel), server })
    }

    /// Asks who hears for subscriptions; whoever that is, it answers or is known to have ended.
    fn ask_ear(&mut self, client: ClientId, ticket: u64, bytes: Vec<u8>, topics: Vec<Topic>) {
        let ask = self.await_ear(client, ticket, bytes, topics.clone());
        let load = self.subscribers.load();
        let listen = Listen { thread: self.number, ask, topics, load };
        let ear = self.router.ear.of(self.number);
        self.write(ear, Word::Listen(Box::new(listen)));
    }

    /// A client waits for who hears; the number by which that answers.
    pub(super) fn await_ear(
        &mut self,
        client: ClientId,
        ticket: u64,
        bytes: Vec<u8>,
        topics: Vec<Topic>,
    ) -> u64 {
        let Subscribers { asks, last, .. } = &mut self.subscribers;
        *last += 1;
        let (number, due) = (*last, self.now + PATIENCE);
        asks.push_back(Unconfirmed { number, due, client, ticket, bytes, topics });
        self.wake_by(Some(due));
        number
    }

    /// Who hears has answered: what was asked for stands, or is refused.
    pub(super) fn answer_ask(&mut self, number: u64, refusal: Option<&[u8]>) {
        let asks = &mut self.subscribers.asks;
        let at = asks.iter().position(|ask| ask.number == number);
        let Some(ask) = at.and_then(|at| asks.remove(at)) else { return };
        match refusal {
            None => {
                self.confirm(ask.client, &ask.topics);
                self.answer(ask.client, ask.ticket, ask.bytes);
            }
            Some(error) => self.refuse_ask(ask, error),
        }
    }

    fn refuse_ask(&mut self, ask: Unconfirmed, error: &[u8]) {
        let Unconfirmed { client, ticket, topics, .. } = ask;
        if topics.is_empty() {
            self.stop_telling(client);
        }
        self.unsubscribe(client, topics.clone());
        self.deliveries.push(Delivery::refused(client, ticket, error.to_vec(), topics));
    }

    /// Those who have waited long enough for their subscriptions are told so.
    pub(super) fn wake_subscribers(&mut self) {
        while self.subscribers.wake_at().is_some_and(|due| due <= self.now) {
            if let Some(ask) = self.subscribers.asks.pop_front() {
                self.refuse_ask(ask, b"-ERR the store has not answered in time\r\n");
            }
        }
    }

    /// Ends the subscriptions that a request names, or all of its kind.
    fn end_topics(
        &mut self,
        kind: Kind,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Taken {
        let named = request.args.from(1);
        let topics: Vec<Topic> = match named.is_empty() {
            true => course.topics.of(kind),
            false => named.iter().map(|channel| (kind, channel.to_vec())).collect(),
        };
        let name = kind.commands().1;
        if topics.is_empty() {
            confirmation(out, request.protocol, name, None, kind, course);
        }
        let mut ended = vec![];
        for topic in topics {
            let held = course.topics.remove(&topic);
            confirmation(out, request.protocol, name, Some(&topic.1), kind, course);
            ended.extend(held.then_some(topic));
        }
        self.unsubscribe(request.client, ended);
        Taken::Made
    }

    /// A client is gone.
    pub(super) fn unsubscribe_all(&mut self, client: ClientId, course: &mut Course) {
        let topics = course.topics.take().collect();
        self.unsubscribe(client, topics);
    }

    fn unsubscribe(&mut self, client: ClientId, mut topics: Vec<Topic>) {
        let all = &mut self.subscribers.topics;
        topics.retain(|topic| {
            let Some(clients) = all.get_mut(topic) else { return false };
            clients.retain(|(other, _)| *other != client);
            let last = clients.is_empty();
            if last {
                all.remove(topic);
            }
            last
        });
        if !topics.is_empty() {
            let ear = self.router.ear.of(self.number);
            self.write(ear, Word::Unlisten { thread: self.number, topics });
        }
    }

    /// From now on a client gets the messages of these topics.
    fn confirm(&mut self, client: ClientId, topics: &[Topic]) {
        for topic in topics {
            let clients = self.subscribers.topics.get_mut(topic).into_iter().flatten();
            for (_, confirmed) in clients.filter(|(other, _)| *other == client) {
                *confirmed = true;
            }
        }
    }

    /// A message has come from another thread.
    pub(super) fn take_message(&mut self, topic: &Topic, bytes: &Arc<[u8]>) {
        // Relaxed: the letter itself publishes what it brings.
        self.subscribers.load.fetch_sub(bytes.len(), Ordering::Relaxed);
        self.spread(topic, bytes);
    }

    /// Gives a message to the clients that subscribe.
    pub(super) fn spread(&mut self, topic: &Topic, bytes: &Arc<[u8]>) {
        let clients = self.subscribers.topics.get(topic).into_iter().flatten();
        let confirmed = clients.filter(|(_, confirmed)| *confirmed);
        self.deliveries.extend(
            confirmed.map(|(client, _)| Delivery::push(*client, Payload::Shared(bytes.clone()))),
        );
    }

    /// Messages to these topics may have been lost, or to all: those who subscribe are told so as by the
    /// store itself, by the end of their connections. Those whose subscriptions do not stand yet are told
    /// why.
    pub(super) fn deafen(&mut self, lost: Option<Vec<Topic>>) {
        let renews = lost.is_none();
        let lost: Option<BTreeSet<Topic>> = lost.map(|lost| lost.into_iter().collect());
        let is_lost = |topic: &Topic| lost.as_ref().is_none_or(|lost| lost.contains(topic));
        let mut asked = BTreeSet::new();
        for ask in std::mem::take(&mut self.subscribers.asks) {
            if lost.is_some() && !ask.topics.iter().any(is_lost) {
                self.subscribers.asks.push_back(ask);
                continue;
            }
            asked.extend(ask.topics.iter().cloned());
            self.refuse_ask(ask, b"-ERR the connection to the store was lost\r\n");
        }
        let topics = self.subscribers.topics.extract_if(|topic, _| is_lost(topic));
        let topics: HashMap<_, _> = topics.collect();
        // What was asked for meanwhile may be heard already, for nobody.
        asked.retain(|topic| topics.contains_key(topic));
        if !asked.is_empty() {
            let (thread, ear) = (self.number, self.router.ear.of(self.number));
            self.write(ear, Word::Unlisten { thread, topics: asked.into_iter().collect() });
        }
        let clients: BTreeSet<_> = topics.into_values().flatten().map(|(id, _)| id).collect();
        self.deliveries.extend(clients.into_iter().map(Delivery::end));
        if renews {
            self.renew_feed();
        }
    }
}

/// Confirms that a subscription has begun or ended.
fn confirmation(
    out: &mut Vec<u8>,
    protocol: Protocol,
    name: &str,
    channel: Option<&[u8]>,
    kind: Kind,
    course: &Course,
) {
    let mut reply = ReplyWriter::new(out, protocol);
    reply.push(3);
    reply.bulk(name.as_bytes());
    match channel {
        Some(channel) => reply.bulk(channel),
        None => reply.null(),
    }
    reply.integer(course.topics.count(kind) as i64);
}
