//! Reads whose replies may be remembered, on their way in: from memory, from a read that is under
//! way in any thread, or by one of their own.

use super::Relay;
use super::homes::Home;
use super::read::{Read, Stage, Waiter};
use super::reply::{Demand, To};
use super::tracking::caching;
use crate::cache::{Concern, Count, Form, Hit, KeyList, Mode, Shelf, Source, Staleness};
use crate::catalog::Known;
use crate::failure::Failure;
use crate::path::course::{Course, Request};
use crate::path::pending::{ELSEWHERE, Scope};
use crate::sight::{CommandClass, StaleReason};
use crate::topology::{ReadFrom, ServerId};
use breakwater_engine::{Key, Lease, Role};
use breakwater_resp::{Protocol, write_request};

/// Reads of more keys are not remembered.
const MOST_KEYS: usize = 64;

/// A read, seen from its way in.
pub(super) struct Ask<'a, 'r> {
    request: &'a Request<'r>,
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) route: usize,
    pub(super) keys: KeyList,
    /// The number of what its client has registered, if it is to hear of its keys.
    number: Option<u64>,
    /// Whether the client has asked for something that may change one of its keys, and waits.
    follows: bool,
    /// Its own ticket, if it is a part of another request.
    part: Option<u64>,
    /// Whether it is not remembered, and shared since its key is hot.
    pub(super) hot: bool,
}

impl Relay {
    /// Answers a read, or sends it so that its reply is remembered; `false` if it has to be passed
    /// on like any other command.
    pub(super) fn recall(
        &mut self,
        known: &'static Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        tracks: bool,
    ) -> bool {
        let Some(ask) = self.ask(known, request, course) else { return false };
        self.recall_asked(ask, course, out, tracks)
    }

    /// As [`Relay::recall`], for a part of another request. What memory has is left in the output.
    pub(super) fn recall_part(
        &mut self,
        known: &'static Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        part: u64,
    ) -> bool {
        let Some(mut ask) = self.ask(known, request, course) else { return false };
        ask.part = Some(part);
        self.recall_asked(ask, course, out, false)
    }

    fn recall_asked(
        &mut self,
        mut ask: Ask<'_, '_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        tracks: bool,
    ) -> bool {
        let request = ask.request;
        if ask.hot && tracks {
            return self.pass(ask.route);
        }
        // Before memory is looked at: what changes from now on is told.
        ask.number = tracks.then(|| self.register(course, &ask.keys));
        let mark = out.len();
        let mode = self.rules.routes.all()[ask.route].mode;
        // Of others it has been looked for: see `usual`.
        let looks = ask.part.is_some() || tracks;
        let get = ask.name == "get" && request.args.len() == 2;
        if looks && get && !ask.follows && !ask.hot && self.get(ask.route, request, out).is_some() {
            return self.hit(&ask, course, out, mark);
        }
        let form = ask.form;
        let shelf = Shelf::new(request.db, ask.name, request.args, ask.keys.clone(), form);
        let Some(shelf) = shelf else { return self.pass(ask.route) };
        if !ask.follows && !ask.hot {
            let hit = self.find(&ask, &shelf, Staleness::Refused, out);
            match (hit, mode) {
                (Some(hit), Mode::Shadow) => {
                    out.truncate(mark);
                    self.tally.add(ask.route, Count::Shadowed);
                    self.refresh(&ask, shelf, hit);
                    return false;
                }
                (Some(hit), _) => {
                    let given = &out[mark..];
                    self.verify(ask.route, request, &shelf, hit, given);
                    self.refresh(&ask, shelf, hit);
                    return self.hit(&ask, course, out, mark);
                }
                (None, _) => {}
            }
        }
        self.miss(&ask, shelf, course, out)
    }

