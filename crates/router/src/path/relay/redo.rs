//! Requests that a server of a cluster has not done: another one is asked, or the same one later.
//!
//! ```text
//! what it says, or what happens        what is done
//! MOVED                                the server that it names is asked
//! ASK                                  the same, behind ASKING, for this request
//! TRYAGAIN, CLUSTERDOWN, LOADING       whoever has the keys then is asked, a little later
//! the connection was lost before the   the same
//! request was written, or it is a read
//! ```
//! None of these has been done, but for reads, which may be done twice. All of that is bounded: what
//! is said last is the reply then. Clients whose next requests have to wait for a server wait as long
//! (`Relay::await_server`).

use super::Relay;
use super::batches::Batch;
use super::reply::{Again, To};
use super::step::Step;
use crate::catalog;
use crate::failure::{Failure, error_line};
use crate::path::course::Delivery;
use crate::path::pending::LinkId;
use crate::path::transaction::command;
use crate::shared::ClientId;
use crate::topology::{ServerId, Span};
use breakwater_resp::{Kind, Parsed, Protocol, RequestParser};

/// How long, in milliseconds, a request is tried.
const PATIENCE: u64 = 2_000;
/// The first wait before it is tried again, and the longest.
const LEAST: u64 = 10;
const MOST: u64 = 200;
/// So many times another server is asked at once.
const HOPS: u32 = 5;

/// One that waits until it is tried again.
pub(super) struct Redo {
    due: u64,
    again: Again,
    request: Box<[u8]>,
    /// Who is asked, and whether behind `ASKING`; if nobody, whoever has the keys by then.
    target: Option<(ServerId, bool)>,
    protocol: Protocol,
    /// What is the reply in the end.
    last: Vec<u8>,
}

/// What a server says that has not done a request.
#[derive(Debug, PartialEq, Eq)]
enum Refused<'a> {
    Moved(&'a str),
    Ask(&'a str),
    Later,
}

/// What an error of a cluster's server says; `None` if it is the reply.
fn refused(reply: &[u8]) -> Option<Refused<'_>> {
    let line = std::str::from_utf8(reply.strip_prefix(b"-")?).ok()?.trim_end();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let place = || rest.split_once(' ').map(|(_, place)| place);
    match word {
        "MOVED" => Some(Refused::Moved(place()?)),
        "ASK" => Some(Refused::Ask(place()?)),
        "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" => Some(Refused::Later),
        _ => None,
    }
}

