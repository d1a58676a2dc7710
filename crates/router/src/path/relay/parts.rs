//! Requests that several servers do, as the catalog says of each (`catalog/split.rs`): sent in parts,
//! whose replies are gathered (`gather`).
//!
//! ```text
//! by key       each server is asked for what it has; of MGET, what memory has is not asked for
//! all          every server that takes writes is asked the same
//! scan         one server after the other: the cursor says which one
//! ```

use super::Relay;
use super::homes::UNSERVED;
use super::read::Waiter;
use super::reply::To;
use super::request::{form_of, spoken};
use super::scope::scope;
use super::tracking::caching;
use crate::cache::{Concern, Form, KeyList};
use crate::catalog::{self, Class, KeyWords, Known, Merge, Split};
use crate::command;
use crate::failure::{Failure, error_line};
use crate::path::changes::Changes;
use crate::path::course::{Course, Request, Taken};
use crate::path::pending::{LinkId, Scope};
use crate::path::split::{AskedPart, Portion, WholeRequest, by_place};
use crate::topology::{Partition, ServerId};
use breakwater_resp::{Protocol, RequestParser, write_request};

/// The values of more keys than these are not remembered one by one.
const MOST_VALUES: usize = 64;

/// What one server is asked.
struct Errand {
    server: ServerId,
    request: Vec<u8>,
    /// Which of the request's keys it is asked for, by their number.
    keys: Vec<usize>,
    changes: Changes,
    scope: Scope,
}

impl Relay {
    /// Sends a request in parts, if it is one that several servers do; `None` if it goes to one.
    /// `tracked`: the keys whose changes the client is to hear of.
    pub(super) fn take_parts(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
        tracked: Option<&KeyList>,
    ) -> Result<Option<Taken>, Failure> {
        let Some(known) = known else { return Ok(None) };
        if self.map.is_one() || known.has_one_key() {
            return Ok(None);
        }
        self.look();
        let split = known.split();
        if !matches!(split, Split::ByKey(..) | Split::All(_) | Split::Scan) {
            return Ok(None);
        }
        if !known.takes(request.args.len()) {
            return Err(command::wrong_arity(&known.name));
        }
        // What tells of changes is spoken over in RESP3, whatever the client speaks.
        let protocol = match tracked {
            Some(_) => Protocol::Resp3,
            None => spoken(form_of(Some(known), request), request),
        };
        let asked = Request { protocol, ..*request };
        match split {
            Split::ByKey(words, merge) => {
                let map = self.map.clone();
                let portions = by_place(request.args, words, |key| map.partition(key));
                let portions = portions.ok_or_else(|| command::wrong_arity(&known.name))?;
                if portions.len() == 1 {
                    return Ok(None);
                }
                if &*known.name == "mget" && tracked.is_none() && self.are_remembered(request) {
                    return self.take_values(request, course, &portions).map(Some);
                }
                let errands = self.errands(known, request, words, portions)?;
                self.run((known, merge, errands), (&asked, request.protocol), course, tracked)
            }
            Split::All(merge) => {
                let errands = self.errands_of_all(known, request);
                self.run((known, merge, errands), (request, request.protocol), course, None)
            }
            _ => self.scan(request, course),
        }
    }

    /// What each server is asked for the keys that it has.
    fn errands(
        &self,
        known: &Known,
        request: &Request<'_>,
        words: KeyWords,
        portions: Vec<Portion<Partition>>,
    ) -> Result<Vec<Errand>, Failure> {
        let writes = known.class == Class::Write;
        let errand = |portion: Portion<Partition>| {
            let key = |at: &usize| request.args.word(1 + at * words.each);
            let keys: KeyList = portion.keys.iter().map(key).collect();
            let scope = Scope::of(keys.iter());
            let changes = if writes { Changes::Keys(keys) } else { Changes::Nothing };
            let server = self.owner(portion.place)?;
            let Portion { request, keys, .. } = portion;
            Ok(Errand { server, request, keys, changes, scope })
        };
        portions.into_iter().map(errand).collect()
    }

    /// What every server is asked.
    fn errands_of_all(&self, known: &Known, request: &Request<'_>) -> Vec<Errand> {
        let errand = |server: ServerId| {
            let changes = self.changes(Some(known), request);
            let (scope, _) = scope(Some(known), request, &changes);
            Errand { server, request: request.bytes.to_vec(), keys: vec![], changes, scope }
        };
        self.map.masters().map(errand).collect()
    }

