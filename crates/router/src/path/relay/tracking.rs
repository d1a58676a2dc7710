//! `CLIENT TRACKING` of clients: whoever asks for it gets a connection of its own, by which the store
//! knows what it reads and writes, and tells it of changes. One that others redirect to has one that
//! the store tells.

use super::Relay;
use super::pubsub::INVALIDATE;
use super::reply::To;
use super::step::Step;
use crate::catalog::Known;
use crate::command;
use crate::failure::Failure;
use crate::news::Kind;
use crate::path::course::{Course, Request, Taken};
use crate::path::hold::{Hold, Use};
use crate::policy::{Permissions, User};
use crate::shared::ClientId;
use breakwater_resp::{Protocol, Reply, ReplyWriter, number, write_request};
use std::sync::atomic::Ordering;

impl Relay {
    /// `CLIENT TRACKING`, `CACHING`, `TRACKINGINFO` and `GETREDIR`.
    pub(super) fn track(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
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
        let begins = &*known.name == "client|tracking";
        let bytes = match begins {
            true => self.redirected(request, course)?,
            false => request.bytes.to_vec(),
        };
        let Some(id) = self.pin(request, course)? else { return Ok(Taken::Later) };
        if begins {
            course.own.hold.take(Use::Keep);
        }
        let request = Request { bytes: &bytes, ..*request };
        match course.own.hold == Hold::Kept {
            true => self.over_own(id, Some(known), &request, course),
            false => self.finish_own(known, &request, course),
        }
    }

    /// The request, with the store's number of the client that it redirects to.
    fn redirected(&self, request: &Request<'_>, course: &mut Course) -> Result<Vec<u8>, Failure> {
        let args = request.args;
        let Some(at) = (3..args.len() - 1).find(|at| args.is(*at, "redirect")) else {
            return Ok(request.bytes.to_vec());
        };
        const NOBODY: &str = "ERR The client ID you want redirect to does not exist";
        let id = number::integer(args.word(at + 1))
            .ok_or("ERR value is not an integer or out of range")?;
        let client = ClientId::try_from(id).ok().and_then(|id| self.router.registry.find(id));
        let number = client.ok_or(NOBODY)?.number.load(Ordering::Acquire);
        if number == 0 {
            return Err(NOBODY.into());
        }
        course.redirects = Some(id);
        let number = number.to_string();
        let mut words: Vec<&[u8]> = args.iter().collect();
        words[at + 1] = number.as_bytes();
        let mut bytes = vec![];
        write_request(&mut bytes, &words);
        Ok(bytes)
    }

    /// A client subscribes to the news of changes that others redirect to it.
    pub(super) fn hear_changes(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let Some(id) = self.pin_of(Protocol::Resp3, request, course)? else {
            return Ok(Taken::Later);
        };
        course.own.hold.take(Use::Keep);
        course.topics.add((Kind::Channel, INVALIDATE.to_vec()));
        let mut bytes = vec![];
        let mut reply = ReplyWriter::new(&mut bytes, request.protocol);
        reply.push(3);
        reply.bulk(b"subscribe");
        reply.bulk(INVALIDATE);
        reply.integer(course.topics.count(Kind::Channel) as i64);
        let (client, ticket) = (request.client, course.replies.owe());
        let mut question = vec![];
        write_request(&mut question, &["CLIENT", "ID"]);
        self.send(id, &question, To::Session(Step::Number { client, ticket, bytes }));
        course.settle(ticket);
        Ok(Taken::Done)
    }

    /// The store says what it knows a client's own connection by.
    pub(super) fn set_number(&mut self, client: ClientId, reply: &[u8]) {
        if let (Ok(Reply::Integer(number)), Some(client)) =
            (Reply::decode(reply), self.router.registry.find(client))
        {
            // Release: who redirects to it finds the connection that the store told of.
            client.number.store(number.max(0) as u64, Ordering::Release);
        }
    }
}

/// News of changes as clients of RESP2 have them: a message of a channel.
pub(crate) fn as_message(push: &[u8]) -> Option<Vec<u8>> {
    let keys = push.strip_prefix(b">2\r\n$10\r\ninvalidate\r\n")?;
    let keys = if keys == b"_\r\n" { b"*-1\r\n" } else { keys };
    let mut bytes = b"*3\r\n$7\r\nmessage\r\n$20\r\n".to_vec();
    bytes.extend_from_slice(INVALIDATE);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(keys);
    Some(bytes)
}
