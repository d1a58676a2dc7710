//! Reads that may go to replicas: which one, and where else if it does not answer.
//!
//! A replica is in service while it is known to follow the primary closely enough (`topology`), and
//! this thread is connected to it. Of those that have all writes that the read has to see, it goes to
//! one of two that are drawn, the one with fewer requests in flight. Where a replica is lost, is late,
//! or says that it cannot answer, its reads are asked elsewhere: a read can be done twice.

use super::Relay;
use super::absent;
use super::homes::{Home, UNSERVED};
use super::read::Stage;
use super::reply::{Demand, Placed, To};
use crate::cache::{Concern, KeyList, Route};
use crate::catalog::Known;
use crate::failure::Failure;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::{LinkId, Scope, hash};
use crate::path::split::with_cursor;
use crate::topology::{
    Fence, Health, PRIMARY, Partition, ReadFrom, ServerId, Shard, choose, cursor,
};
use crate::upstream::Phase;
use breakwater_resp::{Kind, Protocol, write_request};

impl Relay {
    /// What a read of these keys has to see.
    pub(super) fn fence<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Fence {
        let fences = &self.router.topology.fences;
        if fences.are_kept() { fences.of(keys.map(hash)) } else { 0 }
    }

    /// The server that a read goes to: `prefers`, if that will do.
    pub(super) fn server_for(
        &mut self,
        demand: &Demand,
        prefers: Option<ServerId>,
    ) -> Result<ServerId, Failure> {
        self.look();
        let map = self.map.clone();
        let Some(shard) = map.shard(demand.partition) else { return Err(UNSERVED.into()) };
        let primary = shard.master;
        if demand.from == ReadFrom::Primary || shard.replicas.is_empty() {
            return Ok(primary);
        }
        let (mut fit, mut behind) = (vec![], false);
        for &server in &shard.replicas {
            if !self.is_in_service(server, demand.protocol, demand.db) {
                continue;
            }
            if !self.router.topology.has(server, demand.fence) {
                behind = true;
                continue;
            }
            fit.push((server, self.in_flight(server, demand.protocol, demand.db)));
        }
        if fit.is_empty() && behind {
            // It would do, in a moment: the primary has the writes already.
            self.hurry();
            return Ok(primary);
        }
        let prefers = prefers.filter(|server| {
            fit.iter().any(|(fit, _)| fit == server)
                || (*server == primary && demand.from == ReadFrom::PreferReplica)
        });
        let lot = self.lot();
        match prefers.or_else(|| choose(&fit, lot)) {
            Some(server) => Ok(server),
            None if demand.from == ReadFrom::PreferReplica => Ok(primary),
            None => Err(self.no_replica(shard)),
        }
    }

    /// Whether this thread can read a replica. A connection that is missing is opened.
    fn is_in_service(&mut self, server: ServerId, protocol: Protocol, db: u8) -> bool {
        if self.router.topology.health(server) != Health::Up || self.is_open(server) {
            return false;
        }
        let link = self.shared_with(server, protocol, db);
        self.links.get(&link).is_some_and(|link| link.upstream.phase() == Phase::Ready)
    }

    pub(super) fn in_flight(&self, server: ServerId, protocol: Protocol, db: u8) -> usize {
        let link = self.shared.get(&(server, protocol, db)).and_then(|id| self.links.get(id));
        link.map_or(0, |link| link.upstream.waiting())
    }

    fn no_replica(&self, shard: &Shard) -> Failure {
        let topology = &self.router.topology;
        let why: Vec<_> = shard
            .replicas
            .iter()
            .map(|&server| {
                let health = topology.health(server);
                let own = self.shared.get(&(server, Protocol::Resp3, 0));
                match own.filter(|id| self.refuses(**id)) {
                    Some(id) => self.reason(*id),
                    None if health == Health::Up => {
                        format!("{} is not connected yet", topology.name(server))
                    }
                    None => format!("{}: {}", topology.name(server), health.words()),
                }
            })
            .collect();
        Failure::new(format!("ERR no replica is in service: {}", why.join("; ")))
    }

    /// Sends a read that is not remembered to a replica, if one is to answer it.
    pub(super) fn take_read(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
        (home, scope): (Home, &Scope),
    ) -> Result<Option<Taken>, Failure> {
        if self.map.shard(home.partition).is_none_or(|shard| shard.replicas.is_empty()) {
            return Ok(None);
        }
        let words = request.args;
        let mut keys = KeyList::default();
        known.each_key(words, |place, _| keys.push(words.word(place)));
        let scans = matches!(&*known.name, "scan" | "hscan" | "sscan" | "zscan");
        if !self.map.is_one() && (scans || (keys.len() > 1 && &*known.name != "mget")) {
            // Cursors have no room for the numbers of a cluster's servers. Of several keys, one may
            // have left its slot's replicas, and the reply would not show it: see `absent`.
            return Ok(None);
        }
        if scans && let Some((server, cursor)) = cursor_of(request) {
            return match server {
                PRIMARY => Ok(None),
                _ => self.go_on(request, course, scope, (server, &cursor)).map(Some),
            };
        }
        let Some(from) = self.read_from_of(&keys, request) else { return Ok(None) };
        let fence = match keys.is_empty() {
            true => self.router.topology.fences.last(),
            false => self.fence(keys.iter()),
        };
        let (protocol, db) = (request.protocol, request.db);
        let demand = Demand { from, fence, protocol, db, partition: home.partition };
        let server = self.server_for(&demand, None)?;
        let link = self.shared_with(server, protocol, db);
        if server == home.server || course.pending.block(link, scope, false) {
            return Ok(None);
        }
        let (client, ticket) = (request.client, course.replies.owe());
        course.pending.add(ticket, link, scope, false);
        let to = To::read(client, ticket);
        let placed =
            Placed { server, demand, request: request.bytes.into(), to, scans, stays: false };
        self.send_as_replica(link, request.bytes, To::Placed(Box::new(placed)));
        Ok(Some(Taken::Done))
    }