/// A host, which may be none, and a port.
fn place(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

/// Whether a reply is an error by which a server of a cluster says that it has not done a request.
pub(super) fn is_refusal(kind: Kind, reply: &[u8]) -> bool {
    kind.is_error() && refused(reply).is_some()
}

impl Relay {
    /// A client waits until the server of its keys can be asked, or has waited for long enough: then
    /// the answer is `false`.
    pub(super) fn await_server(&mut self, client: ClientId) -> bool {
        if !self.clustered() {
            return false;
        }
        let until = *self.awaiting.entry(client).or_insert(self.now + PATIENCE);
        self.wake_by(Some(until));
        self.hurry_map();
        until > self.now
    }

    /// Servers may be reached that could not: who waits for one asks again.
    pub(super) fn wake_awaiting(&mut self) {
        self.deliveries.extend(self.awaiting.keys().map(|client| Delivery::wake(*client)));
    }

    /// A server has not done a request of a client.
    pub(super) fn redirect(&mut self, id: LinkId, to: To, request: &[u8], reply: Vec<u8>) {
        let Some(link) = self.links.get(&id) else { return };
        let (asked, protocol, pinned) = (link.server, link.protocol, link.pin.is_some());
        let (target, asks) = match refused(&reply) {
            Some(Refused::Moved(at)) => (self.named(asked, at), false),
            Some(Refused::Ask(at)) => (self.named(asked, at), true),
            _ => (None, false),
        };
        if let Some(target) = target.filter(|_| !asks) {
            self.hint_map([asked, target]);
        } else if target.is_none() {
            self.hurry_map();
        }
        if let To::Session(Step::Exec { .. }) = to
            && let To::Session(step) = to
        {
            return self.replied_session(id, step, Kind::Error, reply);
        }
        if pinned {
            return self.redirect_own(id, to, request, (target, asks), reply);
        }
        let is_late = target.is_none() && self.is_followed(id, &to, request);
        let Some(again) = self.again(to, &reply) else { return };
        if is_late {
            return self.replied(To::Again(Box::new(again)), Kind::Error, reply);
        }
        let target = target.map(|target| (target, asks));
        match target.filter(|_| again.tries <= HOPS) {
            Some(target) => self.send_again(again, request, target, protocol),
            None => self.put_off(again, request, target, protocol, reply),
        }
    }

    /// The server that an error names.
    fn named(&self, asked: ServerId, at: &str) -> Option<ServerId> {
        let topology = &self.router.topology;
        let (host, port) = place(at)?;
        topology.cluster.as_ref()?.number(&topology.servers, asked, host, port)
    }

    /// What is tried again, and once more often; `None` if it is not, and its end is told.
    fn again(&mut self, to: To, reply: &[u8]) -> Option<Again> {
        let (to, until, tries) = match to {
            To::Again(again) => return Some(Again { tries: again.tries + 1, ..*again }),
            to => (to, self.now + PATIENCE, 1),
        };
        let to = match to {
            // What is read in a detour is not remembered, nor is anybody told of its changes.
            To::Value(flight) => {
                let mut read = self.reads.remove(&flight)?;
                read.tracked = false;
                To::Instead(Box::new(read))
            }
            To::Client { client, ticket, changes, protocol } => {
                self.distrust(client, ticket);
                To::Client { client, ticket, changes, protocol }
            }
            To::Reader { client, ticket } => {
                self.distrust(client, ticket);
                To::Reader { client, ticket }
            }
            To::Placed(placed) => placed.to,
            To::Part { batch } => {
                self.batches.refuse(batch, reply);
                return None;
            }
            To::Session(Step::Promised { client, .. }) => {
                self.give_promise(client, 0);
                return None;
            }
            to @ (To::Beside { .. } | To::Instead(_) | To::Info(_)) => to,
            other => {
                self.replied(other, Kind::Error, reply.to_vec());
                return None;
            }
        };
        self.begin_detour(to.clients());
        Some(Again { to, until, tries })
    }

    /// Asks a server, or later whoever has the keys then.
    fn send_again(
        &mut self,
        again: Again,
        request: &[u8],
        (server, asks): (ServerId, bool),
        protocol: Protocol,
    ) {
        let link = self.shared_with(server, protocol, 0);
        if self.refuses(link) {
            let why = error_line(&self.reason(link));
            return self.put_off(again, request, None, protocol, why);
        }
        if asks {
            // It is for the request behind it alone: both are sent, or none.
            if !self.has_room(link, [request.to_vec()].iter()) {
                let last = b"-ERR too many requests wait for the store\r\n".to_vec();
                return self.put_off(again, request, Some((server, asks)), protocol, last);
            }
            self.send(link, &command("ASKING"), To::Nobody);
        }
        self.send(link, request, To::Again(Box::new(again)));
    }

    /// Whether these are taken, and `ASKING` before them.
    fn has_room<'a>(&self, id: LinkId, requests: impl Iterator<Item = &'a Vec<u8>>) -> bool {
        let (mut count, mut bytes) = (1, 64);
        requests.for_each(|request| (count, bytes) = (count + 1, bytes + request.len()));
        self.links.get(&id).is_some_and(|link| link.upstream.has_room(count, bytes).is_ok())
    }

    /// A request is tried again in a while, or its end has come.
    pub(super) fn put_off(
        &mut self,
        again: Again,
        request: &[u8],
        target: Option<(ServerId, bool)>,
        protocol: Protocol,
        last: Vec<u8>,
    ) {
        if again.until <= self.now {
            return self.replied(To::Again(Box::new(again)), Kind::Error, last);
        }
        let pause = (LEAST << again.tries.min(8)).min(MOST);
        let due = (self.now + pause).min(again.until);
        self.redos.push(Redo { due, again, request: request.into(), target, protocol, last });
        self.hurry_map();
        self.wake_by(Some(due));
    }

    /// A request is not done, since its connection was lost: whether it is tried again.
    pub(super) fn retry(&mut self, to: To, request: &[u8], protocol: Protocol, why: &str) {
        let last = error_line(why);
        if let Some(again) = self.again(to, &last) {
            self.put_off(again, request, None, protocol, last);
        }
    }

    /// Tries what is due.
    pub(super) fn redo(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.redos.extract_if(.., |redo| redo.due <= now).collect();
        for Redo { mut again, request, target, protocol, last, .. } in due {
            again.tries += 1;
            let mut home = || self.home_of_span(self.span_of(&request)).map(|home| home.server);
            match target.map_or_else(|| home().map(|server| (server, false)), Ok) {
                Ok(target) => self.send_again(again, &request, target, protocol),
                Err(_) => self.put_off(again, &request, None, protocol, last),
            }
        }
        self.redo_batches();
        let over: Vec<_> =
            self.awaiting.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        self.deliveries.extend(over.into_iter().map(Delivery::wake));
    }

    /// When something is due.
    pub(super) fn redo_at(&self) -> Option<u64> {
        let waits = self.awaiting.values().copied().filter(|until| *until > self.now);
        let late = self.late_batches.iter().map(|late| late.due);
        self.redos.iter().map(|redo| redo.due).chain(late).chain(waits).min()
    }

    /// What the keys of a request belong to, by its bytes.
    fn span_of(&self, request: &[u8]) -> Span {
        let mut parser = RequestParser::default();
        let Parsed::Command(len) = parser.parse(request, true) else { return Span::Keyless };
        let args = parser.args(&request[..len]);
        let learned = || self.learned_of(args.word(0));
        match catalog::find(args) {
            Some(known) => self.span_of_words(known, args),
            None => learned().map_or(Span::Keyless, |known| self.span_of_words(&known, args)),
        }
    }

    /// A request over a client's own connection was not done: the connection leads elsewhere from now
    /// on, if nothing is known of the client there yet.
    fn redirect_own(
        &mut self,
        id: LinkId,
        to: To,
        request: &[u8],
        (target, asks): (Option<ServerId>, bool),
        reply: Vec<u8>,
    ) {
        let alone = self.links.get(&id).is_some_and(|link| link.to.is_empty());
        let begins = match &to {
            To::Session(Step::Last { watched: false, .. }) => true,
            To::Client { .. } => is_watch(request),
            _ => false,
        };
        match (to, target) {
            (to @ (To::Session(Step::Last { .. }) | To::Client { .. }), Some(target))
                if alone && begins && !(asks && is_watch(request)) =>
            {
                self.lead_elsewhere(id, target);
                if asks {
                    self.send(id, &command("ASKING"), To::Nobody);
                }
                match matches!(to, To::Session(_)) {
                    true => self.send_patiently(id, request, to),
                    false => self.send(id, request, to),
                }
            }
            (To::Part { batch }, _) => self.batches.refuse(batch, &reply),
            (To::Client { client, ticket, .. }, _) if is_watch(request) => {
                // What was watched has moved: it is as if it had changed, once the client asks anew.
                let error = b"-TRYAGAIN the keys are moving to another server\r\n".to_vec();
                self.answer(client, ticket, error);
            }
            (to @ To::Client { .. }, target) => {
                let link = self.links.get(&id).map(|link| link.protocol);
                let (Some(again), Some(protocol)) = (self.again(to, &reply), link) else { return };
                match target {
                    Some(target) => self.send_again(again, request, (target, asks), protocol),
                    None => self.put_off(again, request, None, protocol, reply),
                }
            }
            (To::Session(step), _) => self.replied_session(id, step, Kind::Error, reply),
            (to, _) => self.replied(to, Kind::Error, reply),
        }
    }
}

