//! `INFO`: what the store says of itself, and behind that what the node says of itself. Clients learn
//! from it what the store can do, and whether it is ready.

use super::Relay;
use super::reply::{Asked, To};
use crate::command;
use crate::path::course::{Course, Request, Taken};
use breakwater_resp::{Reply, ReplyWriter, RequestParser};

impl Relay {
    /// Asks the store; the node answers for itself while it cannot.
    pub(super) fn inform(&mut self, request: &Request<'_>, course: &mut Course) -> Taken {
        let Ok(server) = self.any_master() else { return Taken::Local };
        let link = self.shared_with(server, request.protocol, request.db);
        if request.user.is_none() || self.refuses(link) {
            return Taken::Local;
        }
        let (client, ticket) = (request.client, course.replies.owe());
        let asked =
            Asked { client, ticket, protocol: request.protocol, request: request.bytes.into() };
        self.send(link, request.bytes, To::Info(Box::new(asked)));
        Taken::Done
    }

    /// The store has answered, or does not.
    pub(super) fn informed(&mut self, asked: &Asked, reply: Option<&[u8]>) {
        let mut text = match reply.map(Reply::decode) {
            Some(Ok(reply @ (Reply::Bulk(_) | Reply::Verbatim(..)))) => {
                String::from_utf8_lossy(reply.text().unwrap_or_default()).into_owned()
            }
            _ => String::new(),
        };
        let mut parser = RequestParser::default();
        parser.parse(&asked.request, true);
        command::write_node(&mut text, parser.args(&asked.request), &self.router);
        let mut bytes = vec![];
        ReplyWriter::new(&mut bytes, asked.protocol).verbatim(*b"txt", text.as_bytes());
        self.answer(asked.client, asked.ticket, bytes);
    }
}
