//! The turn: what is ready is served, a step a connection at a time, until nothing is ready or the
//! turn has taken its time.

use crate::arrival::Arrival;
use crate::channel::{Channel, Received, Space};
use crate::client::{Client, Rest, Workspace};
use crate::connection::{Connection, Stage, see_off};
use crate::deadlines::Deadlines;
use crate::group::{Group, Membership};
use crate::links::{Links, link_of};
use crate::listener::{Accepted, Entrance, Listener};
use crate::tls::StoreTls;
use breakwater_router::{ClientId, LinkId, Mailbox, Output, Relay, Router, Session};
use foldhash::fast::FixedState;
use mio::{Events, Poll, Token, Waker};
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tokens of what is no client. Those of clients have a generation in their upper half, which is
/// odd and never that large before four billion connections had the same place.
const WAKER: Token = Token(usize::MAX);
/// That of the first listener; the others follow downwards.
const LISTENER: usize = usize::MAX - 1;
/// The most listeners.
const LISTENERS: usize = 64;

/// Events taken from the system at once.
const EVENTS: usize = 256;
/// Connections accepted in a step.
const ACCEPTS: usize = 16;
/// Bytes of output buffer that are kept from one turn to the next.
const KEPT: usize = 1024 * 1024;
/// How long a connection that we end may take to accept its last replies.
const LINGER: Duration = Duration::from_secs(1);
/// How long a client may take to say who it is and to agree on keys.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system had no descriptor for a connection.
const SHORT: Duration = Duration::from_millis(50);

/// How a driver works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// After this time a turn ends, though there is more to do. Default: 300 microseconds.
    pub budget: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { budget: Duration::from_micros(300) }
    }
}

/// Something to be done in a turn.
#[derive(Clone, Copy)]
enum Task {
    /// Of this listener.
    Accept(usize),
    Serve(DefaultKey),
    /// The store may have sent something.
    Link(LinkId),
}

/// What is due at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Accept(usize),
    End(DefaultKey),
    /// It has to be served by now.
    Arrive(DefaultKey),
    /// A connection to the store is to be tried again.
    Connect,
}

/// The connections of one thread.
pub struct Driver {
    router: Arc<Router>,
    settings: Settings,
    poll: Poll,
    waker: Arc<Waker>,
    events: Events,
    listeners: Vec<Listener>,
    connections: SlotMap<DefaultKey, Connection>,
    by_id: HashMap<ClientId, DefaultKey, FixedState>,
    queue: VecDeque<Task>,
    deadlines: Deadlines<Due>,
    membership: Membership,
    /// What its clients are told of changes and messages.
    mailbox: Arc<Mailbox>,
    links: Links,
    /// How the store is met, as of this turn.
    store_tls: Option<StoreTls>,
    /// When the connections to the store are woken, in milliseconds of `made`.
    retry: Option<u64>,
    made: Instant,
    work: Workspace,
    /// Whether it only ends what it has.
    draining: bool,
}

