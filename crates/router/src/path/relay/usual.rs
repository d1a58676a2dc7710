//! The usual request, answered in few steps: a `GET` that memory has the reply to, of a client that is in
//! the middle of nothing. Whatever is out of the ordinary goes the long way, which would give the same
//! reply (`request`, `reads`).

use super::{IN_FLIGHT, Relay};
use crate::cache::{Concern, Count, Hit, Mode};
use crate::path::course::{Course, Request, Stand};
use crate::sight::CommandClass;
use std::iter;

impl Relay {
    /// Answers a request from memory, if it is the usual one and memory has the reply.
    #[inline]
    pub(super) fn answer_at_once(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> bool {
        let words = request.args;
        let usual = words.len() == 2 && words.is(0, "get") && request.stand == Stand::Alone;
        if !usual || !course.is_free() || !self.awaiting.is_empty() {
            return false;
        }
        if !request.user.is_some_and(|user| user.gets(words.word(1))) {
            return false;
        }
        let replies = &course.replies;
        if replies.len() >= IN_FLIGHT || replies.expected() >= self.rules.limits.output {
            return false;
        }
        if !self.map.is_one() {
            self.look();
        }
        let key = words.word(1);
        if request.hooks.is_some_and(|hooks| hooks.concern_get(key)) {
            return false;
        }
        let Some(route) = self.rules.routes.settled(key) else { return false };
        let concern = self.rules.routes.all()[route].concern;
        if request.concern.unwrap_or(concern) == Concern::Consistent
            || course.pending.change(iter::once(key))
        {
            return false;
        }
        let mark = out.len();
        if self.get(route, request, out).is_none() {
            return false;
        }
        self.tally.add(route, Count::Hits);
        self.router.note_read(request.db, iter::once(key), out.len() - mark);
        self.batch.request(CommandClass::Read);
        self.batch.answer(CommandClass::Read);
        if !course.replies.is_empty() {
            course.replies.make(&out[mark..]);
            out.truncate(mark);
        }
        true
    }

    /// The reply to a `GET` by a route that gives replies and looks after none of them: appends it to
    /// `out`.
    #[inline]
    pub(super) fn get(
        &self,
        route: usize,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Hit> {
        let of = &self.rules.routes.all()[route];
        let checks = of.verify > 0.0 || of.refresh_ahead > 0.0;
        if of.mode != Mode::On || checks || !of.takes("get") {
            return None;
        }
        let mark = out.len();
        let (key, now) = (request.args.word(1), self.moment);
        let hit = self.router.replies.get(request.db, key, request.protocol, now, out)?;
        let counts = self.still_counts(route, &hit, out.len() - mark, 0);
        if !counts {
            out.truncate(mark);
        }
        counts.then_some(hit)
    }
}
