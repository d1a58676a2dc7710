//! The turn: what is ready is served, a step a connection at a time, until nothing is ready or the
//! turn has taken its time.

use crate::client::{Client, Rest, Workspace};
use crate::deadlines::Deadlines;
use crate::group::{Group, Membership};
use crate::links::{Links, link_of};
use crate::listener::{Accepted, accept};
use breakwater_router::{ClientId, LinkId, Output, Peer, Relay, Router, Session};
use foldhash::fast::FixedState;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tokens of what is no client. Those of clients have a generation in their upper half, which is
/// odd and never that large before four billion connections had the same place.
const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// Events taken from the system at once.
const EVENTS: usize = 256;
/// Connections accepted in a step.
const ACCEPTS: usize = 64;
/// The largest piece that is received at once, in bytes.
const INPUT: usize = 64 * 1024;
/// Bytes of output buffer that are kept from one turn to the next.
const KEPT: usize = 1024 * 1024;
/// How long a connection that we end may take to accept its last replies.
const LINGER: Duration = Duration::from_secs(1);
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
    Accept,
    Serve(DefaultKey),
    /// The store may have sent something.
    Link(LinkId),
}

/// What is due at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Accept,
    End(DefaultKey),
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
    listener: Option<TcpListener>,
    clients: SlotMap<DefaultKey, Client>,
    by_id: HashMap<ClientId, DefaultKey, FixedState>,
    queue: VecDeque<Task>,
    deadlines: Deadlines<Due>,
    membership: Membership,
    links: Links,
    /// When the connections to the store are woken, in milliseconds of `made`.
    retry: Option<u64>,
    made: Instant,
    work: Workspace,
    /// Whether it only ends what it has.
    draining: bool,
}

impl Driver {
    /// A driver that accepts from `listener`, which does not block.
    ///
    /// # Errors
    /// The system refuses a poller, or to watch the listener.
    pub fn new(
        router: Arc<Router>,
        group: &Arc<Group>,
        listener: std::net::TcpListener,
        settings: Settings,
    ) -> io::Result<Self> {
        let relay = Relay::new(&router);
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            router,
            settings,
            poll,
            events: Events::with_capacity(EVENTS),
            listener: Some(listener),
            clients: SlotMap::new(),
            by_id: HashMap::default(),
            queue: VecDeque::from([Task::Accept]),
            deadlines: Deadlines::default(),
            membership: group.join(relay.as_ref().map_or(0, Relay::number), waker.clone()),
            waker,
            links: Links::default(),
            retry: None,
            made: Instant::now(),
            work: Workspace {
                input: vec![0; INPUT].into_boxed_slice(),
                output: Output::default(),
                now: 0,
                relay,
            },
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

    /// How many clients it has.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Does what is to be done now, for about as long as the settings say. What is left makes the
    /// descriptor readable again.
    pub fn turn(&mut self) {
        let begun = Instant::now();
        self.work.now = unix_millis();
        self.expire(begun);
        self.wake_relay();
        while self.gather() || !self.queue.is_empty() {
            while let Some(task) = self.queue.pop_front() {
                match task {
                    Task::Accept => self.accept(),
                    Task::Serve(key) => self.serve(key),
                    Task::Link(id) => self.receive(id),
                }
                if begun.elapsed() >= self.settings.budget {
                    self.rest_relay();
                    return self.pause();
                }
            }
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
        self.listener = None;
        let due = Instant::now() + LINGER;
        for (key, client) in &mut self.clients {
            client.finish();
            client.timed = true;
            self.deadlines.add(due, Due::End(key));
            if !client.queued {
                client.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
        }
        self.pause();
    }

    /// Whether it was told to end and has.
    pub fn is_drained(&self) -> bool {
        self.draining && self.clients.is_empty()
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
                LISTENER => self.queue.push_back(Task::Accept),
                WAKER => woken = true,
                token if link_of(token).is_some() => {
                    self.queue.extend(link_of(token).map(Task::Link));
                }
                Token(token) => {
                    let key = DefaultKey::from(KeyData::from_ffi(token as u64));
                    // An event of a connection that is gone means nobody.
                    let Some(client) = self.clients.get_mut(key) else { continue };
                    if event.is_readable() || event.is_error() || event.is_read_closed() {
                        client.became_readable(event.is_read_closed() || event.is_error());
                    }
                    if !client.queued {
                        client.queued = true;
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

    /// Does what other drivers ask for.
    fn open_mail(&mut self) {
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
                Due::Accept => self.queue.push_back(Task::Accept),
                Due::End(key) => self.end(key),
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
        let Workspace { relay: Some(relay), input, .. } = &mut self.work else { return };
        if self.links.ready(id, relay, input) {
            self.queue.push_back(Task::Link(id));
        }
        self.exchange();
    }

    /// Writes to the store what is for it, and hands its replies to their clients.
    fn exchange(&mut self) {
        let Some(relay) = &mut self.work.relay else { return };
        self.links.serve(relay, self.poll.registry());
        let letters = relay.letters();
        if !letters.is_empty() {
            self.membership.post(letters);
        }
        for delivery in relay.deliveries() {
            let Some(&key) = self.by_id.get(&delivery.client) else { continue };
            let Some(client) = self.clients.get_mut(key) else { continue };
            client.deliver(&delivery);
            if !client.queued {
                client.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            let Some(listener) = &self.listener else { return };
            match accept(listener) {
                Accepted::Connection(socket) => self.open(socket),
                Accepted::Nothing => return,
                Accepted::Short => {
                    return self.deadlines.add(Instant::now() + SHORT, Due::Accept);
                }
            }
        }
        self.queue.push_back(Task::Accept);
    }

    fn open(&mut self, mut socket: TcpStream) {
        let peer = Peer { address: text(socket.peer_addr()), local: text(socket.local_addr()) };
        let session = match Session::open(&self.router, peer, self.work.now) {
            Ok(session) => session,
            Err(refusal) => {
                let _ = socket.write(refusal);
                return;
            }
        };
        let id = session.id();
        let key = self.clients.insert(Client::new(socket, session));
        let client = &mut self.clients[key];
        let token = Token(key.data().as_ffi() as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(client.socket(), token, interest).is_err() {
            self.clients.remove(key);
            return;
        }
        client.queued = true;
        self.by_id.insert(id, key);
        self.queue.push_back(Task::Serve(key));
    }

    fn serve(&mut self, key: DefaultKey) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.queued = false;
        let rest = client.step(&mut self.work);
        if client.is_closing() && !client.timed {
            client.timed = true;
            self.deadlines.add(Instant::now() + LINGER, Due::End(key));
        }
        match rest {
            Rest::More => {
                client.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
            Rest::Idle => {}
            Rest::Gone => self.end(key),
        }
        self.exchange();
        if !self.work.output.kills.is_empty() {
            self.membership.kill(&self.work.output.kills);
            self.work.output.kills.clear();
        }
    }

    /// Ends a connection at once.
    fn end(&mut self, key: DefaultKey) {
        let Some(mut client) = self.clients.remove(key) else { return };
        self.by_id.remove(&client.id());
        if let Some(relay) = &mut self.work.relay {
            client.release(relay);
            self.links.serve(relay, self.poll.registry());
        }
        // Closing the descriptor does the same where it is the last of its socket.
        let _ = self.poll.registry().deregister(client.socket());
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

/// An end of a connection as Redis writes it.
fn text(address: io::Result<SocketAddr>) -> String {
    address.map_or_else(|_| String::new(), |address| address.to_string())
}

/// Unix milliseconds.
fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}
