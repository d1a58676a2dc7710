//! `CLIENT TRACKING` of clients: what the node itself is told of changes is what they are told.
//!
//! What a client reads is registered for it (`shared/tracked.rs`), and is read over a connection by
//! which the store tells the node of the next change, whether or not the reply is remembered:
//!
//! ```text
//! a read that memory answers       the store has promised to tell of it when it was remembered
//! one that may be remembered       CLIENT CACHING YES, and the read
//! others, in RESP3                 the same
//! those of RESP2, or over a        first CLIENT CACHING YES, EXISTS and its keys, over the one that
//! connection of the client's own   tells; then the read
//! ```
//! When the reply leaves, whoever was told before it is told once more behind it. When such a
//! connection is lost, everybody is told of everything. `broadcast` is `BCAST`; `loops` and `lanes` are
//! `NOLOOP`.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::cache::KeyList;
use crate::catalog::Permissions;
use crate::catalog::{Class, Known};
use crate::command;
use crate::failure::Failure;
use crate::path::course::{Course, Delivery, Payload, Request, Taken};
use crate::path::letter::{Letter, Word};
use crate::path::pending::LinkId;
use crate::policy::User;
use crate::shared::{ClientId, Told, Tracker};
use crate::topology::Tag;
use breakwater_resp::{Protocol, ReplyWriter, write_request};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Keys whose changes a client is to hear of, from a reply that is still to come.
pub(super) struct Watched {
    tracker: Arc<Tracker>,
    number: u64,
    keys: KeyList,
    /// The connection in whose table it is registered, if not in that of all.
    link: Option<LinkId>,
}

/// What is to be known before a read is sent over a connection that does not tell of changes.
enum Promise {
    Asked,
    /// The store tells of them; if not, nothing is left of the number.
    Given(u64),
}

/// What the clients of this thread track.
#[derive(Default)]
pub(super) struct Tracks {
    /// By whose replies, and which.
    watched: HashMap<(ClientId, u64), Watched>,
    promises: HashMap<ClientId, Promise>,
}

impl Relay {
    /// `CLIENT TRACKING`, `CACHING`, `TRACKINGINFO` and `GETREDIR`.
    pub(super) fn track(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        if !known.takes(request.args.len()) {
            return Err(command::wrong_arity(&known.name));
        }
        // It tells of the names of keys.
        let reads = |user: &User| user.permissions.contains(Permissions::READ);
        match request.user {
            None => return Err("NOAUTH Authentication required.".into()),
            Some(user) if !reads(user) => {
                let why =
                    "NOPERM this user has no permissions to run the 'client|tracking' command";
                return Err(why.into());
            }
            Some(_) => {}
        }
        match &*known.name {
            "client|caching" => {
                course.tracking.allow(request.args.word(2))?;
                Ok(Taken::Said("OK"))
            }
            "client|getredir" => {
                ReplyWriter::new(out, request.protocol).integer(course.tracking.redirect());
                Ok(Taken::Made)
            }
            "client|trackinginfo" => {
                let broken = self.router.tracked.is_broken(request.client);
                course.tracking.describe(broken, &mut ReplyWriter::new(out, request.protocol));
                Ok(Taken::Made)
            }
            _ => self.begin_tracking(request, course),
        }
    }