    /// Sends the parts of a request.
    fn run(
        &mut self,
        (known, merge, errands): (&Known, Merge, Vec<Errand>),
        (request, protocol): (&Request<'_>, Protocol),
        course: &mut Course,
        tracked: Option<&KeyList>,
    ) -> Result<Option<Taken>, Failure> {
        let writes = known.class != Class::Read;
        let mut links = Vec::with_capacity(errands.len());
        for errand in &errands {
            let way = (&errand.scope, writes);
            let asked = (Some(known), request);
            let Some(link) = self.link_to(errand.server, asked, course, way)? else {
                return Ok(Some(Taken::Later));
            };
            links.push(link);
        }
        let (client, ticket) = (request.client, course.replies.owe());
        if let Some(keys) = tracked {
            let number = self.register(course, keys);
            self.watch_reply((client, ticket), course, number, keys.clone());
        }
        let part = |errand: &Errand| AskedPart { keys: errand.keys.clone(), reply: None };
        let parts = errands.iter().map(part).collect();
        let whole = WholeRequest::new(merge, protocol, parts);
        let first = self.gather(ticket, whole);
        for (part, (errand, link)) in (first..).zip(errands.into_iter().zip(links)) {
            course.pending.add(ticket, link, &errand.scope, writes);
            self.invalidate(&errand.changes);
            if tracked.is_some() {
                self.send(link, &caching(), To::Allowed { client, ticket });
            }
            let (changes, protocol) = (errand.changes, request.protocol);
            let to = match writes || tracked.is_some() {
                true => To::Client { client, ticket: part, changes, protocol },
                false => {
                    let waiter = Waiter { client, ticket: part, protocol, joined: None };
                    To::Beside { waiter, form: Form::Alike }
                }
            };
            self.send(link, &errand.request, to);
        }
        Ok(Some(Taken::Done))
    }

    /// Whether the values that an `MGET` asks for may be remembered, and are few enough for that.
    fn are_remembered(&self, request: &Request<'_>) -> bool {
        let routes = &self.rules.routes;
        let mut keys = request.args.from(1).iter();
        request.args.len() <= MOST_VALUES
            && keys.all(|key| {
                let Some(route) = routes.settled(key) else { return false };
                let route = &routes.all()[route];
                let concern = request.concern.unwrap_or(route.concern);
                concern == Concern::Balanced && route.takes("get")
            })
    }

    /// `MGET` of keys in several places: each value is read as by a `GET` of its own, so that it comes
    /// from memory, is remembered, and is read once for all who ask.
    fn take_values(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        portions: &[Portion<Partition>],
    ) -> Result<Taken, Failure> {
        let mut links = vec![0; request.args.len() - 1];
        for portion in portions {
            let server = self.owner(portion.place)?;
            let link = self.shared_with(server, Protocol::Resp3, request.db);
            let scope = Scope::of(portion.keys.iter().map(|key| request.args.word(1 + key)));
            let waits = self.refuses(link) && self.await_server(request.client);
            if waits || course.pending.block(link, &scope, false) {
                return Ok(Taken::Later);
            }
            portion.keys.iter().for_each(|key| links[*key] = link);
        }
        let ticket = course.replies.owe();
        let part = |key: usize| AskedPart { keys: vec![key], reply: None };
        let parts = (0..links.len()).map(part).collect();
        let first = self.gather(ticket, WholeRequest::new(Merge::Values, request.protocol, parts));
        for (part, (key, link)) in (first..).zip(request.args.from(1).iter().zip(links)) {
            self.take_value(key, request, course, (ticket, part, link));
        }
        Ok(Taken::Done)
    }

    fn take_value(
        &mut self,
        key: &[u8],
        request: &Request<'_>,
        course: &mut Course,
        (ticket, part, link): (u64, u64, LinkId),
    ) {
        let (mut bytes, mut parser) = (vec![], RequestParser::default());
        write_request(&mut bytes, &[b"GET".as_slice(), key]);
        parser.parse(&bytes, true);
        let args = parser.args(&bytes);
        let (get, mut known) = (Request { args, bytes: &bytes, ..*request }, vec![]);
        let client = request.client;
        if let Some(row) = catalog::find(args)
            && self.recall_part(row, &get, course, &mut known, part)
        {
            if !known.is_empty() {
                self.answer_part(client, part, known);
            }
        } else if self.refuses(link) {
            let error = error_line(&self.reason(link));
            self.answer_part(client, part, error);
        } else {
            course.pending.add(ticket, link, &Scope::of(std::iter::once(key)), false);
            let protocol = request.protocol;
            let waiter = Waiter { client, ticket: part, protocol, joined: None };
            self.send(link, &bytes, To::Beside { waiter, form: Form::Alike });
        }
    }

    /// Who takes writes of a partition.
    fn owner(&self, partition: Partition) -> Result<ServerId, Failure> {
        self.map.owner(partition).ok_or_else(|| UNSERVED.into())
    }
}
