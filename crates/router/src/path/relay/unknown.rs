//! Commands that are not in the table: the store is asked what they are, once.

use super::Relay;
use super::reply::To;
use super::step::Step;
use crate::catalog::{self, Known};
use crate::failure::Failure;
use crate::path::course::{Delivery, Request};
use crate::shared::ClientId;
use breakwater_resp::{Reply, write_request};
use std::sync::Arc;

/// The most names that are kept, and the longest one.
const NAMES: usize = 1024;
const LONGEST: usize = 64;
/// How long, in milliseconds, the store is believed that it has no such command.
const FORGOTTEN: u64 = 1_000;

/// What is known of a command that is not in the table.
pub(super) enum Answer {
    /// The store was asked; these clients wait.
    Asked(Vec<ClientId>),
    Told(Arc<Known>),
    /// It had none of that name at this time.
    Nothing(u64),
}

impl Relay {
    /// What the store has said of a command of this name.
    pub(super) fn learned_of(&self, name: &[u8]) -> Option<Arc<Known>> {
        match self.answers.get(&name.to_ascii_lowercase()) {
            Some(Answer::Told(known)) => Some(known.clone()),
            _ => None,
        }
    }

    /// What the store says of the command of a request; `None` if that is still to come.
    pub(super) fn learn(
        &mut self,
        request: &Request<'_>,
    ) -> Result<Option<Option<Arc<Known>>>, Failure> {
        let name = request.args.word(0).to_ascii_lowercase();
        if name.len() > LONGEST {
            return Ok(Some(None));
        }
        match self.answers.get_mut(&name) {
            Some(Answer::Told(known)) => return Ok(Some(Some(known.clone()))),
            Some(Answer::Nothing(at)) if *at + FORGOTTEN > self.now => return Ok(Some(None)),
            Some(Answer::Asked(clients)) => {
                if !clients.contains(&request.client) {
                    clients.push(request.client);
                }
                return Ok(None);
            }
            _ => {}
        }
        let server = self.any_master()?;
        let link = self.shared_with(server, request.protocol, request.db);
        if self.refuses(link) {
            return Err(Failure::because(&self.reason(link)));
        }
        if self.answers.len() >= NAMES {
            self.answers.retain(|_, answer| matches!(answer, Answer::Asked(_)));
        }
        self.answers.insert(name.clone(), Answer::Asked(vec![request.client]));
        let mut question = vec![];
        write_request(&mut question, &[b"COMMAND".as_slice(), b"INFO", &name]);
        self.for_all(|relay| relay.send(link, &question, To::Session(Step::Learn(name))));
        Ok(None)
    }

    /// The store has said it, or will not: whoever waits asks again.
    pub(super) fn learned(&mut self, name: Vec<u8>, reply: Option<&[u8]>) {
        let known = reply.and_then(|reply| match Reply::decode(reply) {
            Ok(Reply::Array(parts)) => parts.first().and_then(catalog::learn),
            _ => None,
        });
        let answer = known.map_or(Answer::Nothing(self.now), |known| Answer::Told(Arc::new(known)));
        if let Some(Answer::Asked(clients)) = self.answers.insert(name, answer) {
            self.deliveries.extend(clients.into_iter().map(Delivery::wake));
        }
    }
}
