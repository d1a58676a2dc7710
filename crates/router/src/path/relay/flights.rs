//! Reads that memory does not answer: each joins the flight of those that ask for the same, in whichever
//! thread, or leads one and asks the store.

use super::Relay;
use super::homes::Home;
use super::read::{Read, Stage, Waiter};
use super::reads::Ask;
use super::reply::{Demand, To};
use super::tracking::caching;
use crate::cache::{Count, Generations, Hit, Mode, Shelf, Source, Staleness};
use crate::failure::Failure;
use crate::path::course::Course;
use crate::path::pending::{ELSEWHERE, LinkId, Scope};
use crate::sight::StaleReason;
use crate::topology::{ReadFrom, ServerId, Tag};
use breakwater_engine::{Key, Lease, Role, Ticket};
use breakwater_resp::{Protocol, write_request};
use smallvec::SmallVec;

/// Where a read goes.
pub(super) struct Goal {
    pub(super) home: Home,
    demand: Demand,
    server: ServerId,
    pub(super) reader: LinkId,
    /// What its generations say of where it was read.
    tag: Tag,
}

/// The name of a flight.
type FlightName = SmallVec<[u8; 128]>;

impl Relay {
    /// Takes a read that memory does not answer; `false` if it has to be passed on.
    pub(super) fn miss(
        &mut self,
        ask: &Ask<'_, '_>,
        shelf: Shelf,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> bool {
        let scope = Scope::of(shelf.keys.iter());
        let mut goal = match self.goal(ask, &shelf, &scope, course) {
            Ok(goal) => goal,
            Err(Some(why)) if self.give_stale(ask, &shelf, course, out, why) => return true,
            Err(_) => return self.pass(ask.route),
        };
        if !self.has_room_for_miss(goal.server)
            && self.give_stale(ask, &shelf, course, out, StaleReason::Busy)
        {
            return true;
        }
        if !self.admits(ask, &shelf) {
            self.tally.add(ask.route, Count::LeftOut);
            return false;
        }
        let Some((name, read)) = self.begin_read(ask, shelf, &mut goal) else {
            return self.pass(ask.route);
        };
        self.join(ask, &goal, (&name, read), (&scope, course));
        true
    }

    /// Where a read goes; otherwise, why its server is not asked, where a reply beyond its time may be given
    /// for that.
    pub(super) fn goal(
        &mut self,
        ask: &Ask<'_, '_>,
        shelf: &Shelf,
        scope: &Scope,
        course: &Course,
    ) -> Result<Goal, Option<StaleReason>> {
        let Ok(home) = self.home_of(shelf.keys.iter()) else { return Err(None) };
        let demand = self.demand(ask, shelf, home);
        let server = match ask.hot {
            true => self.server_for(&demand, None),
            false => self.server_of_miss(&demand, shelf),
        };
        let Ok(server) = server else { return Err(Some(StaleReason::Unreachable)) };
        // Reads of a hot key go to several servers, and share one generation.
        let tagged = if ask.hot { home.server } else { server };
        let Some(tag) = self.map.tag(home.partition, tagged) else { return Err(None) };
        let reader = self.shared_with(server, Protocol::Resp3, ask.request.db);
        // Its own requests before this one may change its keys: the store is to see them first.
        if ask.follows && course.pending.block(reader, scope, false) {
            return Err(None);
        }
        if self.refuses(reader) {
            self.mind_link(reader);
            let open = !self.is_down(reader);
            return Err(Some(if open { StaleReason::Open } else { StaleReason::Unreachable }));
        }
        Ok(Goal { home, demand, server, reader, tag })
    }

    /// Whether a reply is worth remembering by its route's admission.
    fn admits(&mut self, ask: &Ask<'_, '_>, shelf: &Shelf) -> bool {
        let chance = self.chance();
        let admission = self.rules.routes.all()[ask.route].admission;
        !admission || ask.hot || self.router.replies.admits(shelf, chance)
    }

    /// A read of this generation, and the name of its flight; `None` if it cannot have one. Where copies of a
    /// hot reply lie, a server that has one may be its goal.
    fn begin_read(
        &mut self,
        ask: &Ask<'_, '_>,
        shelf: Shelf,
        goal: &mut Goal,
    ) -> Option<(FlightName, Read)> {
        let (stale, stale_while_busy) = self.kept_stale(ask, &shelf);
        let generations = self.begin_generations(ask, &shelf, goal)?;
        let copy = if ask.hot && !ask.follows {
            self.copy_for(ask.route, &shelf, generations[0], goal.server)
        } else {
            None
        };
        if let Some((store, _)) = copy {
            goal.server = store;
            goal.reader = self.shared_with(store, Protocol::Resp3, ask.request.db);
        }
        let name = match ask.hot {
            true => shelf.flight_to(goal.server, &generations),
            false => shelf.flight(&generations),
        }?;
        let place = (goal.reader, goal.home.partition, self.map.epoch);
        let known = (shelf, generations);
        let mut read = Read::new(known, self.placed(ask), place, ask.request.bytes);
        (read.stale, read.stale_while_busy) = (stale, stale_while_busy);
        if ask.hot {
            read = read.pass();
            read.of_copy = copy.map(|(_, stamp)| stamp);
        }
        Some((name, read))
    }

    /// The generations of a read's keys, before the store is asked.
    pub(super) fn begin_generations(
        &self,
        ask: &Ask<'_, '_>,
        shelf: &Shelf,
        goal: &Goal,
    ) -> Option<Generations> {
        let life = self.rules.routes.all()[ask.route].ttl;
        let generations = self.router.replies.begin(shelf, goal.tag, life)?;
        // A change since then may have left this generation behind, which later reads share.
        (goal.demand.fence == self.fence(shelf.keys.iter())).then_some(generations)
    }

    /// A reply beyond its time that may be given if the store does not answer, and whether it may be if the
    /// store is too busy to be asked.
    fn kept_stale(&self, ask: &Ask<'_, '_>, shelf: &Shelf) -> (Option<Vec<u8>>, bool) {
        let route = &self.rules.routes.all()[ask.route];
        let (patience, busy) = (route.stale_if_error, route.stale_while_busy);
        if patience == 0 || ask.hot {
            return (None, false);
        }
        let mut kept = vec![];
        if self.find(ask, shelf, Staleness::Taken(patience), &mut kept).is_none() {
            return (None, false);
        }
        let while_busy = busy >= patience
            || self.find(ask, shelf, Staleness::Taken(busy), &mut vec![]).is_some();
        (Some(kept), while_busy)
    }

    /// Has a read lead its flight, or wait for the one that does.
    fn join(
        &mut self,
        ask: &Ask<'_, '_>,
        goal: &Goal,
        (name, mut read): (&FlightName, Read),
        (scope, course): (&Scope, &mut Course),
    ) {
        let (client, protocol) = (ask.request.client, ask.request.protocol);
        let ticket = ask.part.unwrap_or_else(|| course.replies.owe());
        // What its client knows it by.
        let known_by = self.clients_ticket(ticket);
        if let Some(number) = ask.number {
            self.watch_reply((client, ticket), course, number, read.shelf.keys.clone());
        }
        read.add(Waiter { client, ticket, protocol, joined: None });
        // By which connection the store is asked.
        let link = match self.router.cache().flights().join(Key::bytes(name), self.number, &[]) {
            Role::Lead(lease) => self.lead(ask, read, lease),
            Role::Wait { ticket, new, .. } => Some(self.wait_for(ask, goal, read, (ticket, new))),
        };
        if let Some(link) = link {
            course.pending.add(known_by, link, scope, false);
        }
    }

    /// Leads a flight; by which connection, `None` if its client has its reply already.
    fn lead(&mut self, ask: &Ask<'_, '_>, mut read: Read, lease: Lease) -> Option<LinkId> {
        let (reader, waiter) = (read.link, read.waiters[0]);
        let mut came = vec![];
        if self.came_meanwhile(ask, &read.shelf, &mut came) {
            read.others = self.router.cache().flights().fail(&lease).unwrap_or_default();
            if read.others.is_empty() {
                self.tally.add(ask.route, Count::Hits);
                self.answer(waiter.client, waiter.ticket, came);
                return None;
            }
        }
        self.tally.add(ask.route, Count::Misses);
        if ask.hot && read.of_copy.is_none() && !ask.follows && self.begins_copies(&read) {
            read.copy();
        }
        // What its client asks for behind one that waits must not overtake it.
        Some(if self.begin(read, lease) { reader } else { ELSEWHERE })
    }

    /// Waits for a flight that another read leads, or asks beside it where that comes too soon; by which
    /// connection.
    fn wait_for(
        &mut self,
        ask: &Ask<'_, '_>,
        goal: &Goal,
        mut read: Read,
        (flight, new): (Ticket, bool),
    ) -> LinkId {
        let waiter = read.waiters[0];
        let joined = Waiter { joined: Some(self.clock), ..waiter };
        let known = self.reads.get_mut(&flight.flight);
        // What another thread asks may be done before this client's own requests.
        let follows = |known: &&mut Read| !ask.follows || known.stage != Stage::Elsewhere;
        if let Some(known) = known.filter(follows) {
            self.tally.add(ask.route, Count::Joined);
            known.add(joined);
            let waits = matches!(known.stage, Stage::Elsewhere | Stage::Waiting);
            return if waits { ELSEWHERE } else { goal.reader };
        }
        if new && !ask.follows {
            self.tally.add(ask.route, Count::Joined);
            read.stage = Stage::Elsewhere;
            read.waiters[0] = joined;
            let until = self.now.saturating_add(self.rules.limits.longest_read());
            self.waits.push_back((until, flight));
            self.wake_by(Some(until));
            self.reads.insert(flight.flight, read);
            return ELSEWHERE;
        }
        if new {
            self.router.cache().flights().leave(flight, self.number);
        }
        self.tally.add(ask.route, Count::Passed);
        if ask.number.is_some() {
            self.distrust(waiter.client, waiter.ticket);
        }
        let to = To::Beside { waiter, form: ask.form };
        self.send_read(goal.server, goal.demand, ask.request.bytes, to);
        goal.reader
    }

    fn demand(&self, ask: &Ask<'_, '_>, shelf: &Shelf, home: Home) -> Demand {
        let from = self.rules.routes.all()[ask.route].read_from;
        let (protocol, db) = (Protocol::Resp3, shelf.db);
        let (fence, partition) = (self.fence(shelf.keys.iter()), home.partition);
        Demand { from, fence, protocol, db, partition }
    }

    /// The server that is asked: the one that the key was read from before, if that will do.
    fn server_of_miss(&mut self, demand: &Demand, shelf: &Shelf) -> Result<ServerId, Failure> {
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

    /// Reads a reply anew that is about to end, while others are still given it.
    pub(super) fn refresh(&mut self, ask: &Ask<'_, '_>, shelf: Shelf, hit: Hit) {
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
