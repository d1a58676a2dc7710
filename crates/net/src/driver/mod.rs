//! The connections of one thread, and what is done with them: `turn` says when what is done, `clients`
//! does it for clients, `ahead` begins with the next one meanwhile, `store` does it for the store, `news` tells clients what they did not ask for, `faults`
//! sees to what a panic costs, `hooks` has the host's say in requests, `watch` tells how long requests take.

mod ahead;
mod clients;
mod faults;
mod hooks;
mod news;
mod store;
mod turn;
mod watch;

use crate::channel::Space;
use crate::client::Workspace;
use crate::connection::Connection;
use crate::deadlines::Deadlines;
use crate::gate::Gate;
use crate::group::{Group, Membership};
use crate::links::Links;
use crate::listener::{Entrance, Listener};
use crate::spare::Spare;
use crate::tls::StoreTls;
use ahead::Lookahead;
use breakwater_router::{ClientId, LinkId, Mailbox, Output, Relay, Router};
pub use faults::{Cost, Fault};
use foldhash::fast::FixedState;
use mio::{Events, Poll, Token, Waker};
use slotmap::{DefaultKey, SlotMap};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watch::Stopwatch;

/// Tokens of what is no client. Those of clients have a generation in their upper half, which is
/// odd and never that large before four billion connections had the same place.
const WAKER: Token = Token(usize::MAX);
/// That of the first listener; the others follow downwards.
const LISTENER: usize = usize::MAX - 1;
/// The most listeners.
const LISTENERS: usize = 64;

/// Events taken from the system at once.
const EVENTS: usize = 256;
/// Bytes of output buffer that are kept from one turn to the next.
const KEPT: usize = 1024 * 1024;
/// How long a connection that we end may take to accept its last replies.
const LINGER: Duration = Duration::from_secs(1);

/// How long a client that we part with says nothing, at least, if it makes a pause.
const PAUSE: Duration = Duration::from_millis(5);
/// How long it is waited for to make one.
const PATIENCE: Duration = Duration::from_millis(100);

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
    /// Its time is over.
    End(DefaultKey),
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
    /// It has to have taken some of its replies by now.
    Read(DefaultKey),
    /// It is looked at whether it pauses, and so many times more.
    Part(DefaultKey, u32),
    /// A connection to the store is to be tried again.
    Connect,
}

/// How often a client is looked at that has so long to make a pause.
fn looks(within: Duration) -> u32 {
    (PATIENCE.min(within).as_micros() / PAUSE.as_micros()) as u32
}

/// The connections of one thread.
pub struct Driver {
    router: Arc<Router>,
    settings: Settings,
    poll: Poll,
    waker: Arc<Waker>,
    events: Events,
    listeners: Vec<Listener>,
    spare: Spare,
    /// Since when there has been none to spare.
    short: Option<Instant>,
    /// How connections are let in, and the listeners that wait until one has agreed on keys.
    gate: Gate,
    held_back: Vec<usize>,
    connections: SlotMap<DefaultKey, Box<Connection>>,
    by_id: HashMap<ClientId, DefaultKey, FixedState>,
    queue: VecDeque<Task>,
    deadlines: Deadlines<Due>,
    membership: Membership,
    /// What its clients are told of changes and messages.
    mailbox: Arc<Mailbox>,
    links: Links,
    /// How the store is met, as of this turn.
    store_tls: Option<StoreTls>,
    /// When the connections to the store are woken, in milliseconds of the drivers' clock.
    retry: Option<u64>,
    work: Workspace,
    /// What was received of the client that is next.
    ahead: Lookahead,
    watch: Stopwatch,
    /// Whether it only ends what it has.
    draining: bool,
    /// Panics that nobody has been told of.
    faults: Vec<Fault>,
}

impl Driver {
    /// A driver that accepts from each entrance, 64 at the most, and from others later: see
    /// [`Driver::enter`].
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
        let membership = group.join(relay.as_ref().map_or(0, Relay::number), waker.clone());
        relay.iter().for_each(Relay::is_reached);
        let mut driver = Self {
            settings,
            poll,
            events: Events::with_capacity(EVENTS),
            queue: VecDeque::new(),
            listeners: vec![],
            spare: Spare::new(),
            short: None,
            gate: Gate::default(),
            held_back: vec![],
            connections: SlotMap::new(),
            by_id: HashMap::default(),
            deadlines: Deadlines::default(),
            membership,
            waker,
            mailbox,
            links: Links::default(),
            store_tls: None,
            retry: None,
            work: Workspace {
                space: Space::default(),
                output: Output::default(),
                now: 0,
                router: router.clone(),
                expected: None,
                seat: relay.as_ref().map_or_else(|| router.seat(), |relay| relay.seat().clone()),
                relay,
                hooks: None,
            },
            ahead: Lookahead::default(),
            watch: Stopwatch::default(),
            router,
            draining: false,
            faults: vec![],
        };
        driver.enter(entrances)?;
        Ok(driver)
    }

    /// Accepts from each of these from now on, 64 in all at the most; from none once it drains.
    ///
    /// # Errors
    /// The system refuses to watch a listener: none of them is accepted from.
    pub fn enter(&mut self, entrances: Vec<Entrance>) -> io::Result<()> {
        let first = self.listeners.len();
        let room = if self.draining { 0 } else { LISTENERS - first };
        let registry = self.poll.registry();
        let open = |(at, entrance)| Listener::new(entrance, registry, Token(LISTENER - at));
        let opened = (first..).zip(entrances.into_iter().take(room)).map(open);
        let opened = opened.collect::<io::Result<Vec<_>>>()?;
        self.listeners.extend(opened);
        if let Some(relay) = &mut self.work.relay {
            relay.set_alone(false);
        }
        self.queue.extend((first..self.listeners.len()).map(Task::Accept));
        self.pause();
        Ok(())
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

    /// Whether it was told to end and has.
    pub fn is_drained(&self) -> bool {
        self.draining && self.connections.is_empty()
    }
}

impl Drop for Driver {
    /// Reads of the store that other threads wait for are handed to them, and the connections by which
    /// this one hears for all.
    fn drop(&mut self) {
        if let Some(letters) = self.work.relay.as_mut().map(Relay::leave) {
            self.post(letters);
        }
    }
}
