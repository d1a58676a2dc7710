//! Subscriptions: one for each topic for all clients of the thread, over a connection for nothing else.
//!
//! Behind each `SUBSCRIBE` goes a `PING`: once that is answered the subscription stands, is confirmed
//! to its client, and the client gets messages. A client that subscribes to what others subscribe to
//! costs the store nothing.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::catalog::Known;
use crate::command;
use crate::failure::Failure;
use crate::path::course::{Course, Delivery, Request, Taken};
use crate::path::pending::LinkId;
use crate::path::topics::{Kind, Topic};
use crate::path::transaction::command as word;
use crate::shared::ClientId;
use crate::topology::PRIMARY;
use breakwater_resp::{Protocol, Reply, ReplyWriter, write_request};
use std::collections::{BTreeSet, HashMap};

/// The channel of the news of changes, for clients of RESP2.
pub(super) const INVALIDATE: &[u8] = b"__redis__:invalidate";

/// What the thread hears.
#[derive(Default)]
pub(super) struct Ear {
    link: Option<LinkId>,
    /// Who subscribes, and whether that is confirmed.
    topics: HashMap<Topic, Vec<(ClientId, bool)>>,
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
        if kind == Kind::Channel && request.args.len() == 2 && request.args.word(1) == INVALIDATE {
            return self.hear_changes(request, course);
        }
        let ear = self.ear();
        if self.refuses(ear) {
            return Err(Failure::new(format!("ERR {}", self.reason(ear))));
        }
        let (mut fresh, mut added, mut bytes) = (vec![], vec![], vec![]);
        for channel in request.args.from(1).iter() {
            let topic = (kind, channel.to_vec());
            if course.topics.add(topic.clone()) {
                let clients = self.ear.topics.entry(topic.clone()).or_default();
                if clients.is_empty() {
                    fresh.push(channel);
                }
                clients.push((request.client, false));
                added.push(topic);
            }
            confirmation(
                &mut bytes,
                request.protocol,
                kind.commands().0,
                Some(channel),
                kind,
                course,
            );
        }
        let stands =
            fresh.is_empty() && self.links.get(&ear).is_some_and(|link| link.to.is_empty());
        if stands {
            self.confirm(request.client, added);
            out.extend_from_slice(&bytes);
            return Ok(Taken::Made);
        }
        let ticket = course.replies.owe();
        course.confirms = Some(ticket);
        let step = Step::Confirm { client: request.client, ticket, bytes, topics: added };
        self.say_to_ear(kind.commands().0, &fresh, To::Session(step));
        Ok(Taken::Done)
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
        for topic in topics {
            if course.topics.remove(&topic) {
                self.unsubscribe(request.client, &topic);
            }
            confirmation(out, request.protocol, name, Some(&topic.1), kind, course);
        }
        Taken::Made
    }

    /// A client is gone.
    pub(super) fn unsubscribe_all(&mut self, client: ClientId, course: &mut Course) {
        for topic in course.topics.take() {
            self.unsubscribe(client, &topic);
        }
    }

    fn unsubscribe(&mut self, client: ClientId, topic: &Topic) {
        let Some(clients) = self.ear.topics.get_mut(topic) else { return };
        clients.retain(|(other, _)| *other != client);
        if clients.is_empty() {
            self.ear.topics.remove(topic);
            self.say_to_ear(topic.0.commands().1, &[&topic.1], To::Nobody);
        }
    }

    /// From now on a client gets the messages of these topics.
    pub(super) fn confirm(&mut self, client: ClientId, topics: Vec<Topic>) {
        for topic in topics {
            let clients = self.ear.topics.get_mut(&topic);
            for (_, confirmed) in
                clients.into_iter().flatten().filter(|(other, _)| *other == client)
            {
                *confirmed = true;
            }
        }
    }

    /// The connection that hears.
    fn ear(&mut self) -> LinkId {
        if let Some(id) = self.ear.link {
            return id;
        }
        let id = self.open_link(PRIMARY, self.options(PRIMARY, Protocol::Resp3, 0), None);
        self.ear.link = Some(id);
        id
    }

    /// Whether a connection is the one that hears.
    pub(super) fn is_ear(&self, id: LinkId) -> bool {
        self.ear.link == Some(id)
    }

    /// Says something that is answered by pushes alone, and a `PING` that tells that it is done.
    fn say_to_ear(&mut self, name: &str, channels: &[&[u8]], to: To) {
        let ear = self.ear();
        let mut bytes = vec![];
        if !channels.is_empty() {
            write_request(&mut bytes, &[&[name.as_bytes()], channels].concat());
        }
        bytes.extend(word("PING"));
        self.send(ear, &bytes, to);
    }

    /// A message has come.
    pub(super) fn heard(&mut self, push: &[u8]) {
        let Ok(Reply::Push(parts)) = Reply::decode(push) else { return };
        let [name, topic, ..] = &parts[..] else { return };
        let kind = name.text().and_then(Kind::of_message);
        let (Some(kind), Some(topic)) = (kind, topic.text()) else { return };
        let clients = self.ear.topics.get(&(kind, topic.to_vec()));
        for &(client, confirmed) in clients.into_iter().flatten() {
            if confirmed {
                self.deliveries.push(Delivery::push(client, push.to_vec()));
            }
        }
    }

    /// Messages may have been lost: those who subscribe are told so as by the store itself, by the
    /// end of their connections.
    pub(super) fn deafen(&mut self) {
        if let Some(id) = self.ear.link.take() {
            self.links.remove(&id);
            self.closes.push(id);
        }
        let topics = std::mem::take(&mut self.ear.topics);
        let clients: BTreeSet<_> = topics.into_values().flatten().map(|(id, _)| id).collect();
        self.deliveries.extend(clients.into_iter().map(Delivery::end));
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