impl Driver {
    /// A driver that accepts from each entrance, 64 at the most.
    ///
    /// # Errors
    /// The system refuses a poller, or to watch a listener.
    pub fn new(
        router: Arc<Router>,
        group: &Arc<Group>,
        entrances: Vec<Entrance>,
        settings: Settings,
    ) -> io::Result<Self> {
        let relay = Relay::new(&router);
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let bell = waker.clone();
        // A driver that cannot be woken is about to end.
        let mailbox = router.mailbox(move || drop(bell.wake()));
        let open = |(at, entrance)| Listener::new(entrance, poll.registry(), Token(LISTENER - at));
        let listeners = entrances.into_iter().take(LISTENERS).enumerate().map(open);
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            router,
            settings,
            poll,
            events: Events::with_capacity(EVENTS),
            queue: (0..listeners.len()).map(Task::Accept).collect(),
            listeners,
            connections: SlotMap::new(),
            by_id: HashMap::default(),
            deadlines: Deadlines::default(),
            membership: group.join(relay.as_ref().map_or(0, Relay::number), waker.clone()),
            waker,
            mailbox,
            links: Links::default(),
            store_tls: None,
            retry: None,
            made: Instant::now(),
            work: Workspace { space: Space::default(), output: Output::default(), now: 0, relay },
            draining: false,
        })
    }

    /// The descriptor that is readable when there is something to do.
    #[cfg(unix)]
    pub fn descriptor(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.poll)
    }

    /// How long until there is something to do, even if nothing becomes ready.
    pub fn timeout(&self, now: Instant) -> Option<Duration> {
        self.deadlines.next().map(|due| due.saturating_duration_since(now))
    }

    /// How many connections of clients it has.
    pub fn clients(&self) -> usize {
        self.connections.len()
    }

    /// Does what is to be done now, for about as long as the settings say. What is left makes the
    /// descriptor readable again.
    pub fn turn(&mut self) {
        let begun = Instant::now();
        self.work.now = unix_millis();
        self.store_tls = self.work.relay.as_ref().and_then(|_| self.membership.store_tls());
        self.expire(begun);
        self.wake_relay();
        while self.gather() || !self.queue.is_empty() {
            while let Some(task) = self.queue.pop_front() {
                match task {
                    Task::Accept(at) => self.accept(at),
                    Task::Serve(key) => self.serve(key),
                    Task::Link(id) => self.receive(id),
                }
                if begun.elapsed() >= self.settings.budget {
                    self.exchange();
                    self.rest_relay();
                    return self.pause();
                }
            }
            // Once for all: what many clients ask is written to the store together.
            self.exchange();
        }
        self.rest_relay();
        self.work.output.bytes.shrink_to(KEPT);
    }

    /// Waits for something to do, at most for `limit`, and does it: for hosts without a loop.
    ///
    /// # Errors
    /// The system cannot wait.
    pub fn wait(&mut self, limit: Duration) -> io::Result<()> {
        if self.queue.is_empty() {
            let limit = self.timeout(Instant::now()).map_or(limit, |timeout| timeout.min(limit));
            self.poll.poll(&mut self.events, Some(limit))?;
            self.note();
        }
        self.turn();
        Ok(())
    }

    /// Accepts no more, answers what was received and ends all connections, those of clients that
    /// do not take their replies after a second.
    pub fn drain(&mut self) {
        self.draining = true;
        self.listeners.clear();
        let due = Instant::now() + LINGER;
        for (key, connection) in &mut self.connections {
            if let Some(client) = connection.client() {
                client.finish();
            }
            connection.timed = true;
            self.deadlines.add(due, Due::End(key));
            if !connection.queued {
                connection.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
        }
        self.pause();
    }

    /// Whether it was told to end and has.
    pub fn is_drained(&self) -> bool {
        self.draining && self.connections.is_empty()
    }

    /// Asks the system what is ready, without waiting; whether anything is.
    fn gather(&mut self) -> bool {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Ok(()) => self.note(),
            // Interrupted, or something that the next turn meets again.
            Err(_) => false,
        }
    }

    /// Queues what became ready; whether anything did.
    fn note(&mut self) -> bool {
        let mut woken = false;
        for event in &self.events {
            match event.token() {
                WAKER => woken = true,
                Token(token) if token > LISTENER - LISTENERS => {
                    self.queue.push_back(Task::Accept(LISTENER - token));
                }
                token if link_of(token).is_some() => {
                    self.queue.extend(link_of(token).map(Task::Link));
                }
                Token(token) => {
                    let key = DefaultKey::from(KeyData::from_ffi(token as u64));
                    // An event of a connection that is gone means nobody.
                    let Some(connection) = self.connections.get_mut(key) else { continue };
                    let ended = event.is_read_closed() || event.is_error();
                    if (event.is_readable() || ended)
                        && let Some(channel) = connection.channel()
                    {
                        channel.became_readable(ended);
                    }
                    if !connection.queued {
                        connection.queued = true;
                        self.queue.push_back(Task::Serve(key));
                    }
                }
            }
        }
        if woken {
            self.open_mail();
        }
        !self.events.is_empty()
    }

    /// Does what other drivers ask for, and tells clients their news.
    fn open_mail(&mut self) {
        for (id, news) in self.mailbox.take() {
            let Some(&key) = self.by_id.get(&id) else { continue };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            match connection.client().map(|client| client.hear(&news)) {
                None => {}
                Some(false) => self.end(key),
                Some(true) => self.enqueue(key),
            }
        }
        let (kills, letters) = self.membership.take();
        for id in kills {
            if let Some(&key) = self.by_id.get(&id) {
                self.end(key);
            }
        }
        if let Some(relay) = &mut self.work.relay {
            letters.into_iter().for_each(|letter| relay.read_letter(letter));
            self.exchange();
        }
    }

    /// Comes back as soon as the host has had its turn.
    fn pause(&self) {
        // Without it the queue waits for the next event, which is late and not never.
        let _ = self.waker.wake();
    }

    fn expire(&mut self, now: Instant) {
        while let Some(due) = self.deadlines.take(now) {
            match due {
                Due::Accept(at) => self.queue.push_back(Task::Accept(at)),
                Due::End(key) => self.end(key),
                Due::Arrive(key) => {
                    let connection = self.connections.get(key);
                    if connection.is_some_and(|one| matches!(one.stage, Stage::Arriving(_))) {
                        self.end(key);
                    }
                }
                // Each turn looks.
                Due::Connect => {}
            }
        }
    }

    /// Has the connections to the store do what is due.
    fn wake_relay(&mut self) {
        let now = self.clock();
        if let Some(relay) = &mut self.work.relay {
            relay.wake(now);
            self.exchange();
        }
    }

    /// Comes back for what the connections to the store have to do next, and makes known what was
    /// counted: a turn may leave them something to wait for, and nothing else may ever happen.
    fn rest_relay(&mut self) {
        let now = self.clock();
        let Some(relay) = &mut self.work.relay else { return };
        relay.settle();
        if let Some(at) = relay.wake_at()
            && self.retry.is_none_or(|known| at < known || known <= now)
        {
            let wait = Duration::from_millis(at.saturating_sub(now).min(60_000) + 1);
            self.deadlines.add(Instant::now() + wait, Due::Connect);
            self.retry = Some(at);
        }
    }

    /// Milliseconds since the driver was made.
    fn clock(&self) -> u64 {
        self.made.elapsed().as_millis() as u64
    }

    /// Receives from the store.
    fn receive(&mut self, id: LinkId) {
        let Workspace { relay: Some(relay), space, .. } = &mut self.work else { return };
        if self.links.ready(id, relay, space) {
            self.queue.push_back(Task::Link(id));
        }
    }

    /// Writes to the store what is for it, and hands its replies to their clients.
    fn exchange(&mut self) {
        let Some(relay) = &mut self.work.relay else { return };
        self.links.serve(relay, self.store_tls.as_ref(), self.poll.registry());
        let letters = relay.letters();
        if !letters.is_empty() {
            self.membership.post(letters);
        }
        for delivery in relay.deliveries() {
            let Some(&key) = self.by_id.get(&delivery.client) else { continue };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            let Some(client) = connection.client() else { continue };
            if !client.deliver(&delivery) {
                self.end(key);
                continue;
            }
            self.enqueue(key);
        }
    }

    /// Has a connection do a step soon.
    fn enqueue(&mut self, key: DefaultKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.queued {
            connection.queued = true;
            self.queue.push_back(Task::Serve(key));
        }
    }

    fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(at) else { return };
            match listener.accept() {
                Accepted::Connection(socket) => {
                    let tls = listener.secure.then(|| self.membership.tls());
                    // An entrance of TLS without certificates lets nobody in.
                    if let Some(None) = tls {
                        continue;
                    }
                    let arrival = Arrival::new(socket, listener.proxied, tls.flatten());
                    self.open(arrival);
                }
                Accepted::Nothing => return,
                Accepted::Short => {
                    return self.deadlines.add(Instant::now() + SHORT, Due::Accept(at));
                }
            }
        }
        self.queue.push_back(Task::Accept(at));
    }

    fn open(&mut self, arrival: Arrival) {
        let waits = arrival.waits();
        let key = self.connections.insert(Connection::new(arrival));
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
    fn serve(&mut self, key: DefaultKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.queued = false;
        let rest = match &mut connection.stage {
            Stage::Arriving(arrival) => match arrival.step(&mut self.work.space) {
                Ok(Some(received)) => self.welcome(key, received),
                Ok(None) => Rest::Idle,
                Err(_) => Rest::Gone,
            },
            Stage::Serving(client) => client.step(&mut self.work),
            Stage::Leaving(channel) => see_off(channel, &mut self.work.space),
            Stage::Between => Rest::Gone,
        };
        self.settle(key, rest);
        if !self.work.output.kills.is_empty() {
            self.membership.kill(&self.work.output.kills);
            self.work.output.kills.clear();
        }
    }

    /// Serves a client that has arrived, or tells it that there are too many.
    fn welcome(&mut self, key: DefaultKey, received: Received) -> Rest {
        let Some(connection) = self.connections.get_mut(key) else { return Rest::Gone };
        let Stage::Arriving(arrival) = mem::replace(&mut connection.stage, Stage::Between) else {
            return Rest::Gone;
        };
        let (mut channel, peer) = arrival.into_parts();
        match Session::open_at(&self.router, peer, self.work.now, &self.mailbox) {
            Ok(session) => {
                self.by_id.insert(session.id(), key);
                let mut client = Client::new(channel, session);
                if self.draining {
                    client.finish();
                }
                let rest = client.begin(received, &mut self.work);
                connection.stage = Stage::Serving(client);
                rest
            }
            Err(refusal) => {
                // What does not fit an empty socket is not worth waiting for.
                let _ = channel.write(refusal);
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
        if !connection.timed {
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
            Rest::Idle | Rest::Leave => {}
            Rest::Gone => self.end(key),
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
    fn end(&mut self, key: DefaultKey) {
        let Some(mut connection) = self.connections.remove(key) else { return };
        if let Stage::Serving(client) = &mut connection.stage {
            self.part(client);
        }
        if let Some(channel) = connection.channel() {
            channel.socket().unwatch(self.poll.registry());
        }
    }
}

impl Drop for Driver {
    /// Reads of the store that other threads wait for are handed to them.
    fn drop(&mut self) {
        if let Some(relay) = &mut self.work.relay {
            self.membership.post(relay.leave());
        }
    }
}

/// Unix milliseconds.
fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}