    /// Whether memory has the reply to a read.
    pub(super) fn remembers(
        &self,
        known: &'static Known,
        request: &Request<'_>,
        course: &Course,
    ) -> bool {
        let Ok(ask) = self.look_at(known, request, course) else { return false };
        let mode = self.rules.routes.all()[ask.route].mode;
        let answers = mode == Mode::On && !ask.follows && !ask.hot;
        let shelf = Shelf::new(request.db, ask.name, request.args, ask.keys.clone(), ask.form);
        let found = |shelf| self.find(&ask, &shelf, Staleness::SecondLook, &mut vec![]);
        answers && shelf.and_then(found).is_some()
    }

    /// As [`Relay::look_at`]; one that may not is counted.
    fn ask<'a, 'r>(
        &mut self,
        known: &'static Known,
        request: &'a Request<'r>,
        course: &Course,
    ) -> Option<Ask<'a, 'r>> {
        let looked_at = self.look_at(known, request, course);
        let asked = looked_at.and_then(|ask| match ask.hot && !self.heat.touch(ask.keys.first()) {
            true => Err(ask.route),
            false => Ok(ask),
        });
        asked.inspect_err(|route| self.tally.add(*route, Count::Passed)).ok()
    }

    /// What is to be known of a read that may be answered from memory; its route if it may not.
    pub(super) fn look_at<'a, 'r>(
        &self,
        known: &'static Known,
        request: &'a Request<'r>,
        course: &Course,
    ) -> Result<Ask<'a, 'r>, usize> {
        let words = request.args;
        let mut keys = KeyList::default();
        known.each_key(words, |place, _| keys.push(words.word(place)));
        let form = Form::of(&known.name, words.len());
        let routes = &self.rules.routes;
        let settled = routes.settled(keys.first());
        let route = settled.unwrap_or_else(|| routes.of(keys.first()));
        let of = &routes.all()[route];
        let one = || keys.iter().skip(1).all(|key| routes.settled(key) == settled);
        let concern = request.concern.unwrap_or(of.concern);
        let few = (1..=MOST_KEYS).contains(&keys.len());
        let fits = few && settled.is_some() && one() && form.suits(request.protocol);
        let takes = of.takes(&known.name);
        // Whether it is, who asks finds out.
        let hot = !takes && keys.len() == 1;
        if !fits || concern == Concern::Consistent || !(takes || hot) {
            return Err(route);
        }
        let (name, number, follows) = (&*known.name, None, course.pending.change(keys.iter()));
        Ok(Ask { request, name, form, route, keys, number, follows, part: None, hot })
    }

    /// The reply to a read that was found, if it counts: appends it to `out`.
    pub(super) fn find(
        &self,
        ask: &Ask<'_, '_>,
        shelf: &Shelf,
        staleness: Staleness,
        out: &mut Vec<u8>,
    ) -> Option<Hit> {
        let mark = out.len();
        let hit = self.router.replies.find(shelf, ask.request.protocol, staleness, out)?;
        let patience = if let Staleness::Taken(most) = staleness { most } else { 0 };
        let counts = self.still_counts(ask.route, &hit, out.len() - mark, patience);
        if !counts {
            out.truncate(mark);
        }
        counts.then_some(hit)
    }

    /// Whether a reply of so many bytes may be given: one that was asked for under other rules must be
    /// one that these would have kept.
    #[inline]
    pub(super) fn still_counts(&self, route: usize, hit: &Hit, len: usize, patience: u64) -> bool {
        hit.when() > self.rules.since() || {
            let age = self.router.replies.now().saturating_sub(hit.when());
            self.rules.routes.all()[route].keeps(age, hit.absent, len, patience)
        }
    }

    /// The number of a read's route, and that of the rules.
    pub(super) fn placed(&self, ask: &Ask<'_, '_>) -> (usize, u64) {
        (ask.route, self.rules.number)
    }

    fn pass(&mut self, route: usize) -> bool {
        self.tally.add(route, Count::Passed);
        false
    }

    /// What was found is in the output: it leaves behind what the client is owed.
    fn hit(
        &mut self,
        ask: &Ask<'_, '_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        mark: usize,
    ) -> bool {
        self.tally.add(ask.route, Count::Hits);
        self.router.note_read(ask.request.db, ask.keys.iter(), out.len() - mark);
        if ask.part.is_none() {
            self.batch.answer(CommandClass::Read);
        }
        if ask.part.is_none() && !course.replies.is_empty() {
            course.replies.make(&out[mark..]);
            out.truncate(mark);
        }
        true
    }

