//! What clients that speak the protocol of a cluster are told by a node in front of one: that the node
//! itself has all slots. So they send everything to it.

use super::Relay;
use super::checks::check_words;
use super::reply::To;
use crate::catalog::Known;
use crate::failure::Failure;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::Scope;
use crate::topology::{SLOTS, slot};
use breakwater_resp::{ReplyWriter, number};

const ONE_SERVER: &str = "ERR this is about one server of the cluster: connect to it";
const NO_SLOT: &str = "ERR Invalid slot";
const LAST_SLOT: i64 = SLOTS as i64 - 1;
/// Why some things are not done in front of a cluster.
pub(super) const NOT_HERE: &str = "ERR not in front of a cluster: connect to one of its servers";

impl Relay {
    /// `CLUSTER` and its parts.
    pub(super) fn speak_as_one(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        check_words(known, request)?;
        let (host, port) = self.reached_at(request);
        let node = OneNode { id: name_of(&host, port), host, port };
        let mut reply = ReplyWriter::new(out, request.protocol);
        match &*known.name {
            "cluster|keyslot" => reply.integer(i64::from(slot(request.args.word(2)))),
            "cluster|myid" | "cluster|myshardid" => reply.bulk(node.id.as_bytes()),
            "cluster|slots" => node.tell_slots(&mut reply),
            "cluster|shards" => node.tell_shards(&mut reply),
            "cluster|nodes" => node.tell_nodes(&mut reply),
            "cluster|info" => tell_info(self.map.is_unknown(), &mut reply),
            "cluster|replicas" | "cluster|slaves" => reply.array(0),
            "cluster|countkeysinslot" | "cluster|getkeysinslot" => {
                return self.ask_of_slot(request, course);
            }
            _ => return Err(ONE_SERVER.into()),
        }
        Ok(Taken::Made)
    }

    /// Asks the master of a slot.
    fn ask_of_slot(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let given = number::integer(request.args.word(2)).and_then(|slot| u16::try_from(slot).ok());
        let slot = given.filter(|slot| *slot < SLOTS).ok_or(NO_SLOT)?;
        let home = self.home_of_slot(slot)?;
        let way = (&Scope::All, false);
        let Some(link) = self.link_for(home.server, request, course, way)? else {
            return Ok(Taken::Later);
        };
        let (client, ticket) = (request.client, course.replies.owe());
        course.pending.add(ticket, link, &Scope::All, false);
        self.send(link, request.bytes, To::read(client, ticket));
        Ok(Taken::Done)
    }

    /// The address by which a client has reached the node.
    fn reached_at(&self, request: &Request<'_>) -> (String, u16) {
        let client = self.router.registry.find(request.client);
        let local = client.map(|client| client.peer.local.clone()).unwrap_or_default();
        let place = local.rsplit_once(':').and_then(|(host, port)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Some((host.to_owned(), port.parse().ok()?))
        });
        place.unwrap_or_else(|| self.router.address.lock().clone())
    }
}

/// The node as the only server of its cluster.
struct OneNode {
    id: String,
    host: String,
    port: u16,
}

impl OneNode {
    /// The reply to `CLUSTER SLOTS`.
    fn tell_slots(&self, reply: &mut ReplyWriter<'_>) {
        reply.array(1);
        reply.array(3);
        reply.integer(0);
        reply.integer(LAST_SLOT);
        reply.array(4);
        reply.bulk(self.host.as_bytes());
        reply.integer(i64::from(self.port));
        reply.bulk(self.id.as_bytes());
        reply.array(0);
    }

    /// The reply to `CLUSTER SHARDS`.
    fn tell_shards(&self, reply: &mut ReplyWriter<'_>) {
        let Self { id, host, port } = self;
        reply.array(1);
        reply.map(2);
        reply.bulk(b"slots");
        reply.array(2);
        reply.integer(0);
        reply.integer(LAST_SLOT);
        reply.bulk(b"nodes");
        reply.array(1);
        reply.map(7);
        let texts: [(&str, &str); 5] = [
            ("id", id),
            ("endpoint", host),
            ("ip", host),
            ("role", "master"),
            ("health", "online"),
        ];
        for (name, value) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
        for (name, value) in [("port", i64::from(*port)), ("replication-offset", 0)] {
            reply.bulk(name.as_bytes());
            reply.integer(value);
        }
    }

    /// The reply to `CLUSTER NODES`.
    fn tell_nodes(&self, reply: &mut ReplyWriter<'_>) {
        let Self { id, host, port } = self;
        let flags = "myself,master - 0 0 1 connected";
        let line = format!("{id} {host}:{port}@{port} {flags} 0-{LAST_SLOT}\n");
        reply.verbatim(*b"txt", line.as_bytes());
    }
}

/// The reply to `CLUSTER INFO`.
fn tell_info(is_unknown: bool, reply: &mut ReplyWriter<'_>) {
    let state = if is_unknown { "fail" } else { "ok" };
    let text = format!(
        "cluster_enabled:1\r\ncluster_state:{state}\r\ncluster_slots_assigned:{SLOTS}\r\n\
         cluster_slots_ok:{SLOTS}\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n\
         cluster_known_nodes:1\r\ncluster_size:1\r\ncluster_current_epoch:1\r\n\
         cluster_my_epoch:1\r\n"
    );
    reply.verbatim(*b"txt", text.as_bytes());
}

/// A name as servers of a cluster have them: 40 digits, the same for the same address.
fn name_of(host: &str, port: u16) -> String {
    let part = |n: u8| crate::path::pending::hash(format!("{n} {host}:{port}").as_bytes());
    format!("{:016x}{:016x}{:08x}", part(0), part(1), part(2) as u32)
}
