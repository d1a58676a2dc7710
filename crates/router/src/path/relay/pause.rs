//! `CLIENT PAUSE`, `UNPAUSE` and `UNBLOCK`, which speak of the clients of the node.
//!
//! A request that is held up waits in its client's session, which asks again when the pause is over:
//! each thread ends the wait of its own clients. `CLIENT UNPAUSE` itself is never held up.
//!
//! A client that blocks does so over a connection of its own. The store is asked which number it knows
//! that connection by, and has to end the wait: so the reply is the one that the command gives.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::catalog::{self, Class, Effect, Known};
use crate::failure::Failure;
use crate::path::changes::Changes;
use crate::path::course::{Course, Delivery, Request, Stand, Taken};
use crate::path::letter::Word;
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use breakwater_resp::{Protocol, Reply, number, write_request};
use std::collections::BTreeSet;

const NO_TIME: &str = "ERR timeout is not an integer or out of range";
const NO_MODE: &str = "ERR CLIENT PAUSE mode must be WRITE or ALL";
const NO_REASON: &str = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";

impl Relay {
    /// Whether a request waits until a pause is over.
    pub(super) fn is_paused(&mut self, request: &Request<'_>, course: &mut Course) -> bool {
        if request.stand != Stand::Alone || course.execution.is_some() {
            return false;
        }
        let Some((until, all)) = self.router.pause.until(self.now) else { return false };
        let known = catalog::find(request.args);
        let waits = match known {
            Some(known) if &*known.name == "client|unpause" => false,
            known => all || may_write(known, request, course),
        };
        if waits {
            self.paused.insert(request.client);
            self.wake_by(Some(until));
            // What its client waits for is not the store.
            course.paused = true;
            course.takes(known, request);
        }
        waits
    }

    /// When the clients that wait may go on.
    pub(super) fn paused_until(&self) -> Option<u64> {
        let until = || self.router.pause.until(self.now).map_or(self.now, |(until, _)| until);
        (!self.paused.is_empty()).then(until)
    }

    /// If the pause is over, its clients ask again.
    pub(super) fn wake_paused(&mut self) {
        if !self.paused.is_empty() && self.router.pause.until(self.now).is_none() {
            let clients = std::mem::take(&mut self.paused);
            self.deliveries.extend(clients.into_iter().map(Delivery::wake));
        }
    }

    /// `CLIENT PAUSE`.
    pub(super) fn pause(&mut self, request: &Request<'_>) -> Result<Taken, Failure> {
        check_count(request)?;
        let all = match request.args.get(3) {
            None => true,
            Some(mode) if mode.eq_ignore_ascii_case(b"all") => true,
            Some(mode) if mode.eq_ignore_ascii_case(b"write") => false,
            Some(_) => return Err(NO_MODE.into()),
        };
        let time = number::integer(request.args.word(2)).ok_or(NO_TIME)?;
        let time = u64::try_from(time).map_err(|_| "ERR timeout is negative")?;
        let until = self.now.checked_add(time).filter(|until| i64::try_from(*until).is_ok());
        self.router.pause.begin(until.ok_or("ERR timeout is out of range")?, all);
        Ok(Taken::Said("OK"))
    }

    /// `CLIENT UNPAUSE`: the clients of all threads go on.
    pub(super) fn unpause(&mut self) -> Taken {
        self.router.pause.end();
        let all = self.router.registry.all();
        // Acquire: who has said something has a place.
        let homes = all.iter().map(|client| client.home.load(std::sync::atomic::Ordering::Acquire));
        let homes: BTreeSet<u64> = homes.filter(|home| *home != 0).collect();
        homes.into_iter().for_each(|home| self.write(home, Word::Unpaused));
        Taken::Said("OK")
    }

    /// `CLIENT UNBLOCK`: the store ends the wait, and says whether there was one.
    pub(super) fn unblock(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        check_count(request)?;
        let reason = match request.args.get(3) {
            None => "TIMEOUT",
            Some(reason) if reason.eq_ignore_ascii_case(b"timeout") => "TIMEOUT",
            Some(reason) if reason.eq_ignore_ascii_case(b"error") => "ERROR",
            Some(_) => return Err(NO_REASON.into()),
        };
        let id = number::integer(request.args.word(2))
            .ok_or("ERR value is not an integer or out of range")?;
        let client = u64::try_from(id).ok().and_then(|id| self.router.registry.find(id));
        let Some((server, number)) = client.and_then(|client| client.profile.lock().own) else {
            out.extend_from_slice(b":0\r\n");
            return Ok(Taken::Made);
        };
        let link = self.shared_with(server, request.protocol, request.db);
        if self.is_down(link) {
            return Err(Failure::because(&self.reason(link)));
        }
        let mut bytes = vec![];
        write_request(&mut bytes, &["CLIENT", "UNBLOCK", &number.to_string(), reason]);
        let (client, ticket, protocol) = (request.client, course.replies.owe(), request.protocol);
        let to = To::Client { client, ticket, changes: Changes::Nothing, protocol };
        self.send(link, &bytes, to);
        Ok(Taken::Done)
    }

