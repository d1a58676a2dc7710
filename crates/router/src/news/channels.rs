//! Who subscribes to which channels and patterns of channels. Messages of one channel reach all who
//! hear them in one order.

use super::mail::{ClientId, Message};
use super::recipient::Recipient;
use super::topics::{Kind, Topic};
use crate::glob;
use breakwater_resp::{Protocol, ReplyWriter};
use foldhash::fast::RandomState;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Parts with locks of their own.
const PARTS: usize = 16;

/// Who subscribes to something.
type Subscribers = Vec<Arc<Recipient>>;

#[derive(Default)]
struct ChannelPart(HashMap<Box<[u8]>, Subscribers, RandomState>);

/// Who subscribes to what.
#[derive(Default)]
pub(crate) struct Channels {
    parts: [Mutex<ChannelPart>; PARTS],
    patterns: RwLock<BTreeMap<Box<[u8]>, Subscribers>>,
    hasher: RandomState,
}

impl Channels {
    /// A client, who does not yet, subscribes to a topic.
    pub(crate) fn subscribe(&self, kind: Kind, topic: &[u8], client: &Arc<Recipient>) {
        let add = |subscribers: &mut Subscribers| subscribers.push(client.clone());
        match kind {
            Kind::Pattern => add(self.patterns.write().entry(topic.into()).or_default()),
            _ => add(self.part(topic).lock().0.entry(topic.into()).or_default()),
        }
    }

    /// It no longer does.
    pub(crate) fn unsubscribe(&self, kind: Kind, topic: &[u8], client: ClientId) {
        let leave = |subscribers: &mut Subscribers| {
            subscribers.retain(|one| one.id != client);
            subscribers.is_empty()
        };
        match kind {
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                if patterns.get_mut(topic).is_some_and(leave) {
                    patterns.remove(topic);
                }
            }
            _ => {
                let mut part = self.part(topic).lock();
                if part.0.get_mut(topic).is_some_and(leave) {
                    part.0.remove(topic);
                }
            }
        }
    }

    /// Brings a message to all who subscribe; to how many.
    pub(crate) fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        // Held to the end: no message of the channel overtakes another one.
        let part = self.part(channel).lock();
        let mut count = 0;
        let mut bring = |topic: Topic, words: &[&[u8]], subscribers: &Subscribers| {
            let message = Arc::new(Message { topic, push: push_of(words) });
            subscribers.iter().for_each(|one| one.bring(&message));
            count += subscribers.len();
        };
        if let Some(subscribers) = part.0.get(channel) {
            let topic = (Kind::Channel, channel.to_vec());
            bring(topic, &[b"message", channel, message], subscribers);
        }
        for (pattern, subscribers) in &*self.patterns.read() {
            if glob::matches(pattern, channel, false) {
                let topic = (Kind::Pattern, pattern.to_vec());
                bring(topic, &[b"pmessage", pattern, channel, message], subscribers);
            }
        }
        count
    }

    /// The channels that somebody subscribes to and that fit, sorted.
    pub(crate) fn names(&self, fits: impl Fn(&[u8]) -> bool) -> Vec<Box<[u8]>> {
        let mut names = vec![];
        for part in &self.parts {
            names.extend(part.lock().0.keys().filter(|name| fits(name)).cloned());
        }
        names.sort_unstable();
        names
    }

    /// How many subscribe to a channel.
    pub(crate) fn count(&self, channel: &[u8]) -> usize {
        self.part(channel).lock().0.get(channel).map_or(0, Vec::len)
    }

    /// How many patterns are subscribed to.
    pub(crate) fn patterns(&self) -> usize {
        self.patterns.read().len()
    }

    fn part(&self, channel: &[u8]) -> &Mutex<ChannelPart> {
        &self.parts[self.hasher.hash_one(channel) as usize % PARTS]
    }
}

/// A push of RESP3 of these words.
fn push_of(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut reply = ReplyWriter::new(&mut bytes, Protocol::Resp3);
    reply.push(words.len());
    words.iter().for_each(|word| reply.bulk(word));
    bytes
}