    /// Where the routes of these keys have a read answered; `None` if by the primary. One that concerns
    /// keys of several routes goes where the most careful one says.
    fn read_from_of(&self, keys: &KeyList, request: &Request<'_>) -> Option<ReadFrom> {
        let routes = &self.rules.routes;
        let is_careful = |route: &Route| {
            let concern = request.concern.unwrap_or(route.concern);
            route.read_from == ReadFrom::Primary || concern == Concern::Consistent
        };
        let of_key = |key| routes.settled(key).is_none_or(|at| is_careful(&routes.all()[at]));
        let route = &routes.all()[routes.of(keys.first())];
        let careful = is_careful(route) || keys.iter().any(of_key);
        (!careful).then_some(route.read_from)
    }

    /// Sends a read over the connection that all share to a server.
    pub(super) fn send_read(&mut self, server: ServerId, demand: Demand, request: &[u8], to: To) {
        let link = self.shared_with(server, demand.protocol, demand.db);
        if self.map.leads(server) {
            return self.send(link, request, to);
        }
        let (scans, stays) = (false, false);
        let placed = Placed { server, demand, request: request.into(), to, scans, stays };
        self.send_as_replica(link, request, To::Placed(Box::new(placed)));
    }

    /// Goes on with a scan of a replica.
    fn go_on(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        scope: &Scope,
        (server, cursor): (ServerId, &str),
    ) -> Result<Taken, Failure> {
        let gone = "ERR the replica that gave this cursor is not in service: begin the scan anew";
        let (protocol, db) = (request.protocol, request.db);
        if !self.map.replicas().any(|replica| replica == server)
            || !self.is_in_service(server, protocol, db)
        {
            return Err(gone.into());
        }
        let link = self.shared_with(server, protocol, db);
        if course.pending.block(link, scope, false) {
            return Ok(Taken::Later);
        }
        let mut words: Vec<&[u8]> = request.args.iter().collect();
        words[cursor_place(request.args.word(0))] = cursor.as_bytes();
        let mut bytes = vec![];
        write_request(&mut bytes, &words);
        let (client, ticket) = (request.client, course.replies.owe());
        course.pending.add(ticket, link, scope, false);
        let demand = Demand { from: ReadFrom::Replica, fence: 0, protocol, db, partition: 0 };
        let to = To::read(client, ticket);
        let placed = Placed { server, demand, request: [].into(), to, scans: true, stays: true };
        self.send_as_replica(link, &bytes, To::Placed(Box::new(placed)));
        Ok(Taken::Done)
    }

    /// A replica has answered.
    pub(super) fn replied_placed(&mut self, placed: Placed, kind: Kind, reply: Vec<u8>) {
        if is_unfit(kind, &reply) {
            return self.replace(placed, &said(&reply));
        }
        if self.clustered() && absent::is_likely(&reply) {
            return self.ask_master(placed, kind, reply);
        }
        let reply = if placed.scans { named(placed.server, reply) } else { reply };
        self.replied(placed.to, kind, reply);
    }

    /// A replica answers as if a key was not there. Its slot may be moving: then its master knows who
    /// has the key.
    fn ask_master(&mut self, placed: Placed, kind: Kind, reply: Vec<u8>) {
        let Demand { protocol, db, partition, .. } = placed.demand;
        match self.master_link(partition, protocol, db) {
            Some(link) => self.send(link, &placed.request, placed.to),
            None => self.replied(placed.to, kind, reply),
        }
    }

    /// The connection to the master of a partition, if that can be asked.
    fn master_link(&mut self, partition: Partition, protocol: Protocol, db: u8) -> Option<LinkId> {
        self.look();
        let master = self.map.owner(partition)?;
        let link = self.shared_with(master, protocol, db);
        (!self.refuses(link)).then_some(link)
    }

