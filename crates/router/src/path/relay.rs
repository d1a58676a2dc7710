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
use crate::upstream::{Arrival, StoreAddress, Upstream};
use breakwater_engine::{Lease, Role, Ticket};
use breakwater_resp::{Args, Frame, Kind, Protocol, Reply, ReplyWriter, number, write_request};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a connection to the store within its thread.
pub type LinkId = u32;

/// The connections that all clients share, by protocol.
const SHARED: [(LinkId, Protocol); 2] = [(0, Protocol::Resp2), (1, Protocol::Resp3)];
/// The one that reads for the cache: the store tells of changes on it.
const TRACKING: LinkId = 1;

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

impl Delivery {
    /// Nothing but the news that its client may go on.
    fn nothing(client: ClientId) -> Self {
        Self { client, ticket: None, bytes: vec![], ends: false }
    }
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
    lease: Lease,
    waiters: Vec<(ClientId, u64, Protocol)>,
    /// The reply, from when it has come until its life is known.
    value: Option<Vec<u8>>,
}

struct Link {
    upstream: Upstream<To>,
    owner: Option<ClientId>,
}

/// What the requests of one thread share.
pub struct Relay {
    router: Arc<Router>,
    address: Arc<StoreAddress>,
    /// Who this thread is among those that read.
    number: u64,
    links: HashMap<LinkId, Link>,
    last_link: LinkId,
    /// Connections with something to write, or to be opened or closed.
    touched: Vec<LinkId>,
    reads: HashMap<u64, Read>,
    by_key: HashMap<Vec<u8>, u64>,
    last_read: u64,
    /// Databases that values were read of.
    databases: u16,
    /// Clients that wait for the first connection.
    parked: Vec<ClientId>,
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
        let links = SHARED.iter().map(|&(id, protocol)| {
            let upstream = Upstream::new(address.clone(), protocol, id == TRACKING);
            (id, Link { upstream, owner: None })
        });
        Some(Self {
            router: router.clone(),
            links: links.collect(),
            address,
            // Relaxed: the numbers only have to differ.
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            last_link: TRACKING,
            touched: vec![],
            reads: HashMap::new(),
            by_key: HashMap::new(),
            last_read: 0,
            databases: 0,
            parked: vec![],
            deliveries: vec![],
            now: 0,
        })
    }

    /// Where the store is.
    pub fn address(&self) -> &StoreAddress {
        &self.address
    }

    // ---- what the driver does

    /// Connections that are to be opened now; `now` in Unix milliseconds.
    pub fn connects(&mut self, now: u64) -> Vec<LinkId> {
        self.now = now;
        let due = self
            .links
            .iter_mut()
            .filter_map(|(id, link)| link.upstream.connect(now).then_some(*id));
        due.collect()
    }

    /// When [`Relay::connects`] has something again, in Unix milliseconds.
    pub fn due(&self) -> Option<u64> {
        self.links.values().filter_map(|link| link.upstream.due()).min()
    }

    /// The socket of a connection is open.
    pub fn connected(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.upstream.connected();
            self.touched.push(id);
        }
    }

    /// The socket of a connection is gone, or could not be opened.
    pub fn lost(&mut self, id: LinkId, now: u64, why: &str) {
        self.now = now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let why = format!("the store at {} is unreachable: {why}", self.address.place());
        let owed = link.upstream.lost(now, &why);
        let owner = link.owner;
        for to in owed {
            self.fail(to, owner, &why);
        }
        if let Some(client) = owner {
            self.links.remove(&id);
            self.deliveries.push(Delivery { client, ticket: None, bytes: vec![], ends: true });
        }
        self.unpark();
        if id == TRACKING {
            // What it has read may change from now on, and nobody would hear of it.
            self.router.store.flush_all();
        }
    }

    /// Connections to look at: they have something to write ([`Relay::output`]), or are over.
    pub fn touched(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.touched)
    }

    /// What is to be written to a connection; `None` if it is to be closed.
    pub fn output(&mut self, id: LinkId) -> Option<&mut Vec<u8>> {
        self.links.get_mut(&id).map(|link| link.upstream.output())
    }

    /// Takes what the store sent.
    ///
    /// # Errors
    /// Why the connection must be closed: then [`Relay::lost`] is to be called.
    pub fn receive(&mut self, id: LinkId, chunk: &[u8], now: u64) -> Result<(), String> {
        self.now = now;
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let owner = link.owner;
        let was_ready = link.upstream.is_ready();
        // Taken out, since what arrives concerns the relay as a whole.
        let mut arrived: Vec<(Option<To>, Frame, Vec<u8>)> = vec![];
        let result = link.upstream.receive(chunk, |arrival| match arrival {
            Arrival::Reply(to, frame, reply) => arrived.push((Some(to), frame, reply.to_vec())),
            Arrival::Push(reply) => {
                let frame = Frame { len: reply.len(), kind: Kind::Push };
                arrived.push((None, frame, reply.to_vec()));
            }
        });
        if !was_ready && link.upstream.is_ready() {
            self.parked.extend(owner);
            self.unpark();
        }
        for (to, frame, reply) in arrived {
            match to {
                Some(to) => self.replied(to, frame, reply, owner),
                None => self.pushed(owner, reply),
            }
        }
        result
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
            self.touched.push(id);
        }
    }

    // ---- what the session does

    /// Takes a request; errors are for the client.
    pub(crate) fn take(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        self.now = now;
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
        self.send(link, request.db, request.bytes, to);
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
        // Its own requests before this one may change the key: the store is to see them first.
        let elsewhere = !course.replies.is_empty() && course.link != TRACKING;
        if elsewhere || !self.is_ready(TRACKING) || key.is_too_long() {
            let Some(link) = self.link_for(request, course)? else { return Ok(Taken::Later) };
            let ticket = course.replies.owe();
            let to = To::Client { client: request.client, ticket, changes: Changes::Nothing };
            self.send(link, request.db, request.bytes, to);
            course.link = link;
            return Ok(Taken::Done);
        }
        let ticket = course.replies.owe();
        let waiter = (request.client, ticket, request.protocol);
        course.link = TRACKING;
        self.databases |= 1 << request.db;
        match self.router.cache().flights().join(key.key(), self.number, &[]) {
            Role::Lead(lease) => self.read(request, lease, waiter),
            Role::Wait { ticket, new, .. } => self.wait(request, &key, ticket, new, waiter),
        }
        Ok(Taken::Done)
    }

    /// Waits for a read that is under way and that no change has overtaken: this thread's, if its value
    /// is still to come. Otherwise it is read beside it, and not kept.
    fn wait(
        &mut self,
        request: &Request<'_>,
        key: &DbKey,
        flight: Ticket,
        new: bool,
        waiter: (ClientId, u64, Protocol),
    ) {
        let read = self.by_key.get(key.bytes()).and_then(|number| self.reads.get_mut(number));
        if let Some(read) = read
            && read.lease.ticket() == flight
            && read.value.is_none()
        {
            return read.waiters.push(waiter);
        }
        if new {
            self.router.cache().flights().leave(flight, self.number);
        }
        let (client, ticket, _) = waiter;
        let to = To::Client { client, ticket, changes: Changes::Nothing };
        self.send(TRACKING, request.db, request.bytes, to);
    }

    /// Reads a key, and how long it lives, with the store's promise to tell of its next change.
    fn read(&mut self, request: &Request<'_>, lease: Lease, waiter: (ClientId, u64, Protocol)) {
        self.last_read += 1;
        let number = self.last_read;
        self.by_key.insert(lease.key().bytes.to_vec(), number);
        self.reads.insert(number, Read { lease, waiters: vec![waiter], value: None });
        let word = request.args.word(1);
        let mut words = vec![];
        write_request(&mut words, &["CLIENT", "CACHING", "YES"]);
        self.send(TRACKING, request.db, &words, To::Nobody);
        words.clear();
        write_request(&mut words, &[b"GET".as_slice(), word]);
        self.send(TRACKING, request.db, &words, To::Value(number));
        words.clear();
        write_request(&mut words, &[b"PTTL".as_slice(), word]);
        self.send(TRACKING, request.db, &words, To::Life(number));
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
        if self.links.len() - SHARED.len() >= PINNED {
            return Err("ERR too many clients have a connection of their own to the store".into());
        }
        self.last_link += 1;
        let id = self.last_link;
        let upstream = Upstream::new(self.address.clone(), request.protocol, false);
        self.links.insert(id, Link { upstream, owner: Some(request.client) });
        course.pinned = Some(id);
        self.touched.push(id);
        // It is taken again when the connection is there.
        self.pass_on(id, known, Class::Pinned, request)
    }

    /// Sends a request over its client's own connection.
    fn pass_on(
        &mut self,
        id: LinkId,
        known: Option<&Known>,
        class: Class,
        request: &Request<'_>,
    ) -> Result<Taken, Failure> {
        let Some(link) = self.links.get_mut(&id) else { return Err("ERR connection lost".into()) };
        if !link.upstream.is_ready() {
            return Ok(Taken::Later);
        }
        let changes = self.changes(known, class, request);
        self.invalidate(&changes);
        self.send(id, request.db, request.bytes, To::Owner { changes });
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
        link.is_some_and(|link| link.upstream.in_flight() > 0)
    }

    /// The connection that a client's next request goes over: that of its protocol, once it is owed
    /// nothing that comes over another one.
    fn link_for(
        &mut self,
        request: &Request<'_>,
        course: &Course,
    ) -> Result<Option<LinkId>, Failure> {
        let own = SHARED.iter().find(|(_, protocol)| *protocol == request.protocol);
        let own = own.map_or(0, |(id, _)| *id);
        if !course.replies.is_empty() && course.link != own {
            return Ok(None);
        }
        let Some(link) = self.links.get(&own) else { return Ok(None) };
        if link.upstream.is_ready() {
            return Ok(Some(own));
        }
        if link.upstream.is_new() {
            // It has never been told that the store is away: it waits for the first answer.
            self.parked.push(request.client);
            return Ok(None);
        }
        Err(Failure::new(format!("ERR {}", link.upstream.reason())))
    }

    /// Has the clients go on that wait for a connection.
    fn unpark(&mut self) {
        for client in std::mem::take(&mut self.parked) {
            self.deliveries.push(Delivery::nothing(client));
        }
    }

    fn is_ready(&self, id: LinkId) -> bool {
        self.links.get(&id).is_some_and(|link| link.upstream.is_ready())
    }

    fn send(&mut self, id: LinkId, db: u8, request: &[u8], to: To) {
        if let Some(link) = self.links.get_mut(&id) {
            if link.upstream.output().is_empty() {
                self.touched.push(id);
            }
            link.upstream.send(db, request, to);
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

    fn replied(&mut self, to: To, frame: Frame, reply: Vec<u8>, owner: Option<ClientId>) {
        match to {
            To::Nobody => {}
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.deliveries.push(Delivery {
                    client,
                    ticket: Some(ticket),
                    bytes: reply,
                    ends: false,
                });
            }
            To::Owner { changes } => {
                self.invalidate(&changes);
                self.pass_back(owner, reply);
            }
            To::Value(number) => self.value(number, frame, reply),
            To::Life(number) => self.life(number, &reply),
        }
    }

    fn pass_back(&mut self, owner: Option<ClientId>, bytes: Vec<u8>) {
        if let Some(client) = owner {
            self.deliveries.push(Delivery { client, ticket: None, bytes, ends: false });
        }
    }

    /// The value of a key has come: all who wait get it, in the protocol of each.
    fn value(&mut self, number: u64, frame: Frame, reply: Vec<u8>) {
        let Some(read) = self.reads.get_mut(&number) else { return };
        for (client, ticket, protocol) in read.waiters.drain(..) {
            let bytes = match (frame.kind, protocol) {
                (Kind::Null, Protocol::Resp2) => b"$-1\r\n".to_vec(),
                _ => reply.clone(),
            };
            self.deliveries.push(Delivery { client, ticket: Some(ticket), bytes, ends: false });
        }
        read.value = Some(if frame.kind == Kind::Bulk { reply } else { vec![] });
    }

    /// How long it lives has come too: it is stored, unless its key has changed since it was read.
    fn life(&mut self, number: u64, reply: &[u8]) {
        let Some(read) = self.reads.remove(&number) else { return };
        self.forget_read(number, &read);
        let life = match Reply::decode(reply) {
            Ok(Reply::Integer(life)) => life,
            _ => -2,
        };
        let value = match read.value.as_deref().map(Reply::decode) {
            Some(Ok(Reply::Bulk(value))) if life == -1 || life > 0 => value,
            _ => {
                self.router.cache().flights().fail(&read.lease);
                return;
            }
        };
        self.router.store.land(&read.lease, &value, (life > 0).then_some(life as u64));
    }

    fn forget_read(&mut self, number: u64, read: &Read) {
        if self.by_key.get(read.lease.key().bytes) == Some(&number) {
            self.by_key.remove(read.lease.key().bytes);
        }
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

    /// A request was lost with its connection.
    fn fail(&mut self, to: To, owner: Option<ClientId>, why: &str) {
        let error = format!("-ERR {why}\r\n").into_bytes();
        match to {
            To::Nobody => {}
            To::Client { client, ticket, changes } => {
                self.invalidate(&changes);
                self.deliveries.push(Delivery {
                    client,
                    ticket: Some(ticket),
                    bytes: error,
                    ends: false,
                });
            }
            To::Owner { changes } => {
                self.invalidate(&changes);
                self.pass_back(owner, error);
            }
            To::Value(number) => {
                let Some(read) = self.reads.get_mut(&number) else { return };
                for (client, ticket, _) in read.waiters.drain(..) {
                    let bytes = error.clone();
                    self.deliveries.push(Delivery {
                        client,
                        ticket: Some(ticket),
                        bytes,
                        ends: false,
                    });
                }
            }
            To::Life(number) => {
                if let Some(read) = self.reads.remove(&number) {
                    self.forget_read(number, &read);
                    self.router.cache().flights().fail(&read.lease);
                }
            }
        }
    }
}
