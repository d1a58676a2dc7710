//! One thread's requests on their way to the store, and replies on their way back.
//!
//! The life of a request, after its client's session has read it (`client`):
//!
//! 1. **classify**: what the command does to keys, and whether the user may run it (`class`, `table`).
//! 2. **answer**: what speaks of the client's own connection is answered by the node; a `GET` whose
//!    value the cache has is answered from it.
//! 3. **join**: a `GET` of a key that is being read already waits for that read.
//! 4. **send**: the rest goes to the store, verbatim, over a connection that all clients of the
//!    thread share; what changes keys is invalidated first. What needs a connection of its own gets
//!    one.
//! 5. **receive**: replies belong to requests first in, first out. What changed keys is invalidated
//!    once more; a value that was read is stored, unless a change of its key was heard of since.
//! 6. **deliver**: the driver hands each reply to its client's session, which keeps their order.
//!
//! A client's requests that have no reply yet are all on one connection: the store does them in
//! their order.

use super::class::Class;
use super::replies::Replies;
use super::table::{self, Known};
use crate::failure::Failure;
use crate::policy::{Permissions, User};
use crate::shared::{ClientId, Router};
use crate::store::DbKey;
use crate::upstream::{Busy, Lost, Phase, Sink, StoreAddress, Upstream, UpstreamOptions};
use breakwater_engine::{Lease, Role, Ticket};
use breakwater_resp::{Args, Kind, Protocol, Reply, ReplyWriter, number, write_request};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a connection to the store within its thread.
pub type LinkId = u32;

/// How long, in milliseconds, a client's own connection may take to answer: as long as it likes.
const NEVER: u64 = u64::MAX / 4;

/// The most requests of one client that have no reply yet; further ones wait in its session.
const IN_FLIGHT: usize = 1024;
/// The most connections of a thread that belong to single clients.
const PINNED: usize = 1024;

/// A reply for a client.
pub struct Delivery {
    /// Whose it is.
    pub client: ClientId,
    /// Which of its requests it answers; `None` if it is passed on as it came.
    pub ticket: Option<u64>,
    /// The reply.
    pub bytes: Vec<u8>,
    /// Whether the connection ends with it.
    pub ends: bool,
}

/// What became of a request.
pub(crate) enum Taken {
    /// The node answers it by itself.
    Local,
    /// It is on its way, or answered in the output.
    Done,
    /// It has to wait until replies have come that are owed.
    Later,
}

/// Whose reply it is that the store gives.
enum To {
    /// A client's, and what its request changes.
    Client { client: ClientId, ticket: u64, changes: Changes },
    /// Passed on to the client that the connection belongs to.
    Owner { changes: Changes },
    /// Nobody's.
    Nobody,
    /// The value of a key, for all who wait for it.
    Value(u64),
    /// How long it lives, in milliseconds.
    Life(u64),
}

/// What a request changes.
enum Changes {
    Nothing,
    Keys(Vec<DbKey>),
    Everything,
}

/// A read of a key, for one client or many.
struct Read {
    /// The right to store it; none if it is for one client alone.
    lease: Option<Lease>,
    waiters: Vec<(ClientId, u64, Protocol)>,
    /// The reply, from when it has come until its life is known.
    value: Option<Vec<u8>>,
}

impl Read {
    fn flight(&self) -> Option<Ticket> {
        self.lease.as_ref().map(Lease::ticket)
    }
}

/// A connection to the store.
struct Link {
    upstream: Upstream,
    /// Whose replies are to come, by their tokens.
    to: HashMap<u64, To>,
    last: u64,
    owner: Option<ClientId>,
    tracks: bool,
    /// Why it is down, for people, from its first failure until it is ready.
    down: Option<String>,
    /// What the driver said of its socket last.
    why: String,
}

/// What a connection said in one call.
enum Heard {
    Connect,
    Close,
    Reply(u64, Kind, Vec<u8>),
    Lost(u64, Lost),
    Push(Vec<u8>),
    Ready,
    Down(Option<Vec<u8>>),
}

