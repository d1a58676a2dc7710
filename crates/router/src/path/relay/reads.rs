//! Reads whose replies may be remembered, on their way in: what memory has is given. For what it has not,
//! `flights` asks the store.

use super::Relay;
use crate::cache::{Concern, Count, Form, Hit, KeyList, Mode, Shelf, Staleness};
use crate::catalog::Known;
use crate::path::course::{Course, Request};
use crate::sight::{CommandClass, StaleReason};

/// Reads of more keys are not remembered.
const MOST_KEYS: usize = 64;

/// A read, seen from its way in.
pub(super) struct Ask<'a, 'r> {
    pub(super) request: &'a Request<'r>,
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) route: usize,
    pub(super) keys: KeyList,
    /// The number of what its client has registered, if it is to hear of its keys.
    pub(super) number: Option<u64>,
    /// Whether the client has asked for something that may change one of its keys, and waits.
    pub(super) follows: bool,
    /// Its own ticket, if it is a part of another request.
    pub(super) part: Option<u64>,
    /// Whether it is not remembered, and shared since its key is hot.
    pub(super) hot: bool,
}

impl Relay {
    /// Answers a read, or sends it so that its reply is remembered; `false` if it has to be passed
    /// on like any other command.
    pub(super) fn recall(
        &mut self,
        known: &'static Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        tracks: bool,
    ) -> bool {
        let Some(ask) = self.ask(known, request, course) else { return false };
        self.recall_asked(ask, course, out, tracks)
    }

    /// As [`Relay::recall`], for a part of another request. What memory has is left in the output.
    pub(super) fn recall_part(
        &mut self,
        known: &'static Known,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        part: u64,
    ) -> bool {
        let Some(mut ask) = self.ask(known, request, course) else { return false };
        ask.part = Some(part);
        self.recall_asked(ask, course, out, false)
    }

    fn recall_asked(
        &mut self,
        mut ask: Ask<'_, '_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        tracks: bool,
    ) -> bool {
        let request = ask.request;
        if ask.hot && tracks {
            return self.pass(ask.route);
        }
        // Before memory is looked at: what changes from now on is told.
        ask.number = tracks.then(|| self.register(course, &ask.keys));
        let mark = out.len();
        let mode = self.rules.routes.all()[ask.route].mode;
        // Of others it has been looked for: see `usual`.
        let looks = ask.part.is_some() || tracks;
        let get = ask.name == "get" && request.args.len() == 2;
        if looks && get && !ask.follows && !ask.hot && self.get(ask.route, request, out).is_some() {
            return self.hit(&ask, course, out, mark);
        }
        let form = ask.form;
        let shelf = Shelf::new(request.db, ask.name, request.args, ask.keys.clone(), form);
        let Some(shelf) = shelf else { return self.pass(ask.route) };
        if !ask.follows && !ask.hot {
            let hit = self.find(&ask, &shelf, Staleness::Refused, out);
            match (hit, mode) {
                (Some(hit), Mode::Shadow) => {
                    out.truncate(mark);
                    self.tally.add(ask.route, Count::Shadowed);
                    self.refresh(&ask, shelf, hit);
                    return false;
                }
                (Some(hit), _) => {
                    let given = &out[mark..];
                    self.verify(ask.route, request, &shelf, hit, given);
                    self.refresh(&ask, shelf, hit);
                    return self.hit(&ask, course, out, mark);
                }
                (None, _) => {}
            }
        }
        self.miss(&ask, shelf, course, out)
    }

    /// Whether memory has the reply to a read.
    pub(super) fn remembers(
        &self,
        known: &'static Known,
        request: &Request<'_>,
        course: &Course,
    ) -> bool {
        let Ok(ask) = self.look_at(known, request, course) else { return false };
        let mode = self.rules.routes.all()[ask.route].mode;
        let answers = mode == Mode::On && !ask.follows && !ask.hot;
        let shelf = Shelf::new(request.db, ask.name, request.args, ask.keys.clone(), ask.form);
        let found = |shelf| self.find(&ask, &shelf, Staleness::SecondLook, &mut vec![]);
        answers && shelf.and_then(found).is_some()
    }

    /// As [`Relay::look_at`]; one that may not is counted.
    fn ask<'a, 'r>(
        &mut self,
        known: &'static Known,
        request: &'a Request<'r>,
        course: &Course,
    ) -> Option<Ask<'a, 'r>> {
        let looked_at = self.look_at(known, request, course);
        let asked = looked_at.and_then(|ask| match ask.hot && !self.heat.touch(ask.keys.first()) {
            true => Err(ask.route),
            false => Ok(ask),
        });
        asked.inspect_err(|route| self.tally.add(*route, Count::Passed)).ok()
    }