    /// A replica of a cluster says of a key of a read that it is not there, or as good as says so: the
    /// master is asked in its place, whose reply is remembered. Whether it is.
    pub(super) fn read_of_master(&mut self, flight: u64) -> bool {
        let Some(read) = self.reads.get(&flight).filter(|_| self.clustered()) else { return false };
        let says = read.reply.as_ref().is_some_and(|(_, reply)| absent::is_likely(reply));
        let missing = read.missing || (read.passing && says);
        let server = self.links.get(&read.link).map(|link| link.server);
        if !missing || server.is_none_or(|server| self.map.leads(server)) {
            return false;
        }
        let (key, db) = (read.shelf.keys.first(), read.shelf.db);
        let partition = self.map.partition(key);
        let Some(link) = self.master_link(partition, Protocol::Resp3, db) else {
            // Nobody knows better: it is given, and not remembered.
            self.reads.get_mut(&flight).into_iter().for_each(|read| read.tracked = false);
            return false;
        };
        let Some(mut read) = self.reads.remove(&flight) else { return false };
        let life = self.rules.routes.all()[self.route_of(&read)].ttl;
        let tag = self.map.owner(partition).and_then(|master| self.map.tag(partition, master));
        let generations = tag.and_then(|tag| self.router.replies.begin(&read.shelf, tag, life));
        match (generations, read.lease.take()) {
            (Some(generations), Some(lease)) => {
                read.ask_anew(generations, (link, partition, self.map.epoch));
                self.begin(read, lease);
            }
            (_, lease) => {
                (read.lease, read.tracked) = (lease, false);
                let request = read.request.clone();
                self.send(link, &request, To::Instead(Box::new(read)));
            }
        }
        true
    }

    /// A replica does not answer: what it was asked is asked elsewhere.
    pub(super) fn replace(&mut self, placed: Placed, why: &str) {
        self.take_out(placed.server);
        if placed.stays {
            let gone = "the replica that gave this cursor does not answer: begin the scan anew";
            return self.fail(placed.to, gone);
        }
        match self.server_for(&placed.demand, None) {
            Ok(server) => {
                let Demand { protocol, db, .. } = placed.demand;
                let link = self.shared_with(server, protocol, db);
                let request = placed.request.clone();
                if self.map.leads(server) {
                    return self.send(link, &request, placed.to);
                }
                let placed = To::Placed(Box::new(Placed { server, ..placed }));
                self.send_as_replica(link, &request, placed);
            }
            Err(_) => self.fail(placed.to, why),
        }
    }

    /// A replica is not read until it has said again how it is.
    fn take_out(&mut self, server: ServerId) {
        if self.router.topology.fail(server) {
            self.lose(server);
        }
    }

    /// A read that is to be remembered gets no reply from a replica: whoever waits for it gets that
    /// of another server, which is not remembered. Whether it was sent to one, and had none.
    pub(super) fn read_elsewhere(&mut self, flight: u64, why: &str) -> bool {
        let asked = self.reads.get(&flight).filter(|read| read.stage == Stage::Asked);
        let server = asked.and_then(|read| self.links.get(&read.link)).map(|link| link.server);
        let Some(server) = server.filter(|server| !self.map.leads(*server)) else { return false };
        let Some(mut read) = self.reads.remove(&flight) else { return false };
        // The other server is not asked to tell of changes.
        read.tracked = false;
        let from = self.rules.routes.all()[self.route_of(&read)].read_from;
        let fence = self.fence(read.shelf.keys.iter());
        let (protocol, db, partition) = (Protocol::Resp3, read.shelf.db, read.partition);
        let demand = Demand { from, fence, protocol, db, partition };
        let request = read.request.clone();
        let to = To::Instead(Box::new(read));
        self.replace(Placed { server, demand, request, to, scans: false, stays: false }, why);
        true
    }
}

/// Where the cursor of a scan stands: behind the command, or behind the key.
fn cursor_place(command: &[u8]) -> usize {
    if command.eq_ignore_ascii_case(b"scan") { 1 } else { 2 }
}

/// The server that a scan goes on with, and its cursor there; `None` if the scan begins.
fn cursor_of(request: &Request<'_>) -> Option<(ServerId, String)> {
    let given = request.args.get(cursor_place(request.args.word(0)))?;
    let text = std::str::from_utf8(given).ok()?;
    match text.parse() {
        Ok(0) => None,
        Ok(given) => {
            let (server, cursor) = cursor::decode(given);
            Some((server, cursor.to_string()))
        }
        // The primary says what is wrong with it.
        Err(_) => Some((PRIMARY, String::new())),
    }
}

/// Whether a server says by its reply that it cannot answer reads now.
pub(super) fn is_unfit(kind: Kind, reply: &[u8]) -> bool {
    kind.is_error() && (reply.starts_with(b"-LOADING") || reply.starts_with(b"-MASTERDOWN"))
}

/// What a server has said that cannot answer, for those who get no other answer.
pub(super) fn said(error: &[u8]) -> String {
    let text = String::from_utf8_lossy(error);
    format!("the replica answers {}", text.trim_start_matches('-').trim_end())
}

/// A page of a scan, with a cursor that names its server.
fn named(server: ServerId, page: Vec<u8>) -> Vec<u8> {
    let mut is_too_large = false;
    let named = with_cursor(&page, |own| {
        let cursor = cursor::encode(server, own);
        is_too_large = cursor.is_none();
        cursor
    });
    match named {
        Some(named) => named,
        None if is_too_large => b"-ERR the replica's cursor is too large\r\n".to_vec(),
        None => page,
    }
}