impl Sink for VecDeque<Heard> {
    fn connect(&mut self, _attempt: u64) {
        self.push_back(Heard::Connect);
    }

    fn close(&mut self, _attempt: u64) {
        self.push_back(Heard::Close);
    }

    fn reply(&mut self, token: u64, kind: Kind, bytes: &[u8]) {
        self.push_back(Heard::Reply(token, kind, bytes.to_vec()));
    }

    fn lost(&mut self, token: u64, why: Lost) {
        self.push_back(Heard::Lost(token, why));
    }

    fn push(&mut self, bytes: &[u8]) {
        self.push_back(Heard::Push(bytes.to_vec()));
    }

    fn ready(&mut self) {
        self.push_back(Heard::Ready);
    }

    fn down(&mut self, refusal: Option<&[u8]>) {
        self.push_back(Heard::Down(refusal.map(<[u8]>::to_vec)));
    }
}

/// What the requests of one thread share.
pub struct Relay {
    router: Arc<Router>,
    address: Arc<StoreAddress>,
    /// Who this thread is among those that read.
    number: u64,
    links: HashMap<LinkId, Link>,
    last_link: LinkId,
    /// The connections that all clients share.
    shared: HashMap<(Protocol, u8), LinkId>,
    /// Connections with something to write.
    touched: Vec<LinkId>,
    /// Connections to be opened, and to be closed.
    opens: Vec<LinkId>,
    closes: Vec<LinkId>,
    reads: HashMap<u64, Read>,
    by_key: HashMap<Vec<u8>, u64>,
    last_read: u64,
    /// Databases that values were read of.
    databases: u16,
    deliveries: Vec<Delivery>,
    now: u64,
}

/// What a request is to the relay.
pub(crate) struct Request<'a> {
    pub(crate) client: ClientId,
    pub(crate) user: Option<&'a User>,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    pub(crate) args: Args<'a>,
    /// As the client sent it.
    pub(crate) bytes: &'a [u8],
}

/// What a session keeps for the relay.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) replies: Replies,
    /// The connection that its requests without replies are on.
    link: LinkId,
    /// The connection of its own.
    pinned: Option<LinkId>,
    /// Whether it is between `MULTI` and `EXEC`.
    queues: bool,
}

impl Course {
    /// Follows what a request on a connection of its own begins or ends.
    fn follow(&mut self, words: Args<'_>) {
        if words.is(0, "multi") {
            self.queues = true;
        } else if words.is(0, "exec") || words.is(0, "discard") {
            self.queues = false;
        }
    }
}