/// A transaction that was refused, and is sent again.
pub(super) struct LateBatch {
    due: u64,
    batch: Batch,
    exec: Step,
    protocol: Protocol,
}

impl Relay {
    /// A transaction has ended. One that was refused since its keys are elsewhere is sent again; `None`
    /// if so.
    pub(super) fn ended_batch(
        &mut self,
        id: LinkId,
        exec: Step,
        kind: Kind,
        reply: Vec<u8>,
    ) -> Option<(Step, Vec<u8>, Kind)> {
        let Step::Exec { own, batch, .. } = exec else { return None };
        let Some(mut batch) = self.batches.end(batch) else { return Some((exec, reply, kind)) };
        let refused =
            batch.refused.take().or_else(|| is_refusal(kind, &reply).then(|| reply.clone()));
        let aborted =
            kind.is_error() && (reply.starts_with(b"-EXECABORT") || is_refusal(kind, &reply));
        let (Some(refused), true) = (refused, aborted) else {
            self.end_batch_detour(&batch, &exec);
            return Some((exec, reply, kind));
        };
        self.hurry_map();
        let link = self.links.get(&id);
        let (asked, protocol) = link.map(|link| (link.server, link.protocol))?;
        if own {
            // What was watched has moved: it is as if it had changed.
            let null =
                if protocol == Protocol::Resp3 { b"_\r\n".to_vec() } else { b"*-1\r\n".to_vec() };
            return Some((exec, null, Kind::Null));
        }
        let Step::Exec { client, .. } = exec else { return None };
        if batch.until == 0 {
            batch.until = self.now + PATIENCE;
            self.begin_detour([client]);
        } else if batch.until <= self.now {
            self.end_detour([client]);
            return Some((exec, reply, kind));
        }
        let (target, asks) = match self::refused(&refused) {
            Some(Refused::Moved(at)) => (self.named(asked, at), false),
            Some(Refused::Ask(at)) => (self.named(asked, at), true),
            _ => (None, false),
        };
        let asked = [client];
        match target {
            Some(target) => self.send_batch(batch, exec, (target, asks), protocol),
            None if self.are_followed(id, &asked, &[]) => {
                self.end_detour([client]);
                return Some((exec, reply, kind));
            }
            None => self.put_off_batch(batch, exec, protocol),
        }
        None
    }