    fn begin_tracking(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let exists = |id| self.router.registry.find(id).is_some();
        let Some(options) = course.tracking.parse(request.args, exists)? else {
            self.untrack(request.client, course);
            return Ok(Taken::Said("OK"));
        };
        // It is there before anything is read: the store says by it when all may have changed.
        self.look();
        let map = self.map.clone();
        for server in map.masters() {
            let tells = self.shared_with(server, Protocol::Resp3, request.db);
            if map.is_one() && self.refuses(tells) {
                return Err(Failure::because(&self.reason(tells)));
            }
        }
        let (client, on) = (request.client, course.tracking.tracker().is_some());
        let turns = on && options.no_loop != course.tracking.has_no_loop();
        if turns {
            self.stop_telling(client);
        }
        let tracked = &self.router.tracked;
        let tracker = tracked.begin(client, self.number, options.redirect as u64);
        let (broadcasts, no_loop) = (options.broadcasts, options.no_loop);
        // Relaxed: a word by itself, for people.
        tracker.broadcasts.store(broadcasts, Ordering::Relaxed);
        course.tracking.begin(options, tracker.clone());
        if turns {
            // What it was to hear of by then it may not hear of any more.
            self.tell_all_changed(course);
        }
        if !broadcasts {
            return Ok(Taken::Said("OK"));
        }
        if no_loop {
            return Ok(self.join_lane(&tracker, request, course));
        }
        let prefixes = course.tracking.prefixes().iter();
        prefixes.for_each(|prefix| self.router.tracked.prefixes.add(&tracker, prefix));
        Ok(self.broadcast(request, course))
    }

    // ---- what is read

    /// The keys of a request whose changes its client is to hear of.
    pub(super) fn tracks(
        &self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &Course,
    ) -> Option<KeyList> {
        let known = known?;
        if !course.tracking.wants() || self.router.tracked.is_empty() {
            return None;
        }
        if known.class == Class::Exec {
            let reads = course.transaction.as_ref().map(|transaction| &transaction.reads);
            return reads.filter(|keys| !keys.is_empty()).cloned();
        }
        let mut keys = KeyList::default();
        let words = request.args;
        known.each_key(words, |place, changes| match known.class {
            Class::Read | Class::MayBlock if !changes => keys.push(words.word(place)),
            // What a program does with the keys that it declares is not known.
            Class::Script => keys.push(words.word(place)),
            _ => {}
        });
        (!keys.is_empty()).then_some(keys)
    }

    /// Registers a client for keys that it is about to read; the number of that.
    pub(super) fn register(&mut self, course: &Course, keys: &KeyList) -> u64 {
        let Some(tracker) = course.tracking.tracker() else { return 0 };
        let (number, dropped) = self.router.tracked.register(tracker, keys);
        self.tell_all(dropped);
        number
    }

    /// Has the store promise to tell of keys that are read over another connection than the one by
    /// which it tells; `None` if that is still to come.
    pub(super) fn assured(
        &mut self,
        request: &Request<'_>,
        course: &Course,
        keys: &KeyList,
    ) -> Option<u64> {
        let client = request.client;
        match self.tracks.promises.get(&client) {
            Some(Promise::Given(number)) => return Some(*number),
            Some(Promise::Asked) => return None,
            None => {}
        }
        let Ok(home) = self.home_of(keys.iter()) else { return Some(0) };
        let tells = self.shared_with(home.server, Protocol::Resp3, request.db);
        if self.refuses(tells) {
            return Some(0);
        }
        let number = self.register(course, keys);
        self.tracks.promises.insert(client, Promise::Asked);
        self.send(tells, &caching(), To::Nobody);
        let mut bytes = vec![];
        let words: Vec<&[u8]> = std::iter::once(b"EXISTS".as_slice()).chain(keys.iter()).collect();
        write_request(&mut bytes, &words);
        self.send(tells, &bytes, To::Session(Step::Promised { client, number }));
        None
    }

    /// The store has promised it, or not.
    pub(super) fn give_promise(&mut self, client: ClientId, number: u64) {
        if let Some(promise) = self.tracks.promises.get_mut(&client) {
            *promise = Promise::Given(number);
            self.deliveries.push(Delivery::wake(client));
        }
    }

    /// A request of a client is answered, refused or on its way: what was said of it is over.
    pub(super) fn over_with(
        &mut self,
        known: Option<&Known>,
        client: ClientId,
        course: &mut Course,
    ) {
        let Some(_) = course.tracking.tracker() else { return };
        self.tracks.promises.remove(&client);
        let speaks = known.is_some_and(|known| known.name.starts_with("client|"));
        if !speaks && course.transaction.is_none() {
            course.tracking.forget_caching();
        }
    }

