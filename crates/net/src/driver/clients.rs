//! The clients' side: who comes in, is served a step at a time, and leaves.

use super::faults::{Cost, caught};
use super::{Driver, Due, LINGER, PAUSE, Task, looks};
use crate::arrival::Arrival;
use crate::channel::{Channel, Received};
use crate::client::{Client, Rest};
use crate::connection::{Connection, Stage, see_off};
use crate::gate::Bounds;
use crate::listener::Accepted;
use crate::reading::Look;
use crate::room::Room;
use breakwater_router::{ClientId, Session};
use mio::Token;
use slotmap::{DefaultKey, Key};
use std::io::Write;
use std::mem;
use std::time::{Duration, Instant};

/// Connections accepted in a step.
const ACCEPTS: usize = 16;
/// How long a client may take to say who it is and to agree on keys.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system had no descriptor for a connection.
const SHORT: Duration = Duration::from_millis(50);
/// For so long those who come may be left to wait while there is none to turn them away by.
const PATIENCE: Duration = Duration::from_millis(250);

impl Driver {
    /// Takes those in who wait at a listener, some at a time.
    pub(super) fn accept(&mut self, at: usize) {
        let (bounds, room) = (self.bounds(), Room::now());
        self.spare.keep(room);
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get_mut(at) else { return };
            if listener.waits {
                return;
            }
            if listener.secure && !self.gate.has_place(bounds.handshakes) {
                listener.waits = true;
                self.work.seat.hold_back(true);
                return self.held_back.push(at);
            }
            let now = Instant::now();
            if let Err(wait) = self.gate.pass(bounds.rate, now) {
                listener.waits = true;
                self.work.seat.hold_back(false);
                return self.deadlines.add(now + wait, Due::Accept(at));
            }
            match listener.accept() {
                Accepted::Connection(socket) if !room.is_for_clients(socket.number()) => {
                    self.gate.give_back(bounds.rate);
                    self.router.count_turned_away(1);
                    listener.turn_away(socket);
                }
                Accepted::Connection(socket) => {
                    let tls = listener.secure.then(|| self.membership.tls());
                    // An entrance of TLS without certificates lets nobody in.
                    if let Some(None) = tls {
                        continue;
                    }
                    let place = listener.secure.then(|| self.gate.place(0)).flatten();
                    let arrival = Arrival::new(socket, listener.proxied, tls.flatten(), place);
                    if let Err(why) = caught(|| self.open(arrival)) {
                        self.tell(Cost::Connection, why);
                    }
                }
                Accepted::Nothing => return self.gate.give_back(bounds.rate),
                Accepted::Short => {
                    self.gate.give_back(bounds.rate);
                    self.router.count_turned_away(self.spare.turn_away(listener));
                    listener.waits = true;
                    self.deadlines.add(now + SHORT, Due::Accept(at));
                    return self.make_room(room, now);
                }
            }
        }
        self.queue.push_back(Task::Accept(at));
    }

    /// Ends a client if no descriptor has been left to spare for a while, by which all others who come hear
    /// that they have to go elsewhere. Those that others took are mostly given back sooner.
    #[cold]
    fn make_room(&mut self, room: Room, now: Instant) {
        if self.spare.keep(room) {
            self.short = None;
        } else if now - *self.short.get_or_insert(now) >= PATIENCE {
            self.short = None;
            let number =
                |connection: &mut Connection| Some(connection.channel()?.socket().number());
            let numbers = self.connections.iter_mut().map(|(key, one)| (number(one), key));
            let last = numbers.filter(|(number, _)| number.is_some_and(|n| room.is_given(n))).max();
            let Some((_, key)) = last else { return };
            if let Some(client) = self.connections[key].client() {
                client.makes_room();
            }
            self.end(key);
            self.spare.keep(room);
        }
    }

    /// How this thread lets connections in.
    fn bounds(&self) -> Bounds {
        let (rate, handshakes, threads) = self.router.entry();
        Bounds { rate, handshakes }.share(threads)
    }

    /// Looks at a listener that waited.
    pub(super) fn accept_again(&mut self, at: usize) {
        if let Some(listener) = self.listeners.get_mut(at) {
            listener.waits = false;
            self.queue.push_back(Task::Accept(at));
        }
    }

    /// Lets in who waited for a handshake to end, if there is room.
    fn readmit(&mut self) {
        if !self.held_back.is_empty() && self.gate.has_place(self.bounds().handshakes) {
            for at in std::mem::take(&mut self.held_back) {
                self.accept_again(at);
            }
        }
    }

    /// Takes a connection in.
    fn open(&mut self, arrival: Arrival) {
        let waits = arrival.waits();
        let key = self.connections.insert(Box::new(Connection::new(arrival)));
        let connection = &mut self.connections[key];
        let token = Token(key.data().as_ffi() as usize);
        let Some(channel) = connection.channel() else { return };
        if channel.socket().watch(self.poll.registry(), token).is_err() {
            self.connections.remove(key);
            return;
        }
        connection.queued = true;
        self.queue.push_back(Task::Serve(key));
        if waits {
            self.deadlines.add(Instant::now() + ARRIVAL, Due::Arrive(key));
        }
    }

    /// Has a connection do a step.
    pub(super) fn serve(&mut self, key: DefaultKey) {
        let received = self.ahead.take(key, &mut self.work.space);
        self.look_ahead();
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.queued = false;
        let rest = match &mut connection.stage {
            Stage::Arriving(arrival) => {
                let arrived = arrival.step(&mut self.work.space);
                if arrival.is_secure() && !matches!(arrived, Ok(None)) {
                    self.work.seat.handshake(arrived.is_err());
                }
                match arrived {
                    Ok(Some(received)) => self.welcome(key, received),
                    Ok(None) => Rest::Idle,
                    Err(_) => Rest::Gone,
                }
            }
            Stage::Serving(client) => client.step(received, &mut self.work),
            Stage::Leaving(channel) => see_off(channel, &mut self.work.space),
            Stage::Between => Rest::Gone,
        };
        self.settle(key, rest);
        self.readmit();
        if !self.work.output.kills.is_empty() {
            self.membership.kill(&self.work.output.kills);
            self.work.output.kills.clear();
        }
    }

    /// Serves a client that has arrived, or tells it that there are too many, or what a hook says.
    fn welcome(&mut self, key: DefaultKey, received: Received) -> Rest {
        let Some(connection) = self.connections.get_mut(key) else { return Rest::Gone };
        let Stage::Arriving(arrival) = mem::replace(&mut connection.stage, Stage::Between) else {
            return Rest::Gone;
        };
        let (mut channel, peer) = arrival.into_parts();
        let opened = Session::open_at(&self.router, peer, self.work.now, &self.mailbox);
        let greeted = opened.and_then(|mut session| {
            if let Some(hooks) = self.work.hooks.as_deref_mut() {
                session.greet(hooks)?;
            }
            Ok(session)
        });
        match greeted {
            Ok(session) => {
                self.by_id.insert(session.id(), key);
                let mut client = Client::new(channel, session);
                if self.draining {
                    client.part();
                    let (look, looks) = (Instant::now() + PAUSE, looks(Duration::MAX));
                    self.deadlines.add(look, Due::Part(key, looks));
                }
                let rest = client.begin(received, &mut self.work);
                connection.stage = Stage::Serving(client);
                rest
            }
            Err(refusal) => {
                // What does not fit an empty socket is not worth waiting for.
                let _ = channel.write(&refusal);
                self.leave(key, channel)
            }
        }
    }

    /// Has a connection end once its client has taken its last replies.
    fn leave(&mut self, key: DefaultKey, mut channel: Channel) -> Rest {
        let Some(connection) = self.connections.get_mut(key) else { return Rest::Gone };
        channel.finish();
        channel.became_readable(false);
        connection.stage = Stage::Leaving(channel);
        // In a drain it has had time for its replies, and has little to say goodbye.
        if !connection.timed || self.draining {
            connection.timed = true;
            self.deadlines.add(Instant::now() + LINGER, Due::End(key));
        }
        Rest::More
    }

    /// Does what a step left to do.
    fn settle(&mut self, key: DefaultKey, rest: Rest) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let closing = connection.client().is_some_and(|client| client.is_closing());
        if closing && !connection.timed {
            connection.timed = true;
            self.deadlines.add(Instant::now() + LINGER, Due::End(key));
        }
        let rest = match rest {
            Rest::Leave => {
                let stage = mem::replace(&mut connection.stage, Stage::Between);
                let Stage::Serving(mut client) = stage else { return self.end(key) };
                self.part(&mut client);
                self.leave(key, client.into_channel())
            }
            rest => rest,
        };
        match rest {
            Rest::More => {
                let Some(connection) = self.connections.get_mut(key) else { return };
                connection.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
            Rest::Unread => self.watch_reader(key),
            Rest::Idle | Rest::Leave => {}
            Rest::Gone => self.end(key),
        }
    }

    /// A client has replies to take: it is looked at if it takes none for too long.
    #[cold]
    fn watch_reader(&mut self, key: DefaultKey) {
        let connection = self.connections.get_mut(key);
        let Some(client) = connection.and_then(|connection| connection.client()) else { return };
        let (taken, now) = (client.taken(), Instant::now());
        if client.reading.wait(taken, now) {
            self.deadlines.add(now + self.slow_reader(), Due::Read(key));
        }
    }

    /// Looks at a client that may have taken nothing for too long.
    pub(super) fn look_at_reader(&mut self, key: DefaultKey, now: Instant) {
        let most = self.slow_reader();
        let connection = self.connections.get_mut(key);
        let Some(client) = connection.and_then(|connection| connection.client()) else { return };
        let waits = client.is_full();
        match client.reading.look(waits, now, most) {
            Look::Prompt => {}
            Look::Again(due) => self.deadlines.add(due, Due::Read(key)),
            Look::Cut => {
                client.lags();
                self.queue.push_back(Task::End(key));
            }
        }
    }

    /// Looks at a client that we part with, and so many times more: whether it pauses.
    pub(super) fn look_at_parting(&mut self, key: DefaultKey, looks: u32, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(client) = connection.client() else { return };
        if looks > 0 {
            self.deadlines.add(now + PAUSE, Due::Part(key, looks - 1));
        }
        if client.look(looks == 0) && !connection.queued {
            connection.queued = true;
            self.queue.push_back(Task::Serve(key));
        }
    }

    /// How long a client may have replies to take and take none.
    fn slow_reader(&self) -> Duration {
        Duration::from_millis(self.router.slow_reader())
    }

    /// Gives a client something to be written in its next step; ends one who cannot `take` it.
    pub(super) fn give(&mut self, client: ClientId, take: impl FnOnce(&mut Client) -> bool) {
        let Some(&key) = self.by_id.get(&client) else { return };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(client) = connection.client() else { return };
        match caught(|| take(client)) {
            Ok(true) if !connection.queued => {
                connection.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
            Ok(true) => {}
            Ok(false) => self.end(key),
            Err(why) => self.give_up(key, why),
        }
    }

    /// Lets go of what a client had.
    fn part(&mut self, client: &mut Client) {
        self.by_id.remove(&client.id());
        if let Some(relay) = &mut self.work.relay {
            client.release(relay);
            self.links.serve(relay, self.store_tls.as_ref(), self.poll.registry());
        }
    }

    /// Ends a connection at once.
    pub(super) fn end(&mut self, key: DefaultKey) {
        let Some(mut connection) = self.connections.remove(key) else { return };
        if let Stage::Serving(client) = &mut connection.stage {
            self.part(client);
        }
        if let Some(channel) = connection.channel() {
            channel.socket().unwatch(self.poll.registry());
        }
        drop(connection);
        self.readmit();
    }
}