    /// A transaction that was on a detour has ended.
    pub(super) fn end_batch_detour(&mut self, batch: &Batch, exec: &Step) {
        if let Step::Exec { client, .. } = exec
            && batch.until != 0
        {
            self.end_detour([*client]);
        }
    }

    fn put_off_batch(&mut self, batch: Batch, exec: Step, protocol: Protocol) {
        let due = self.now + LEAST * 4;
        self.late_batches.push(LateBatch { due, batch, exec, protocol });
        self.wake_by(Some(due));
    }

    fn send_batch(
        &mut self,
        batch: Batch,
        exec: Step,
        (server, asks): (ServerId, bool),
        protocol: Protocol,
    ) {
        let link = self.shared_with(server, protocol, 0);
        let Step::Exec { client, ticket, changes, db, own, .. } = exec else { return };
        if self.refuses(link) || !self.has_room(link, batch.whole.iter()) {
            let exec = Step::Exec { client, ticket, changes, db, own, batch: 0 };
            if batch.until <= self.now {
                let why = error_line(&self.reason(link));
                self.end_detour([client]);
                return self.failed_session(exec, why);
            }
            return self.put_off_batch(batch, exec, protocol);
        }
        if asks {
            // It lasts to the end of the transaction.
            self.send(link, &command("ASKING"), To::Nobody);
        }
        let whole = batch.whole;
        let batch = self.batches.add(whole.clone(), batch.until);
        self.send_whole(link, &whole, Step::Exec { client, ticket, changes, db, own, batch });
    }

    /// Sends transactions again that are due.
    fn redo_batches(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.late_batches.extract_if(.., |late| late.due <= now).collect();
        for LateBatch { batch, exec, protocol, .. } in due {
            let spans = batch.whole.iter().map(|request| self.span_of(request));
            let span = spans
                .fold(Span::Keyless, |one, more| if one == Span::Keyless { more } else { one });
            match self.home_of_span(span) {
                Ok(home) => self.send_batch(batch, exec, (home.server, false), protocol),
                Err(_) if batch.until > self.now => self.put_off_batch(batch, exec, protocol),
                Err(Failure(why)) => {
                    self.end_batch_detour(&batch, &exec);
                    self.failed_session(exec, [b"-".as_slice(), &why, b"\r\n"].concat());
                }
            }
        }
    }
}

fn is_watch(request: &[u8]) -> bool {
    let mut parser = RequestParser::default();
    match parser.parse(request, true) {
        Parsed::Command(len) => parser.args(&request[..len]).is(0, "watch"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, place, refused};

    #[test]
    fn what_a_server_has_not_done_is_told_from_its_replies() {
        assert_eq!(refused(b"-MOVED 7 10.0.0.1:70\r\n"), Some(Refused::Moved("10.0.0.1:70")));
        assert_eq!(refused(b"-ASK 7 :70\r\n"), Some(Refused::Ask(":70")));
        assert_eq!(refused(b"-TRYAGAIN Multiple keys\r\n"), Some(Refused::Later));
        assert_eq!(refused(b"-CLUSTERDOWN The cluster is down\r\n"), Some(Refused::Later));
        for other in
            [b"-ERR MOVED 7 a:1\r\n".as_slice(), b"-MOVED\r\n", b"-MOVED 7\r\n", b"+OK\r\n"]
        {
            assert_eq!(refused(other), None);
        }
        assert_eq!(place("a:70"), Some(("a", 70)));
        assert_eq!(place("[::1]:70"), Some(("::1", 70)));
        assert_eq!((place(":70"), place("a"), place("a:x")), (Some(("", 70)), None, None));
    }
}