    /// A read is on its way: its reply is to be looked after.
    pub(super) fn watch_reply(
        &mut self,
        (client, ticket): (ClientId, u64),
        course: &Course,
        number: u64,
        keys: KeyList,
    ) {
        self.tracks.promises.remove(&client);
        if let Some(tracker) = course.tracking.tracker() {
            let watched = Watched { tracker: tracker.clone(), number, keys, link: None };
            self.tracks.watched.insert((client, ticket), watched);
        }
    }

    /// As [`Relay::watch_reply`], of a reply that leaves at once: its client is registered in the table
    /// of a connection.
    pub(super) fn watch_quietly(
        &mut self,
        whose: (ClientId, u64),
        tracker: Arc<Tracker>,
        (link, number): (LinkId, u64),
        keys: KeyList,
    ) {
        let watched = Watched { tracker, number, keys, link: Some(link) };
        self.tracks.watched.insert(whose, watched);
    }

    /// The store has not promised to tell of what is read for a client.
    pub(super) fn distrust(&mut self, client: ClientId, ticket: u64) {
        let ticket = self.clients_ticket(ticket);
        self.loops.distrust(client, ticket);
        if let Some(watched) = self.tracks.watched.get_mut(&(client, ticket)) {
            watched.number = 0;
        }
    }

    /// Replies for clients of this thread.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        if !self.crowds.is_empty() {
            self.let_in();
        }
        if !self.tracks.watched.is_empty() {
            self.look_after_replies();
        }
        std::mem::take(&mut self.deliveries)
    }

    /// Tells those behind their replies who were told before them.
    fn look_after_replies(&mut self) {
        for delivery in std::mem::take(&mut self.deliveries) {
            let watched = delivery
                .ticket
                .and_then(|ticket| self.tracks.watched.remove(&(delivery.client, ticket)));
            self.deliveries.push(delivery);
            let Some(Watched { tracker, number, keys, link }) = watched else { continue };
            let holds = |key: &[u8]| match link {
                Some(link) => self.holds_quietly(link, &tracker, key, number),
                None => self.router.tracked.holds(&tracker, key, number),
            };
            let told = keys.iter().filter(|key| !holds(key));
            let told = told.map(|key| Told { tracker: tracker.clone(), key: Some(key.into()) });
            let told = told.collect();
            self.tell_all(told);
        }
    }

    /// A client is given what is beyond its time: it is not to keep it.
    pub(super) fn tell_stale(&mut self, course: &Course, keys: &KeyList) {
        let Some(tracker) = course.tracking.tracker().cloned() else { return };
        let told = |key: &[u8]| Told { tracker: tracker.clone(), key: Some(key.into()) };
        self.tell_all(keys.iter().map(told).collect());
    }

    /// A client is told that anything may have changed, if it tracks.
    pub(super) fn tell_all_changed(&mut self, course: &Course) {
        if let Some(tracker) = course.tracking.tracker().cloned() {
            self.tell_all(vec![Told { tracker, key: None }]);
        }
    }

    /// A client tracks no more.
    pub(super) fn untrack(&mut self, client: ClientId, course: &mut Course) {
        self.tracks.promises.remove(&client);
        if course.tracking.end() {
            self.stop_telling(client);
        }
    }

    /// A client is told of nothing any more.
    pub(super) fn stop_telling(&mut self, client: ClientId) {
        self.router.tracked.end(client);
        self.loops.end(client);
        self.leave_lanes(client);
    }

    // ---- what is told

    /// The store tells that keys have changed, which are forgotten already.
    pub(super) fn tell_changed(&mut self, keys: &KeyList) {
        if self.router.tracked.is_empty() {
            return;
        }
        let told = keys.iter().flat_map(|key| self.router.tracked.changed(key)).collect();
        self.tell_all(told);
    }

    /// Of keys of what these tags stand for nobody may tell for a while, and what was read of them is
    /// forgotten already. Who hears of prefixes, or of all but its own changes, is told of everything.
    pub(super) fn tell_moved(&mut self, tags: &[Tag]) {
        if !self.router.tracked.is_empty() {
            let map = self.router.topology.map();
            let mut told = self.router.tracked.changed_where(map.concerns(tags));
            told.extend(self.router.tracked.prefixes.told_of_all());
            told.extend(self.router.tracked.flush_apart());
            self.tell_all(told);
        }
    }

    /// Any key may have changed, and all are forgotten already.
    pub(super) fn tell_flushed(&mut self) {
        if !self.router.tracked.is_empty() {
            let told = self.router.tracked.flush();
            self.tell_all(told);
        }
    }

    pub(super) fn tell_all(&mut self, mut all: Vec<Told>) {
        all.sort_by_key(|told| told.tracker.client);
        for of_one in all.chunk_by(|one, other| one.tracker.client == other.tracker.client) {
            let keys: Option<Vec<&[u8]>> = of_one.iter().map(|told| told.key.as_deref()).collect();
            let bytes = invalidation(keys.as_deref());
            self.tell_one(&of_one[0].tracker, bytes.into());
        }
    }

    /// Tells a client, or who is told in its place, wherever that is.
    pub(super) fn tell_one(&mut self, tracker: &Tracker, bytes: Arc<[u8]>) {
        let target = tracker.target.load(Ordering::Acquire);
        if target == 0 {
            return self.inform_client(tracker.thread, tracker.client, bytes, false);
        }
        match self.router.registry.find(target) {
            Some(other) => {
                // Acquire: who has said nothing has no place yet, and hears nothing.
                let home = other.home.load(Ordering::Acquire);
                self.inform_client(home, target, bytes, true);
            }
            None => {
                tracker.broken.store(true, Ordering::Release);
                let mut bytes = vec![];
                let mut push = ReplyWriter::new(&mut bytes, Protocol::Resp3);
                push.push(2);
                push.bulk(b"tracking-redir-broken");
                push.integer(target as i64);
                self.inform_client(tracker.thread, tracker.client, bytes.into(), false);
            }
        }
    }

    fn inform_client(&mut self, home: u64, client: ClientId, bytes: Arc<[u8]>, redirected: bool) {
        if home == self.number {
            self.take_news(client, bytes, redirected);
        } else if home != 0 {
            let word = Word::News { client, bytes, redirected };
            self.letters.push(Letter { to: home, word });
        }
    }

    /// News for a client of this thread.
    pub(super) fn take_news(&mut self, client: ClientId, bytes: Arc<[u8]>, redirected: bool) {
        self.deliveries.push(Delivery::news(client, Payload::Shared(bytes), redirected));
    }
}

