//! Scans of all keys where several servers have them: one server after the other. The cursor that a
//! client is given says where it goes on (`topology/cursor.rs`).

use super::Relay;
use super::reply::{Page, To};
use crate::failure::Failure;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::Scope;
use crate::path::split::with_cursor;
use crate::topology::cursor;
use breakwater_resp::{Kind, write_request};

impl Relay {
    /// Asks the server that the cursor names for its next page.
    pub(super) fn scan(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Option<Taken>, Failure> {
        let given =
            std::str::from_utf8(request.args.word(1)).ok().and_then(|text| text.parse().ok());
        let given: u64 = given.ok_or("ERR invalid cursor")?;
        let serving = self.map.serving();
        let (server, own) = cursor::of_master(given);
        // A scan goes over servers that have left, and over those that others stand in for.
        let Some(&next) = serving.iter().find(|one| **one >= server) else {
            let end = if own == 0 { &b"*2\r\n$1\r\n0\r\n*0\r\n"[..] } else { GONE };
            let ticket = course.replies.owe();
            self.answer(request.client, ticket, end.to_vec());
            return Ok(Some(Taken::Done));
        };
        let own = if next == server { own } else { 0 };
        let scope = Scope::All;
        let Some(link) = self.link_for(next, request, course, (&scope, false))? else {
            return Ok(Some(Taken::Later));
        };
        let text = own.to_string();
        let mut words: Vec<&[u8]> = request.args.iter().collect();
        words[1] = text.as_bytes();
        let mut bytes = vec![];
        write_request(&mut bytes, &words);
        let (client, ticket) = (request.client, course.replies.owe());
        course.pending.add(ticket, link, &scope, false);
        self.send(link, &bytes, To::Page(Page { client, ticket, server: next }));
        Ok(Some(Taken::Done))
    }

    /// The page has come.
    pub(super) fn replied_page(&mut self, page: &Page, kind: Kind, reply: Vec<u8>) {
        let Page { client, ticket, server } = *page;
        if kind.is_error() {
            return self.answer(client, ticket, reply);
        }
        let next = self.map.serving().into_iter().find(|one| *one > server);
        let named = with_cursor(&reply, |own| match (own, next) {
            (0, None) => Some(0),
            (0, Some(next)) => cursor::for_master(next, 0),
            (own, _) => cursor::for_master(server, own),
        });
        self.answer(client, ticket, named.unwrap_or_else(|| TOO_LARGE.to_vec()));
    }

    /// It does not come.
    pub(super) fn failed_page(&mut self, page: &Page, error: Vec<u8>) {
        self.answer(page.client, page.ticket, error);
    }
}

const GONE: &[u8] = b"-ERR the store that gave this cursor is not there: begin the scan anew\r\n";
const TOO_LARGE: &[u8] = b"-ERR the store's cursor is too large\r\n";
