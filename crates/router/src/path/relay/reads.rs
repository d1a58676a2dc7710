//! Reads that the cache answers, or that fill it: hits, flights, values and how long they live.

use super::Relay;
use super::changes::Changes;
use super::reply::To;
use crate::failure::Failure;
use crate::path::course::{Course, Delivery, LinkId, Request, Taken};
use crate::shared::ClientId;
use crate::store::DbKey;
use breakwater_engine::{Lease, Role, Ticket};
use breakwater_resp::{Kind, Protocol, Reply, ReplyWriter, write_request};

/// A read of a key, for one client or many.
pub(super) struct Read {
    /// The right to store it; none if it is for one client alone.
    pub(super) lease: Option<Lease>,
    pub(super) waiters: Vec<(ClientId, u64, Protocol)>,
    /// The reply, from when it has come until its life is known.
    pub(super) value: Option<Vec<u8>>,
}

impl Read {
    fn flight(&self) -> Option<Ticket> {
        self.lease.as_ref().map(Lease::ticket)
    }
}

impl Relay {
    /// A `GET`: from the cache, from a read that is under way, or by a read of its own.
    pub(super) fn get(
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
    pub(super) fn join(
        &mut self,
        key: &DbKey,
        flight: Ticket,
        waiter: (ClientId, u64, Protocol),
    ) -> bool {
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
    pub(super) fn read_beside(
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
    pub(super) fn read(
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

    /// The value of a key has come: all who wait get it, in the protocol of each.
    pub(super) fn value(&mut self, number: u64, kind: Kind, reply: Vec<u8>) {
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
    pub(super) fn life(&mut self, number: u64, reply: &[u8]) {
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
    pub(super) fn take_read(&mut self, number: u64) -> Option<(Lease, Option<Vec<u8>>)> {
        let Read { lease, value, .. } = self.reads.remove(&number)?;
        let lease = lease?;
        if self.by_key.get(lease.key().bytes) == Some(&number) {
            self.by_key.remove(lease.key().bytes);
        }
        Some((lease, value))
    }
}
