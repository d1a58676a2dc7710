//! `CLIENT TRACKING ... NOLOOP`: who wrote a key is known to the store alone. Whoever asks for it has
//! a connection of its own, by which the store knows what it reads and writes. The client that is
//! told in its place gets one as well, by which the store tells it.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::catalog::Known;
use crate::failure::Failure;
use crate::path::course::{Course, Delivery, Request, Taken};
use crate::path::hold::{Hold, Use};
use crate::path::letter::Word;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use crate::topology::PRIMARY;
use breakwater_resp::{Protocol, Reply, number, write_request};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

const NOBODY: &str = "ERR The client ID you want redirect to does not exist";

/// Connections that hear for clients of this thread.
#[derive(Default)]
pub(super) struct Loops {
    ears: HashMap<ClientId, LinkId>,
    /// Clients whose targets could not be given one.
    refused: HashSet<ClientId>,
}

impl Relay {
    /// Tracks over a connection of the client's own.
    pub(super) fn track_by_own(
        &mut self,
        known: &Known,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        let begins = &*known.name == "client|tracking";
        let bytes = match begins {
            true => self.redirected(request)?,
            false => Some(request.bytes.to_vec()),
        };
        let Some(bytes) = bytes else { return Ok(Taken::Later) };
        let server = self.any_master()?;
        let Some(id) = self.pin(server, request, course)? else { return Ok(Taken::Later) };
        if begins {
            course.own.hold.take(Use::Keep);
        }
        let request = Request { bytes: &bytes, ..*request };
        match course.own.hold {
            Hold::Kept => self.over_own(id, Some(known), &request, course),
            _ => self.finish_own(known, &request, course),
        }
    }

    /// The request, with the store's number of the client that it redirects to; `None` if that is
    /// still to come.
    fn redirected(&mut self, request: &Request<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let args = request.args;
        let Some(at) = (3..args.len() - 1).find(|at| args.is(*at, "redirect")) else {
            return Ok(Some(request.bytes.to_vec()));
        };
        let id = number::integer(args.word(at + 1))
            .ok_or("ERR value is not an integer or out of range")?;
        let target = ClientId::try_from(id).ok().and_then(|id| self.router.registry.find(id));
        let target = target.ok_or(NOBODY)?;
        // Acquire: the connection is there whose number it is.
        let number = target.number.load(Ordering::Acquire);
        if number == 0 {
            let home = target.home.load(Ordering::Acquire);
            if home == 0 || self.loops.refused.remove(&request.client) {
                return Err("ERR the client to redirect to has no connection to the store".into());
            }
            let word =
                Word::Hear { client: target.id, thread: self.number, source: request.client };
            self.write(home, word);
            return Ok(None);
        }
        let number = number.to_string();
        let mut words: Vec<&[u8]> = args.iter().collect();
        words[at + 1] = number.as_bytes();
        let mut bytes = vec![];
        write_request(&mut bytes, &words);
        Ok(Some(bytes))
    }

    /// A client of this thread is to be told by the store itself, for another one of that thread.
    pub(super) fn hear_for(&mut self, client: ClientId, thread: u64, source: ClientId) {
        let room = self.pins_left() > 0;
        let id = match self.loops.ears.get(&client) {
            Some(id) => *id,
            None if room => {
                let id = self.open_pin((PRIMARY, Protocol::Resp3, 0));
                if let Some(link) = self.links.get_mut(&id) {
                    link.owner = Some(client);
                }
                self.loops.ears.insert(client, id);
                id
            }
            None => return self.write(thread, Word::Heard { source, refused: true }),
        };
        let mut question = vec![];
        write_request(&mut question, &["CLIENT", "ID"]);
        self.send(id, &question, To::Session(Step::Number { client, thread, source }));
    }

    /// The store says what it knows a client's own connection by, or does not.
    pub(super) fn set_number(
        &mut self,
        client: ClientId,
        reply: Option<&[u8]>,
        (thread, source): (u64, ClientId),
    ) {
        let number = match reply.map(Reply::decode) {
            Some(Ok(Reply::Integer(number))) => number.max(0) as u64,
            _ => 0,
        };
        let found = self.router.registry.find(client).filter(|_| number != 0);
        if let Some(client) = &found {
            // Release: who redirects to it finds the connection that the store told of.
            client.number.store(number, Ordering::Release);
        }
        self.write(thread, Word::Heard { source, refused: found.is_none() });
    }

    /// Who is to be told for a client has a connection, or gets none.
    pub(super) fn heard_for(&mut self, source: ClientId, refused: bool) {
        if refused {
            self.loops.refused.insert(source);
        }
        self.deliveries.push(Delivery::wake(source));
    }

    /// A client is told by nobody any more.
    pub(super) fn stop_hearing_for(&mut self, client: ClientId) {
        self.loops.refused.remove(&client);
        if let Some(id) = self.loops.ears.remove(&client) {
            if let Some(client) = self.router.registry.find(client) {
                client.number.store(0, Ordering::Release);
            }
            self.close_pin(id, "the client has ended");
        }
    }
}