    /// A read that memory does not answer.
    fn miss(
        &mut self,
        ask: &Ask<'_, '_>,
        shelf: Shelf,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> bool {
        let request = ask.request;
        let scope = Scope::of(shelf.keys.iter());
        let Ok(home) = self.home_of(shelf.keys.iter()) else { return self.pass(ask.route) };
        let demand = self.demand(ask, &shelf, home);
        let server = match ask.hot {
            true => self.server_for(&demand, None),
            false => self.server_of_miss(&demand, &shelf),
        };
        let Ok(mut server) = server else {
            let why = StaleReason::Unreachable;
            return self.give_stale(ask, &shelf, course, out, why) || self.pass(ask.route);
        };
        // Reads of a hot key go to several servers, and share one generation.
        let tagged = if ask.hot { home.server } else { server };
        let Some(tag) = self.map.tag(home.partition, tagged) else { return self.pass(ask.route) };
        let mut reader = self.shared_with(server, Protocol::Resp3, request.db);
        // Its own requests before this one may change its keys: the store is to see them first.
        if ask.follows && course.pending.block(reader, &scope, false) {
            return self.pass(ask.route);
        }
        if self.refuses(reader) {
            self.mind_link(reader);
            let open = !self.is_down(reader);
            let why = if open { StaleReason::Open } else { StaleReason::Unreachable };
            return self.give_stale(ask, &shelf, course, out, why) || self.pass(ask.route);
        }
        if !self.has_room_for_miss(server)
            && self.give_stale(ask, &shelf, course, out, StaleReason::Busy)
        {
            return true;
        }
        let chance = self.chance();
        let route = &self.rules.routes.all()[ask.route];
        let (life, patience, busy) = (route.ttl, route.stale_if_error, route.stale_while_busy);
        if route.admission && !ask.hot && !self.router.replies.admits(&shelf, chance) {
            self.tally.add(ask.route, Count::LeftOut);
            return false;
        }
        let mut stale = None;
        if patience > 0 && !ask.hot {
            let mut kept = vec![];
            let taken = Staleness::Taken(patience);
            let found = self.find(ask, &shelf, taken, &mut kept);
            stale = found.map(|_| kept);
        }
        let stale_while_busy = stale.is_some()
            && (busy >= patience
                || self.find(ask, &shelf, Staleness::Taken(busy), &mut vec![]).is_some());
        let Some(generations) = self.router.replies.begin(&shelf, tag, life) else {
            return self.pass(ask.route);
        };
        // A change since then may have left this generation behind, which later reads share.
        if demand.fence != self.fence(shelf.keys.iter()) {
            return self.pass(ask.route);
        }
        let copy = if ask.hot && !ask.follows {
            self.copy_for(ask.route, &shelf, generations[0], server)
        } else {
            None
        };
        if let Some((store, _)) = copy {
            server = store;
            reader = self.shared_with(store, Protocol::Resp3, request.db);
        }
        let name = match ask.hot {
            true => shelf.flight_to(server, &generations),
            false => shelf.flight(&generations),
        };
        let Some(name) = name else { return self.pass(ask.route) };
        let ticket = ask.part.unwrap_or_else(|| course.replies.owe());
        // What its client knows it by.
        let known_by = self.clients_ticket(ticket);
        if let Some(number) = ask.number {
            self.watch_reply((request.client, ticket), course, number, shelf.keys.clone());
        }
        let (client, protocol) = (request.client, request.protocol);
        let waiter = Waiter { client, ticket, protocol, joined: None };
        let place = (reader, home.partition, self.map.epoch);
        let mut read = Read::new((shelf, generations), self.placed(ask), place, request.bytes);
        (read.stale, read.stale_while_busy) = (stale, stale_while_busy);
        if ask.hot {
            read = read.pass();
            read.of_copy = copy.map(|(_, stamp)| stamp);
        }
        read.add(waiter);
        // By which connection the store is asked.
        let mut link = reader;
        match self.router.cache().flights().join(Key::bytes(&name), self.number, &[]) {
            Role::Lead(lease) => {
                let mut came = vec![];
                if self.came_meanwhile(ask, &read.shelf, &mut came) {
                    read.others = self.router.cache().flights().fail(&lease).unwrap_or_default();
                    if read.others.is_empty() {
                        self.tally.add(ask.route, Count::Hits);
                        self.answer(waiter.client, ticket, came);
                        return true;
                    }
                }
                self.tally.add(ask.route, Count::Misses);
                if ask.hot && copy.is_none() && !ask.follows && self.begins_copies(&read) {
                    read.copy();
                }
                if !self.begin(read, lease) {
                    // What its client asks for behind it must not overtake it.
                    link = ELSEWHERE;
                }
            }
            Role::Wait { ticket: flight, new, .. } => {
                let known = self.reads.get_mut(&flight.flight);
                // What another thread asks may be done before this client's own requests.
                let follows = |known: &&mut Read| !ask.follows || known.stage != Stage::Elsewhere;
                match known.filter(follows) {
                    Some(known) => {
                        self.tally.add(ask.route, Count::Joined);
                        known.add(Waiter { joined: Some(self.clock), ..waiter });
                        if matches!(known.stage, Stage::Elsewhere | Stage::Waiting) {
                            link = ELSEWHERE;
                        }
                    }
                    None if new && !ask.follows => {
                        self.tally.add(ask.route, Count::Joined);
                        link = ELSEWHERE;
                        read.stage = Stage::Elsewhere;
                        read.waiters[0].joined = Some(self.clock);
                        let until = self.now.saturating_add(self.rules.limits.longest_read());
                        self.waits.push_back((until, flight));
                        self.wake_by(Some(until));
                        self.reads.insert(flight.flight, read);
                    }
                    None => {
                        if new {
                            self.router.cache().flights().leave(flight, self.number);
                        }
                        self.tally.add(ask.route, Count::Passed);
                        if ask.number.is_some() {
                            self.distrust(request.client, ticket);
                        }
                        let to = To::Beside { waiter, form: ask.form };
                        self.send_read(server, demand, request.bytes, to);
                    }
                }
            }
        }
        course.pending.add(known_by, link, &scope, false);
        true
    }

    pub(super) fn demand(&self, ask: &Ask<'_, '_>, shelf: &Shelf, home: Home) -> Demand {
        let from = self.rules.routes.all()[ask.route].read_from;
        let (protocol, db) = (Protocol::Resp3, shelf.db);
        let (fence, partition) = (self.fence(shelf.keys.iter()), home.partition);
        Demand { from, fence, protocol, db, partition }
    }

    /// The server that is asked: the one that the key was read from before, if that will do.
    pub(super) fn server_of_miss(
        &mut self,
        demand: &Demand,
        shelf: &Shelf,
    ) -> Result<ServerId, Failure> {
        let known = (demand.from != ReadFrom::Primary)
            .then(|| self.router.replies.tag_of(shelf.keys.first()));
        let prefers = known.flatten().and_then(|tag| self.map.server_of(tag));
        self.server_for(demand, prefers)
    }

    /// Whether another thread's read has ended since memory was asked, and what it has left there.
    fn came_meanwhile(&self, ask: &Ask<'_, '_>, shelf: &Shelf, came: &mut Vec<u8>) -> bool {
        let answers = self.rules.routes.all()[ask.route].mode == Mode::On && !ask.follows;
        answers && self.find(ask, shelf, Staleness::SecondLook, came).is_some()
    }

    /// The store is not asked: what is beyond its time is given, where the route allows it. Whether it
    /// is.
    fn give_stale(
        &mut self,
        ask: &Ask<'_, '_>,
        shelf: &Shelf,
        course: &mut Course,
        out: &mut Vec<u8>,
        why: StaleReason,
    ) -> bool {
        let patience = self.rules.routes.all()[ask.route].patience(why);
        if patience == 0 || ask.follows || ask.hot {
            return false;
        }
        let (mark, taken) = (out.len(), Staleness::Taken(patience));
        if self.find(ask, shelf, taken, out).is_none() {
            return false;
        }
        self.tally.add(ask.route, Count::StaleGiven);
        self.seat.give_stale(why);
        if ask.number.is_some() {
            self.tell_stale(course, &shelf.keys);
        }
        self.hit(ask, course, out, mark)
    }

    /// Reads a reply anew that is about to end, while others are still given it.
    fn refresh(&mut self, ask: &Ask<'_, '_>, shelf: Shelf, hit: Hit) {
        let share = self.rules.routes.all()[ask.route].refresh_ahead;
        let Some(deadline) = hit.deadline.filter(|_| share > 0.0) else { return };
        let (whole, now) = (deadline.saturating_sub(hit.when()), self.router.replies.now());
        if deadline.saturating_sub(now) as f64 > whole as f64 * share {
            return;
        }
        let request = ask.request;
        // The server that the key was read from, which tells of its changes.
        self.look();
        let Some(tag) = self.router.replies.tag_of(shelf.keys.first()) else { return };
        let Some(server) = self.map.server_of(tag) else { return };
        let reader = self.shared_with(server, Protocol::Resp3, request.db);
        let Some(generations) = self.router.replies.generations(&shelf) else { return };
        let Some(name) = shelf.flight(&generations) else { return };
        if self.refuses(reader) || self.crowds.has(reader) || !self.has_room_for_miss(server) {
            return;
        }
        // It may take longer than the reply lasts, and is one read all the same.
        if !self.router.replies.hold(&shelf, &generations) {
            return;
        }
        match self.router.cache().flights().join(Key::bytes(&name), self.number, &[]) {
            Role::Lead(lease) => {
                self.tally.add(ask.route, Count::Refreshed);
                let known = (shelf, generations);
                let partition = self.map.partition(known.0.keys.first());
                let place = (reader, partition, self.map.epoch);
                let mut read = Read::new(known, self.placed(ask), place, request.bytes);
                read.wants(request.protocol);
                self.begin(read, lease);
            }
            Role::Wait { ticket, new: true, .. } => {
                self.router.cache().flights().leave(ticket, self.number);
            }
            Role::Wait { .. } => {}
        }
    }

    /// Asks the store, and how long each key lives, with its promise to tell of their next change.
    pub(super) fn ask_store(&mut self, mut read: Read, lease: Lease) {
        let flight = lease.ticket().flight;
        let (link, request) = (read.link, read.request.clone());
        let keys = read.shelf.keys.clone();
        read.stage = Stage::Asked;
        read.lease = Some(lease);
        let source = self.links.get(&link).and_then(|link| link.source.as_ref());
        // Without one the store promises nothing.
        read.tracked &= source.is_some();
        // The time before it is asked: a life that is counted from here ends no later than the key.
        read.stamp = self.router.replies.stamp(source.map_or(0, Source::number));
        let passing = read.passing;
        if let Some(copy) = read.of_copy {
            return self.ask_copy(flight, read, copy);
        }
        let send = match self.is_of_replica(&read) {
            true => Self::send_as_replica,
            false => Self::send,
        };
        self.reads.insert(flight, read);
        if passing {
            return send(self, link, &request, To::Value(flight));
        }
        send(self, link, &caching(), To::Promise(flight));
        send(self, link, &request, To::Value(flight));
        let mut words = vec![];
        for key in keys.iter() {
            words.clear();
            write_request(&mut words, &[b"PTTL".as_slice(), key]);
            send(self, link, &words, To::Life(flight));
        }
    }

    /// Whether the server that a read goes to was chosen as a replica: if the map is another one by
    /// now, it is to answer as a master, or not at all.
    fn is_of_replica(&self, read: &Read) -> bool {
        let server = self.links.get(&read.link).map(|link| link.server);
        read.epoch == self.map.epoch && server.is_some_and(|server| !self.map.leads(server))
    }
}
