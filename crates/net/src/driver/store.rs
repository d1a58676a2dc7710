//! The store's side: what comes from it, what goes to it, and what other threads tell.

use super::{Driver, Due, Task};
use crate::client::Workspace;
use breakwater_router::{Delivery, Letter, LinkId, Relay};
use std::time::{Duration, Instant};

impl Driver {
    /// Opens connections to the store before a client needs one; the next turn makes them.
    pub fn meet(&mut self) {
        if let Some(relay) = &mut self.work.relay {
            relay.meet();
            self.pause();
        }
    }

    /// Reads of the store what another process has read most, before a client needs it: see [`Relay::warm`].
    pub fn warm(&mut self, hot: Vec<u8>) {
        if let Some(relay) = &mut self.work.relay {
            relay.set_alone(self.listeners.is_empty());
            relay.warm(hot);
            self.pause();
        }
    }

    /// Whether some of that is still to be read.
    pub fn is_warming(&self) -> bool {
        self.work.relay.as_ref().is_some_and(Relay::is_warming)
    }

    /// Does what other drivers ask for.
    pub(super) fn open_mail(&mut self) {
        let (kills, parcels) = self.membership.take();
        for id in kills {
            if let Some(&key) = self.by_id.get(&id) {
                self.queue.push_back(Task::End(key));
            }
        }
        if let Some(relay) = &mut self.work.relay {
            for parcel in parcels {
                let came = self.links.unpack(parcel, relay, self.poll.registry());
                self.queue.extend(came.into_iter().map(Task::Link));
            }
            self.exchange();
        }
    }

    /// Has the connections to the store do what is due.
    pub(super) fn wake_relay(&mut self) {
        let now = self.clock();
        if let Some(relay) = &mut self.work.relay {
            relay.wake(now);
            self.exchange();
        }
    }

    /// Comes back for what the connections to the store have to do next, and makes known what was
    /// counted: a turn may leave them something to wait for, and nothing else may ever happen.
    pub(super) fn rest_relay(&mut self) {
        let now = self.clock();
        let Some(relay) = &mut self.work.relay else { return };
        relay.charge(self.links.waiting());
        relay.settle();
        if let Some(at) = relay.wake_at()
            && self.retry.is_none_or(|known| at < known || known <= now)
        {
            let wait = Duration::from_millis(at.saturating_sub(now).min(60_000) + 1);
            self.deadlines.add(Instant::now() + wait, Due::Connect);
            self.retry = Some(at);
        }
    }

    /// Milliseconds by the clock of all drivers of the node.
    fn clock(&self) -> u64 {
        self.membership.clock()
    }

    /// Brings letters to the relays of other threads.
    pub(super) fn post(&mut self, letters: Vec<Letter>) {
        let registry = self.poll.registry();
        let pack = |letter| self.links.pack(letter, registry);
        self.membership.post(letters.into_iter().map(pack).collect());
    }

    /// Receives from the store.
    pub(super) fn receive(&mut self, id: LinkId) {
        let Workspace { relay: Some(relay), space, .. } = &mut self.work else { return };
        if self.links.ready(id, relay, space) {
            self.queue.push_back(Task::Link(id));
        }
    }

    /// Writes to the store what is for it, and hands its replies to their clients.
    pub(super) fn exchange(&mut self) {
        let Some(relay) = &mut self.work.relay else { return };
        self.links.serve(relay, self.store_tls.as_ref(), self.poll.registry());
        let (letters, deliveries) = (relay.letters(), relay.deliveries());
        if !letters.is_empty() {
            self.post(letters);
        }
        deliveries.iter().for_each(|delivery| self.hand_over(delivery));
    }

    /// Hands a reply to its client, or ends who cannot take it.
    fn hand_over(&mut self, delivery: &Delivery) {
        self.give(delivery.client, |client| client.deliver(delivery));
    }
}