/// What makes the store tell of the next change of what is read behind it.
pub(super) fn caching() -> Vec<u8> {
    let mut bytes = vec![];
    write_request(&mut bytes, &["CLIENT", "CACHING", "YES"]);
    bytes
}

/// News of changes of keys, or of any, in RESP3.
pub(super) fn invalidation(keys: Option<&[&[u8]]>) -> Vec<u8> {
    let mut bytes = vec![];
    let mut push = ReplyWriter::new(&mut bytes, Protocol::Resp3);
    push.push(2);
    push.bulk(b"invalidate");
    match keys {
        None => push.null(),
        Some(keys) => {
            push.array(keys.len());
            keys.iter().for_each(|key| push.bulk(key));
        }
    }
    bytes
}

/// The channel of the news of changes, for clients of RESP2.
const INVALIDATE: &[u8] = b"__redis__:invalidate";

/// News of changes as clients of RESP2 have them: a message of a channel.
pub(crate) fn as_message(push: &[u8]) -> Option<Vec<u8>> {
    let keys = push.strip_prefix(b">2\r\n$10\r\ninvalidate\r\n")?;
    let keys = if keys == b"_\r\n" { b"$-1\r\n" } else { keys };
    let mut bytes = b"*3\r\n$7\r\nmessage\r\n$20\r\n".to_vec();
    bytes.extend_from_slice(INVALIDATE);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(keys);
    Some(bytes)
}