impl Relay {
    /// The relay of one thread of a node with a store; `None` if the node has none.
    pub fn new(router: &Arc<Router>) -> Option<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let address = Arc::new(router.options.upstream.clone()?);
        Some(Self {
            router: router.clone(),
            links: HashMap::new(),
            shared: HashMap::new(),
            address,
            // Relaxed: the numbers only have to differ.
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            last_link: 0,
            touched: vec![],
            opens: vec![],
            closes: vec![],
            reads: HashMap::new(),
            by_key: HashMap::new(),
            last_read: 0,
            databases: 0,
            deliveries: vec![],
            now: 0,
        })
    }

    /// Where the store is.
    pub fn address(&self) -> &StoreAddress {
        &self.address
    }

    // ---- what the driver does

    /// Does what is due; `now` in milliseconds of a clock that never goes back.
    pub fn wake(&mut self, now: u64) {
        self.now = now;
        let due = |link: &Link| link.upstream.wake_at().is_some_and(|at| at <= now);
        let ids: Vec<_> =
            self.links.iter().filter(|(_, link)| due(link)).map(|(id, _)| *id).collect();
        for id in ids {
            self.tell(id, |upstream, heard| upstream.wake(now, heard));
        }
    }

    /// When [`Relay::wake`] has something to do again.
    pub fn wake_at(&self) -> Option<u64> {
        self.links.values().filter_map(|link| link.upstream.wake_at()).min()
    }

    /// Connections that are to be opened.
    pub fn opens(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.opens)
    }

    /// Connections whose sockets are to be closed.
    pub fn closes(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.closes)
    }

    /// Connections with something to write: see [`Relay::output`].
    pub fn touched(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.touched)
    }

    /// What is to be written to a connection.
    pub fn output(&mut self, id: LinkId) -> Option<&mut Vec<u8>> {
        self.links.get_mut(&id).map(|link| link.upstream.output())
    }

    /// The socket of a connection is open.
    pub fn connected(&mut self, id: LinkId) {
        let now = self.now;
        self.tell(id, |upstream, heard| upstream.opened(upstream.attempt(), now, heard));
    }

    /// The socket of a connection is gone, or could not be opened.
    pub fn lost(&mut self, id: LinkId, why: &str) {
        let now = self.now;
        if let Some(link) = self.links.get_mut(&id) {
            link.why = why.to_owned();
        }
        self.tell(id, |upstream, heard| upstream.cut(upstream.attempt(), now, heard));
    }

    /// Takes what the store sent.
    pub fn receive(&mut self, id: LinkId, chunk: &[u8]) {
        let now = self.now;
        self.tell(id, |upstream, heard| upstream.received(upstream.attempt(), chunk, now, heard));
    }

    /// Tells a connection something, and does what it says to that.
    fn tell(&mut self, id: LinkId, what: impl FnOnce(&mut Upstream, &mut VecDeque<Heard>)) {
        let mut heard = VecDeque::new();
        let Some(link) = self.links.get_mut(&id) else { return };
        what(&mut link.upstream, &mut heard);
        if !link.upstream.output().is_empty() {
            self.touched.push(id);
        }
        for heard in heard {
            self.hear(id, heard);
        }
    }

    fn hear(&mut self, id: LinkId, heard: Heard) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let owner = link.owner;
        match heard {
            Heard::Connect => self.opens.push(id),
            Heard::Close => self.closes.push(id),
            Heard::Ready => link.down = None,
            Heard::Down(refusal) => self.down(id, refusal),
            Heard::Push(push) => self.pushed(owner, push),
            Heard::Reply(token, kind, reply) => {
                if let Some(to) = link.to.remove(&token) {
                    self.replied(to, kind, reply, owner);
                }
            }
            Heard::Lost(token, why) => {
                if let Some(to) = link.to.remove(&token) {
                    let reason = match why {
                        Lost::Late => "the store has not answered in time".to_owned(),
                        _ => self.reason(id),
                    };
                    self.fail(to, owner, &reason);
                }
            }
        }
    }

    /// A connection is down: what it was told of is not known any more.
    fn down(&mut self, id: LinkId, refusal: Option<Vec<u8>>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.down = Some(match refusal {
            Some(error) => {
                let text = String::from_utf8_lossy(&error);
                format!("it answers {}", text.trim_start_matches('-').trim_end())
            }
            None if link.why.is_empty() => "it does not answer, or speaks no RESP".to_owned(),
            None => std::mem::take(&mut link.why),
        });
        let owner = link.owner;
        if link.tracks {
            // What it has read may change from now on, and nobody would hear of it.
            self.router.store.flush_all();
        }
        if let Some(client) = owner {
            self.deliveries.push(Delivery { client, ticket: None, bytes: vec![], ends: true });
            self.closes.push(id);
        }
    }

    /// Why a connection is down, for clients.
    fn reason(&self, id: LinkId) -> String {
        let why = self.links.get(&id).and_then(|link| link.down.as_deref());
        let why = why.unwrap_or("it is not connected yet");
        format!("the store at {} is unreachable: {why}", self.address.place())
    }

    /// Replies for clients of this thread.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// A client is gone.
    pub(crate) fn release(&mut self, course: &Course) {
        if let Some(id) = course.pinned
            && self.links.remove(&id).is_some()
        {
            self.closes.push(id);
        }
    }

    // ---- what the session does

    /// Takes a request; errors are for the client.
    pub(crate) fn take(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        let known = table::find(request.args.word(0));
        let class = match self.classify(known, request) {
            // What it is owed comes first.
            Err(_) if self.owes(course) => return Ok(Taken::Later),
            class => class?,
        };
        match class {
            Class::Local => return self.local(request, course),
            Class::Refused => return Err("ERR this command is for servers".into()),
            _ => {}
        }
        if let Some(id) = course.pinned {
            let taken = self.pass_on(id, known, class, request)?;
            if let Taken::Done = taken {
                course.follow(request.args);
            }
            return Ok(taken);
        }
        if class == Class::Pinned {
            return self.pin(known, request, course);
        }
        if course.replies.len() >= IN_FLIGHT {
            return Ok(Taken::Later);
        }
        if class == Class::Read && request.args.len() == 2 && request.args.is(0, "get") {
            return self.get(request, course, out);
        }
        let Some(link) = self.link_for(request, course)? else { return Ok(Taken::Later) };
        let changes = self.changes(known, class, request);
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        let to = To::Client { client: request.client, ticket, changes };
        self.send(link, request.bytes, to);
        course.link = link;
        Ok(Taken::Done)
    }

    /// What a request is, if its user may make it.
    fn classify(&self, known: Option<&Known>, request: &Request<'_>) -> Result<Class, Failure> {
        let words = request.args;
        let class = match known {
            Some(known) if known.class == Class::Local => return Ok(Class::Local),
            Some(known) => known.class,
            // A command of a module: nobody knows what it changes.
            None => Class::Scope,
        };
        let needed = known.map_or(Permissions::all(), |known| known.permissions);
        match request.user {
            None => return Err("NOAUTH Authentication required.".into()),
            Some(user) if user.permissions.contains(needed) => {}
            Some(_) => {
                let name = String::from_utf8_lossy(&words.word(0)[..words.word(0).len().min(64)])
                    .to_lowercase();
                return Err(Failure::new(format!(
                    "NOPERM this user has no permissions to run the '{name}' command"
                )));
            }
        }
        Ok(match class {
            Class::MayBlock if words.iter().any(|word| word.eq_ignore_ascii_case(b"block")) => {
                Class::Pinned
            }
            Class::MayBlock => Class::Write,
            class => class,
        })
    }

    /// A `GET`: from the cache, from a read that is under way, or by a read of its own.
    fn get(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        let key = DbKey::new(request.db, request.args.word(1));
        let mark = out.len();
        let found = self.router.store.get(&key, |entry| {
            ReplyWriter::new(out, request.protocol).bulk(entry.value().bytes);
        });
        if found.is_some() {
            if !course.replies.is_empty() {
                course.replies.make(&out.split_off(mark));
            }
            return Ok(Taken::Done);
        }
        let reader = self.shared(Protocol::Resp3, request.db);
        // Its own requests before this one may change the key: the store is to see them first.
        let elsewhere = !course.replies.is_empty() && course.link != reader;
        if elsewhere || key.is_too_long() || self.refuses(reader) {
            let Some(link) = self.link_for(request, course)? else { return Ok(Taken::Later) };
            let ticket = course.replies.owe();
            let to = To::Client { client: request.client, ticket, changes: Changes::Nothing };
            self.send(link, request.bytes, to);
            course.link = link;
            return Ok(Taken::Done);
        }
        let ticket = course.replies.owe();
        let waiter = (request.client, ticket, request.protocol);
        course.link = reader;
        self.databases |= 1 << request.db;
        match self.router.cache().flights().join(key.key(), self.number, &[]) {
            Role::Lead(lease) => self.read(request, reader, lease, waiter),
            Role::Wait { ticket, new, .. } => {
                if !self.join(&key, ticket, waiter) {
                    self.read_beside(request, reader, ticket, new, waiter);
                }
            }
        }
        Ok(Taken::Done)
    }

    /// Waits for a read of this thread that is under way and that no change has overtaken; whether
    /// there is one whose value is still to come.
    fn join(&mut self, key: &DbKey, flight: Ticket, waiter: (ClientId, u64, Protocol)) -> bool {
        let read = self.by_key.get(key.bytes()).and_then(|number| self.reads.get_mut(number));
        match read {
            Some(read) if read.flight() == Some(flight) && read.value.is_none() => {
                read.waiters.push(waiter);
                true
            }
            _ => false,
        }
    }

    /// Reads a key beside another read, for one client, and does not keep it.
    fn read_beside(
        &mut self,
        request: &Request<'_>,
        reader: LinkId,
        flight: Ticket,
        new: bool,
        waiter: (ClientId, u64, Protocol),
    ) {
        if new {
            self.router.cache().flights().leave(flight, self.number);
        }
        self.last_read += 1;
        self.reads.insert(self.last_read, Read { lease: None, waiters: vec![waiter], value: None });
        self.send(reader, request.bytes, To::Value(self.last_read));
    }

    /// Reads a key, and how long it lives, with the store's promise to tell of its next change.
    fn read(
        &mut self,
        request: &Request<'_>,
        reader: LinkId,
        lease: Lease,
        waiter: (ClientId, u64, Protocol),
    ) {
        self.last_read += 1;
        let number = self.last_read;
        self.by_key.insert(lease.key().bytes.to_vec(), number);
        self.reads.insert(number, Read { lease: Some(lease), waiters: vec![waiter], value: None });
        let word = request.args.word(1);
        let mut words = vec![];
        write_request(&mut words, &["CLIENT", "CACHING", "YES"]);
        self.send(reader, &words, To::Nobody);
        words.clear();
        write_request(&mut words, &[b"GET".as_slice(), word]);
        self.send(reader, &words, To::Value(number));
        words.clear();
        write_request(&mut words, &[b"PTTL".as_slice(), word]);
        self.send(reader, &words, To::Life(number));
    }

    /// Gives a client a connection of its own, once all that it is owed has come.
    fn pin(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        if !course.replies.is_empty() {
            return Ok(Taken::Later);
        }
        if self.links.len() - self.shared.len() >= PINNED {
            return Err("ERR too many clients have a connection of their own to the store".into());
        }
        let options = UpstreamOptions {
            timeout: NEVER,
            silence: NEVER,
            ..self.options(request.protocol, request.db)
        };
        let id = self.open(options, Some(request.client));
        course.pinned = Some(id);
        let taken = self.pass_on(id, known, Class::Pinned, request)?;
        course.follow(request.args);
        Ok(taken)
    }

    /// Sends a request over its client's own connection.
    fn pass_on(
        &mut self,
        id: LinkId,
        known: Option<&Known>,
        class: Class,
        request: &Request<'_>,
    ) -> Result<Taken, Failure> {
        if !self.links.contains_key(&id) {
            return Err("ERR the connection to the store is lost".into());
        }
        let changes = self.changes(known, class, request);
        self.invalidate(&changes);
        self.send(id, request.bytes, To::Owner { changes });
        Ok(Taken::Done)
    }

    /// What the node answers by itself.
    fn local(&mut self, request: &Request<'_>, course: &Course) -> Result<Taken, Failure> {
        let Some(id) = course.pinned else { return Ok(Taken::Local) };
        let words = request.args;
        let is = |name: &str| words.is(0, name);
        let signs_in = is("auth") || is("reset") || (is("hello") && words.len() > 2);
        let own = is("client") || is("info") || is("command");
        // What a transaction queues, the store queues; and it knows what its connection is.
        if !signs_in && (!own || course.queues) {
            return self.pass_on(id, None, Class::Local, request);
        }
        if self.owes(course) {
            return Ok(Taken::Later);
        }
        if signs_in {
            return Err("ERR not on a connection that has subscribed, watched or waited".into());
        }
        Ok(Taken::Local)
    }

    /// Whether replies are to come over a client's own connection.
    fn owes(&self, course: &Course) -> bool {
        let link = course.pinned.and_then(|id| self.links.get(&id));
        link.is_some_and(|link| link.upstream.waiting() > 0)
    }

    // ---- connections

    /// The connection that a client's next request goes over: that of its protocol and database, once
    /// it is owed nothing that comes over another one.
    fn link_for(
        &mut self,
        request: &Request<'_>,
        course: &Course,
    ) -> Result<Option<LinkId>, Failure> {
        let own = self.shared(request.protocol, request.db);
        if !course.replies.is_empty() && course.link != own {
            return Ok(None);
        }
        if self.refuses(own) {
            return Err(Failure::new(format!("ERR {}", self.reason(own))));
        }
        Ok(Some(own))
    }

    /// Whether a connection has failed and is not ready again: requests are not held for it.
    fn refuses(&self, id: LinkId) -> bool {
        self.links
            .get(&id)
            .is_none_or(|link| link.down.is_some() && link.upstream.phase() != Phase::Ready)
    }

    /// The connection of a protocol and a database that all clients share.
    fn shared(&mut self, protocol: Protocol, db: u8) -> LinkId {
        if let Some(&id) = self.shared.get(&(protocol, db)) {
            return id;
        }
        let id = self.open(self.options(protocol, db), None);
        self.shared.insert((protocol, db), id);
        id
    }

    fn options(&self, protocol: Protocol, db: u8) -> UpstreamOptions {
        UpstreamOptions {
            protocol,
            user: self.address.user.clone(),
            password: self.address.password.clone(),
            name: "breakwater".to_owned(),
            db: u32::from(db),
            ..UpstreamOptions::default()
        }
    }

    /// Opens a connection, for all clients or one. Those of RESP3 that all share tell of changes.
    fn open(&mut self, options: UpstreamOptions, owner: Option<ClientId>) -> LinkId {
        self.last_link += 1;
        let id = self.last_link;
        let tracks = owner.is_none() && options.protocol == Protocol::Resp3;
        let seed = self.number << 32 | u64::from(id);
        let upstream = Upstream::new(UpstreamOptions { tracks, ..options }, seed);
        let (to, down, why) = (HashMap::new(), None, String::new());
        self.links.insert(id, Link { upstream, to, last: 0, owner, tracks, down, why });
        let now = self.now;
        self.tell(id, |upstream, heard| upstream.wake(now, heard));
        id
    }

    fn send(&mut self, id: LinkId, request: &[u8], to: To) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.last += 1;
        let owner = link.owner;
        match link.upstream.send(link.last, request, now) {
            Ok(()) => {
                link.to.insert(link.last, to);
                self.touched.push(id);
            }
            Err(busy) => {
                let why = match busy {
                    Busy::Requests => "too many requests wait for the store",
                    Busy::Bytes => "too many bytes wait for the store",
                    Busy::Ended => "the connection to the store has ended",
                };
                self.fail(to, owner, why);
            }
        }
    }

    // ---- changes

    fn changes(&self, known: Option<&Known>, class: Class, request: &Request<'_>) -> Changes {
        let words = request.args;
        let key = |at: usize| DbKey::new(request.db, words.word(at));
        match (class, known) {
            (Class::Write | Class::Pinned, Some(known)) => {
                let keys: Vec<_> = known.keys(words.len()).map(key).collect();
                if keys.is_empty() { Changes::Nothing } else { Changes::Keys(keys) }
            }
            (Class::Script(at), _) => match words.get(at).and_then(number::integer) {
                Some(count @ 0..) if (count as usize) < words.len() => {
                    let end = (at + 1 + count as usize).min(words.len());
                    Changes::Keys((at + 1..end).map(key).collect())
                }
                _ => Changes::Nothing,
            },
            (Class::Scope, _) => Changes::Everything,
            _ => Changes::Nothing,
        }
    }

    fn invalidate(&self, changes: &Changes) {
        match changes {
            Changes::Nothing => {}
            Changes::Keys(keys) => {
                for key in keys {
                    self.router.store.forget(key);
                }
            }
            Changes::Everything => self.router.store.flush_all(),
        }
    }

    // ---- replies

    fn replied(&mut self, to: To, kind: Kind, reply: Vec<u8>, owner: Option<ClientId>) {
        match to {
            To::Nobody => {}
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, reply);
            }
            To::Owner { changes } => {
                self.invalidate(&changes);
                self.pass_back(owner, reply);
            }
            To::Value(number) => self.value(number, kind, reply),
            To::Life(number) => self.life(number, &reply),
        }
    }

    fn answer(&mut self, client: ClientId, ticket: u64, bytes: Vec<u8>) {
        self.deliveries.push(Delivery { client, ticket: Some(ticket), bytes, ends: false });
    }

    fn pass_back(&mut self, owner: Option<ClientId>, bytes: Vec<u8>) {
        if let Some(client) = owner {
            self.deliveries.push(Delivery { client, ticket: None, bytes, ends: false });
        }
    }

    /// The value of a key has come: all who wait get it, in the protocol of each.
    fn value(&mut self, number: u64, kind: Kind, reply: Vec<u8>) {
        let Some(read) = self.reads.get_mut(&number) else { return };
        for (client, ticket, protocol) in std::mem::take(&mut read.waiters) {
            let bytes = match (kind, protocol) {
                (Kind::Null, Protocol::Resp2) => b"$-1\r\n".to_vec(),
                _ => reply.clone(),
            };
            self.deliveries.push(Delivery { client, ticket: Some(ticket), bytes, ends: false });
        }
        if read.lease.is_none() {
            self.reads.remove(&number);
            return;
        }
        read.value = Some(if kind == Kind::Bulk { reply } else { vec![] });
    }

    /// How long it lives has come too: it is stored, unless its key has changed since it was read.
    fn life(&mut self, number: u64, reply: &[u8]) {
        let Some((lease, value)) = self.take_read(number) else { return };
        let life = match Reply::decode(reply) {
            Ok(Reply::Integer(life)) => life,
            _ => -2,
        };
        match value.as_deref().map(Reply::decode) {
            Some(Ok(Reply::Bulk(value))) if life == -1 || life > 0 => {
                self.router.store.land(&lease, &value, (life > 0).then_some(life as u64));
            }
            _ => drop(self.router.cache().flights().fail(&lease)),
        }
    }

    /// Takes out a read that is at its end.
    fn take_read(&mut self, number: u64) -> Option<(Lease, Option<Vec<u8>>)> {
        let Read { lease, value, .. } = self.reads.remove(&number)?;
        let lease = lease?;
        if self.by_key.get(lease.key().bytes) == Some(&number) {
            self.by_key.remove(lease.key().bytes);
        }
        Some((lease, value))
    }

    /// What answers no request: news of changes, or what a client subscribed to.
    fn pushed(&mut self, owner: Option<ClientId>, push: Vec<u8>) {
        if owner.is_some() {
            return self.pass_back(owner, push);
        }
        let Ok(Reply::Push(parts)) = Reply::decode(&push) else { return };
        let [what, keys] = &parts[..] else { return };
        if what.text() != Some(b"invalidate") {
            return;
        }
        match keys {
            Reply::Array(keys) => {
                for key in keys.iter().filter_map(Reply::text) {
                    // News name no database.
                    for db in (0..16).filter(|db| self.databases & 1 << db != 0) {
                        self.router.store.forget(&DbKey::new(db, key));
                    }
                }
            }
            _ => self.router.store.flush_all(),
        }
    }

    /// A request gets no reply.
    fn fail(&mut self, to: To, owner: Option<ClientId>, why: &str) {
        let error = format!("-ERR {why}\r\n").into_bytes();
        match to {
            To::Nobody => {}
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.answer(client, ticket, error);
            }
            To::Owner { changes } => {
                self.invalidate(&changes);
                self.pass_back(owner, error);
            }
            To::Value(number) => {
                let Some(read) = self.reads.get_mut(&number) else { return };
                let waiters = std::mem::take(&mut read.waiters);
                read.value = Some(vec![]);
                if read.lease.is_none() {
                    self.reads.remove(&number);
                }
                for (client, ticket, _) in waiters {
                    self.answer(client, ticket, error.clone());
                }
            }
            To::Life(number) => {
                if let Some((lease, _)) = self.take_read(number) {
                    self.router.cache().flights().fail(&lease);
                }
            }
        }
    }
}
