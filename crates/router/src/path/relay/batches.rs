//! Transactions on their way over a connection that all share, to a server of a cluster: one of which
//! a part was refused since its keys are elsewhere has not been done, and is sent again, whole.

use super::Relay;
use super::detours::{DetourId, Detours};
use super::refusal::is_refusal;
use super::step::Step;
use crate::failure::{Failure, error_line};
use crate::path::pending::{LinkId, Scope};
use crate::topology::{ServerId, Span};
use breakwater_resp::{Kind, Protocol};
use smallvec::smallvec;
use std::collections::HashMap;

/// Milliseconds until one is tried again.
const PAUSE: u64 = 40;

/// One on its way.
pub(super) struct Batch {
    /// All that was sent: each request that gets a reply of its own.
    whole: Vec<Vec<u8>>,
    /// The keys of all of them.
    scope: Scope,
    /// What the server said that has not done it.
    refused: Option<Vec<u8>>,
    /// Once it was refused: its detour, and until when it is tried.
    pub(super) detour: Option<DetourId>,
    until: u64,
    /// What is the reply in the end.
    last: Vec<u8>,
}

impl Batch {
    /// One that was not sent yet.
    pub(super) fn new(whole: Vec<Vec<u8>>, scope: Scope) -> Self {
        Self { whole, scope, refused: None, detour: None, until: 0, last: vec![] }
    }
}

/// All of a thread, by numbers.
#[derive(Default)]
pub(super) struct Batches {
    all: HashMap<u64, Batch>,
    last: u64,
}

impl Batches {
    /// One is sent; its number.
    pub(super) fn add(&mut self, batch: Batch) -> u64 {
        self.last += 1;
        self.all.insert(self.last, batch);
        self.last
    }

    /// A part was refused: the first says why.
    pub(super) fn refuse(&mut self, batch: u64, reply: &[u8]) {
        if let Some(batch) = self.all.get_mut(&batch) {
            batch.refused.get_or_insert_with(|| reply.to_vec());
        }
    }

    /// The keys of one.
    pub(super) fn meets(&self, batch: u64, scope: &Scope) -> bool {
        self.all.get(&batch).is_none_or(|batch| batch.scope.meets(scope))
    }

    /// The last reply of one has come.
    pub(super) fn end(&mut self, batch: u64) -> Option<Batch> {
        self.all.remove(&batch)
    }
}

/// A transaction that was refused, and is sent again.
pub(super) struct LateBatch {
    pub(super) due: u64,
    /// Whether it waits for another detour.
    behind: bool,
    batch: Batch,
    exec: Step,
    protocol: Protocol,
}

impl LateBatch {
    /// Whether what it has waited for has ended.
    pub(super) fn is_free(&self, detours: &Detours) -> bool {
        self.behind && self.batch.detour.is_none_or(|detour| !detours.is_behind(detour))
    }
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
        let Step::Exec { client, own, batch, .. } = exec else { return None };
        let Some(mut batch) = self.batches.end(batch) else { return Some((exec, reply, kind)) };
        let refusal = is_refusal(kind, &reply);
        let refused = batch.refused.take().or_else(|| refusal.then(|| reply.clone()));
        let aborted = kind.is_error() && (reply.starts_with(b"-EXECABORT") || refusal);
        let (Some(refused), true) = (refused, aborted) else {
            batch.detour.into_iter().for_each(|detour| self.end_detour(detour));
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
        if batch.detour.is_none() {
            batch.until = self.now + self.rules.limits.store_timeout;
            batch.detour = Some(self.detours.begin(smallvec![client], batch.scope.clone(), false));
        } else if batch.until <= self.now {
            batch.detour.into_iter().for_each(|detour| self.end_detour(detour));
            return Some((exec, reply, kind));
        }
        batch.last = reply;
        match self.named(asked, &refused) {
            (Some(target), asks) => self.send_batch(batch, exec, (target, asks), protocol),
            (None, _) => self.put_off_batch(batch, exec, protocol),
        }
        None
    }

    fn put_off_batch(&mut self, batch: Batch, exec: Step, protocol: Protocol) {
        let behind = batch.detour.is_some_and(|detour| self.detours.is_behind(detour));
        let due = if behind { batch.until } else { self.now + PAUSE };
        self.late_batches.push(LateBatch { due, behind, batch, exec, protocol });
        self.wake_by(Some(due));
    }

    /// Sends a transaction again, in its turn: once nothing of its client is on a detour that is before
    /// it and concerns its keys.
    fn send_batch(
        &mut self,
        batch: Batch,
        exec: Step,
        (server, asks): (ServerId, bool),
        protocol: Protocol,
    ) {
        let link = self.shared_with(server, protocol, 0);
        let behind = batch.detour.is_some_and(|detour| self.detours.is_behind(detour));
        let down = self.refuses(link);
        if behind || down || !self.has_room(link, batch.whole.iter()) {
            if batch.until > self.now {
                return self.put_off_batch(batch, exec, protocol);
            }
            let why = if down { error_line(&self.reason(link)) } else { batch.last.clone() };
            return self.fail_batch(batch, exec, why);
        }
        let Step::Exec { client, ticket, changes, db, own, .. } = exec else { return };
        let whole = batch.whole.clone();
        let batch = self.batches.add(batch);
        // `ASKING` lasts to the end of the transaction.
        self.say_asking(link, asks);
        self.send_whole(link, &whole, Step::Exec { client, ticket, changes, db, own, batch });
    }

    /// A transaction is given up that is on its way nowhere.
    fn fail_batch(&mut self, batch: Batch, exec: Step, error: Vec<u8>) {
        batch.detour.into_iter().for_each(|detour| self.end_detour(detour));
        self.failed_session(exec, error);
    }

    /// Sends transactions again that are due, or waited for others.
    pub(super) fn redo_batches(&mut self) {
        let (now, detours) = (self.now, &self.detours);
        let goes = |late: &mut LateBatch| late.due <= now || late.is_free(detours);
        let due: Vec<_> = self.late_batches.extract_if(.., goes).collect();
        for LateBatch { batch, exec, protocol, .. } in due {
            let spans = batch.whole.iter().map(|request| self.span_of(request));
            let span = spans
                .fold(Span::Keyless, |one, more| if one == Span::Keyless { more } else { one });
            match self.home_of_span(span) {
                Ok(home) => self.send_batch(batch, exec, (home.server, false), protocol),
                Err(_) if batch.until > self.now => self.put_off_batch(batch, exec, protocol),
                Err(Failure(why)) => {
                    self.fail_batch(batch, exec, [b"-".as_slice(), &why, b"\r\n"].concat());
                }
            }
        }
    }
}