    /// What is to be known of a read that may be answered from memory; its route if it may not.
    pub(super) fn look_at<'a, 'r>(
        &self,
        known: &'static Known,
        request: &'a Request<'r>,
        course: &Course,
    ) -> Result<Ask<'a, 'r>, usize> {
        let words = request.args;
        let mut keys = KeyList::default();
        known.each_key(words, |place, _| keys.push(words.word(place)));
        let form = Form::of(&known.name, words.len());
        let routes = &self.rules.routes;
        let settled = routes.settled(keys.first());
        let route = settled.unwrap_or_else(|| routes.of(keys.first()));
        let of = &routes.all()[route];
        let one = || keys.iter().skip(1).all(|key| routes.settled(key) == settled);
        let concern = request.concern.unwrap_or(of.concern);
        let few = (1..=MOST_KEYS).contains(&keys.len());
        let fits = few && settled.is_some() && one() && form.suits(request.protocol);
        let takes = of.takes(&known.name);
        // Whether it is, who asks finds out.
        let hot = !takes && keys.len() == 1;
        if !fits || concern == Concern::Consistent || !(takes || hot) {
            return Err(route);
        }
        let (name, number, follows) = (&*known.name, None, course.pending.change(keys.iter()));
        Ok(Ask { request, name, form, route, keys, number, follows, part: None, hot })
    }

    /// The reply to a read that was found, if it counts: appends it to `out`.
    pub(super) fn find(
        &self,
        ask: &Ask<'_, '_>,
        shelf: &Shelf,
        staleness: Staleness,
        out: &mut Vec<u8>,
    ) -> Option<Hit> {
        let mark = out.len();
        let hit = self.router.replies.find(shelf, ask.request.protocol, staleness, out)?;
        let patience = if let Staleness::Taken(most) = staleness { most } else { 0 };
        let counts = self.still_counts(ask.route, &hit, out.len() - mark, patience);
        if !counts {
            out.truncate(mark);
        }
        counts.then_some(hit)
    }

    /// Whether a reply of so many bytes may be given: one that was asked for under other rules must be
    /// one that these would have kept.
    #[inline]
    pub(super) fn still_counts(&self, route: usize, hit: &Hit, len: usize, patience: u64) -> bool {
        hit.when() > self.rules.since() || {
            let age = self.router.replies.now().saturating_sub(hit.when());
            self.rules.routes.all()[route].keeps(age, hit.absent, len, patience)
        }
    }

    /// The number of a read's route, and that of the rules.
    pub(super) fn placed(&self, ask: &Ask<'_, '_>) -> (usize, u64) {
        (ask.route, self.rules.number)
    }

    pub(super) fn pass(&mut self, route: usize) -> bool {
        self.tally.add(route, Count::Passed);
        false
    }

    /// What was found is in the output: it leaves behind what the client is owed.
    pub(super) fn hit(
        &mut self,
        ask: &Ask<'_, '_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        mark: usize,
    ) -> bool {
        self.tally.add(ask.route, Count::Hits);
        self.router.note_read(ask.request.db, ask.keys.iter(), out.len() - mark);
        if ask.part.is_none() {
            self.batch.answer(CommandClass::Read);
        }
        if ask.part.is_none() && !course.replies.is_empty() {
            course.replies.make(&out[mark..]);
            out.truncate(mark);
        }
        true
    }

    /// The store is not asked: what is beyond its time is given, where the route allows it. Whether it
    /// is.
    pub(super) fn give_stale(
        &mut self,
        ask: &Ask<'_, '_>,
        shelf: &Shelf,
        course: &mut Course,
        out: &mut Vec<u8>,
        why: StaleReason,
    ) -> bool {
        let patience = self.rules.routes.all()[ask.route].patience(why);
        if patience == 0 || ask.follows || ask.hot {
            return false;
        }
        let (mark, taken) = (out.len(), Staleness::Taken(patience));
        if self.find(ask, shelf, taken, out).is_none() {
            return false;
        }
        self.tally.add(ask.route, Count::StaleGiven);
        self.seat.give_stale(why);
        if ask.number.is_some() {
            self.tell_stale(course, &shelf.keys);
        }
        self.hit(ask, course, out, mark)
    }
}