    /// Clients were killed by one of this protocol and database: the store ends what they wait for before it
    /// is asked for anything that the killer sends next, which would else be given to clients that are gone.
    /// What one of RESP2 sends goes over connections of both protocols, so both say it.
    pub(crate) fn unblock_killed(&mut self, killed: &[ClientId], protocol: Protocol, db: u8) {
        let protocols: &[Protocol] = match protocol {
            Protocol::Resp2 => &[Protocol::Resp2, Protocol::Resp3],
            Protocol::Resp3 => &[Protocol::Resp3],
        };
        for &id in killed {
            let client = self.router.registry.find(id);
            let Some((server, number)) = client.and_then(|client| client.profile.lock().own) else {
                continue;
            };
            let mut bytes = vec![];
            write_request(&mut bytes, &["CLIENT", "UNBLOCK", &number.to_string()]);
            for over in protocols {
                let link = self.shared_with(server, *over, db);
                if !self.is_down(link) {
                    self.send(link, &bytes, To::Nobody);
                }
            }
        }
    }

    /// A client is about to block over its own connection: the store is to know which one that is.
    pub(super) fn name_own(&mut self, id: LinkId, client: ClientId) {
        match self.links.get(&id).map(|link| link.number) {
            Some(Some(_)) => self.show_own(id, client),
            Some(None) => self.send(id, &command_id(), To::Session(Step::Numbered(id))),
            None => {}
        }
    }

    /// The store has said which number it knows a connection by.
    pub(super) fn numbered(&mut self, id: LinkId, reply: &[u8]) {
        if let Ok(Reply::Integer(number)) = Reply::decode(reply) {
            self.knows(id, number);
        }
    }

    /// The store has greeted a connection by `HELLO`'s reply or by the number that it knows it by, and so
    /// before it is sent anything that may block. Who is killed meanwhile is ended there before the killer
    /// goes on.
    pub(super) fn greeted(&mut self, id: LinkId, reply: &[u8]) {
        let Ok(Reply::Map(fields)) = Reply::decode(reply) else { return self.numbered(id, reply) };
        let number = fields.iter().find(|(field, _)| field.text() == Some(b"id"));
        if let Some((_, Reply::Integer(number))) = number {
            self.knows(id, *number);
        }
    }

    fn knows(&mut self, id: LinkId, number: i64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.number = Some(number);
        if let Some(owner) = link.owner {
            self.show_own(id, owner);
        }
    }

    fn show_own(&self, id: LinkId, client: ClientId) {
        let link = self.links.get(&id);
        let own = link.and_then(|link| Some((link.server, link.number?)));
        if let Some(client) = self.router.registry.find(client) {
            client.profile.lock().own = own;
        }
    }

    /// A connection is not its client's any more.
    pub(super) fn disown(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some(owner) = link.owner.take()
            && link.number.is_some()
            && let Some(client) = self.router.registry.find(owner)
        {
            client.profile.lock().own = None;
        }
    }
}

/// Neither has more than one word behind its argument.
fn check_count(request: &Request<'_>) -> Result<(), Failure> {
    if request.args.len() <= 4 {
        return Ok(());
    }
    let name = String::from_utf8_lossy(request.args.word(1)).into_owned();
    Err(Failure::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try CLIENT HELP."
    )))
}

fn command_id() -> Vec<u8> {
    let mut bytes = vec![];
    write_request(&mut bytes, &["CLIENT", "ID"]);
    bytes
}

/// Whether a request may write, or do what replicas are told of: what a pause of writes holds up.
fn may_write(known: Option<&Known>, request: &Request<'_>, course: &Course) -> bool {
    let Some(known) = known else { return true };
    match known.class {
        Class::Exec => {
            let transaction = course.transaction.as_ref();
            transaction.is_some_and(|one| !matches!(one.changes, Changes::Nothing))
        }
        Class::Script | Class::Scope => true,
        _ => {
            matches!(&*known.name, "publish" | "spublish" | "pfcount")
                || !matches!(known.effect(request.args), Effect::Nothing)
        }
    }
}
