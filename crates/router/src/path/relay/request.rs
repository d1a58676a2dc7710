//! Requests on their way in: what each one is, whether its user may make it, and where it goes.

use super::checks::check_words;
use super::homes::DOWN;
use super::read::Waiter;
use super::reply::To;
use super::scope::scope;
use super::tracking::caching;
use super::{IN_FLIGHT, Relay};
use crate::cache::{Concern, Form, KeyList};
use crate::catalog::{self, Class, Known, Permissions};
use crate::command::speaks_http;
use crate::failure::Failure;
use crate::path::candidate::Candidate;
use crate::path::changes::Changes;
use crate::path::course::{Course, Request, Stand, Taken};
use crate::path::pending::LinkId;
use crate::shared::{ClientId, Noted};
use crate::sight::CommandClass;
use breakwater_resp::Protocol;
use std::sync::Arc;

impl Relay {
    /// Takes a request; errors are for the client.
    pub(crate) fn take(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        if self.router.pause.may_be() && self.is_paused(request, course) {
            return Ok(Taken::Later);
        }
        if self.answer_at_once(request, course, out) {
            course.last = "get".into();
            return Ok(Taken::Done);
        }
        self.waited = request.waited;
        let taken = self.take_in_turn(request, course, out);
        self.waited = 0;
        taken
    }

    /// Takes a request that is out of the ordinary, or not in memory.
    fn take_in_turn(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
    ) -> Result<Taken, Failure> {
        if let Some(taken) = self.go_on_executing(request.client, course) {
            return Ok(taken);
        }
        let alone = request.stand == Stand::Alone;
        let waits = self.waits_for_replies(request.client, course);
        if alone && waits {
            return Ok(Taken::Later);
        }
        let late = alone && self.rest() == 0;
        let learned;
        let listed = catalog::find(request.args);
        let mut known = listed;
        if known.is_none() && speaks_http(request.args) {
            return Ok(Taken::Local);
        }
        if known.is_none() && request.user.is_some() {
            match self.learn_in_time(request, course, late)? {
                Some(answer) => learned = answer,
                None => return Ok(Taken::Later),
            }
            known = learned.as_deref();
        }
        course.takes(known, request);
        check_user(known, request).inspect_err(|_| course.refuse_transaction())?;
        if let Some(asks) = self.asks_hook(known, request, course) {
            return Ok(asks);
        }
        if late && self.is_lost(listed, known, request, course) {
            let why = self.too_late(request, course);
            self.over_with(known, request.client, course);
            return Err(why);
        }
        // Whose time is over would be woken at once, again and again, and goes on to hear why it fails.
        if alone && !late && self.waits_in_crowd(listed, known, request, course) {
            return Ok(Taken::Later);
        }
        let keys = self.tracks(known, request, course);
        let ticket = course.replies.end();
        let taken = self.carry(listed, known, request, course, out, keys.as_ref());
        course.replies.weigh(ticket, request.bytes.len());
        self.has_taken(taken, known, request, course)
    }

    /// Whether a client has to be given replies before more of it is taken.
    fn waits_for_replies(&self, client: ClientId, course: &mut Course) -> bool {
        let full = course.replies.len() >= IN_FLIGHT
            || course.replies.expected() >= self.rules.limits.output;
        // What is kept in a transaction that is done now waits for its other parts.
        full || course.is_settling() || self.detours.has(client)
    }

    /// What a command is that the table does not have: as [`Relay::learn`], unless the request is too late
    /// to wait for that.
    fn learn_in_time(
        &mut self,
        request: &Request<'_>,
        course: &mut Course,
        late: bool,
    ) -> Result<Option<Option<Arc<Known>>>, Failure> {
        if late && self.learned_of(request.args.word(0)).is_none() {
            course.refuse_transaction();
            return Err(self.too_late(request, course));
        }
        self.learn(request).inspect_err(|_| course.refuse_transaction())
    }

    /// What a hook is to be asked before a request is done, if anything: what becomes of it, or the route
    /// of a key.
    fn asks_hook(
        &self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &Course,
    ) -> Option<Taken> {
        if let Some(hooks) = request.hooks
            && request.user.is_some()
            && let Some(question) = hooks.question(known, request.args)
        {
            return Some(Taken::Asks(question));
        }
        let from = request.chooses.filter(|_| !course.queues())?;
        if request.concern == Some(Concern::Consistent) {
            return None;
        }
        Candidate::of(&self.rules, known?, request.args, from).map(Taken::Chooses)
    }

    /// A request is on its way, answered or refused, and counted; or has to wait.
    fn has_taken(
        &mut self,
        taken: Result<Taken, Failure>,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> Result<Taken, Failure> {
        if let Err(why) = &taken
            && why.0.starts_with(DOWN)
            && self.await_server(request.client)
        {
            // The map may say more in a moment.
            return Ok(Taken::Later);
        }
        if matches!(taken, Ok(Taken::Later)) {
            return taken;
        }
        let class = known.map_or(CommandClass::Other, |known| CommandClass::of(known.class));
        self.batch.request(class);
        if self.rules.audit.is_some() {
            self.note_order(known, request);
        }
        self.over_with(known, request.client, course);
        if !self.awaiting.is_empty() {
            self.awaiting.remove(&request.client);
        }
        taken
    }

    /// Notes an order to the store. Those to the node itself are noted where they are done.
    fn note_order(&self, known: Option<&Known>, request: &Request<'_>) {
        let order = known.is_some_and(|known| {
            known.permissions.contains(Permissions::ADMIN) && known.class != Class::Local
        });
        if order && let Some(client) = self.router.registry.find(request.client) {
            let (user, args) = (request.user, Some(request.args));
            let noted = Noted { client: &client, user, args, now: request.at };
            self.router.note_order(&noted);
        }
    }

    /// Whether a request that has waited for as long as it may needs the store. Who waits for a
    /// connection or a server hears why it does not come.
    fn is_lost(
        &mut self,
        listed: Option<&'static Known>,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> bool {
        let unwatches = known.is_some_and(|known| known.class == Class::Unwatch);
        let waits = course.own.until.is_some() || self.awaiting.contains_key(&request.client);
        !waits && !unwatches && self.needs_store(listed, known, request, course)
    }

    /// A request has waited for as long as it may, and was not sent. If it was to do a transaction, that
    /// is over.
    fn too_late(&mut self, request: &Request<'_>, course: &mut Course) -> Failure {
        self.crowds.remove(request.client);
        if course.transaction.is_some() && catalog::find(request.args).is_some() {
            course.transaction = None;
            self.unwatch(request, course);
        }
        let timeout = self.rules.limits.store_timeout;
        Failure::new(format!(
            "ERR the store has not answered in time: this request waited for {timeout} ms and was \
             not sent"
        ))
    }

    /// Answers a request from memory, or sends it on its way; of changes of these keys its client is to
    /// hear.
    fn carry(
        &mut self,
        listed: Option<&'static Known>,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
        out: &mut Vec<u8>,
        keys: Option<&KeyList>,
    ) -> Result<Taken, Failure> {
        let mut number = None;
        if let Some(keys) = keys
            && self.goes_apart(known, request, course)
        {
            number = self.assured(request, course, keys);
            if number.is_none() {
                return Ok(Taken::Later);
            }
        }
        if let Some(taken) = self.take_session(known, request, course, out)? {
            if let Some(keys) = keys {
                self.track_session(number, keys, &taken, request.client, course);
            }
            return Ok(taken);
        }
        if let Some(taken) = self.take_parts(known, request, course, keys)? {
            return Ok(taken);
        }
        let quiet = keys.is_some() && course.tracking.is_quiet();
        if let Some(known) = listed.filter(|known| known.cacheable && !quiet)
            && known.takes(request.args.len())
            && self.recall(known, request, course, out, keys.is_some())
        {
            return Ok(Taken::Done);
        }
        if let Some(known) = listed.filter(|known| known.cacheable && self.router.is_recorded()) {
            self.router.note_read(request.db, known.keys_of(request.args).into_iter(), 0);
        }
        let converts = quiet && form_of(known, request).is_some();
        if let Some(keys) = keys.filter(|_| request.protocol == Protocol::Resp2 && !converts) {
            number = self.assured(request, course, keys);
            if number.is_none() {
                return Ok(Taken::Later);
            }
        }
        self.pass_on(known, request, course, keys.map(|keys| (number, keys)))
    }

    /// Of changes of these keys a client is to hear which are read in a transaction, or over its own
    /// connection.
    fn track_session(
        &mut self,
        number: Option<u64>,
        keys: &KeyList,
        taken: &Taken,
        client: ClientId,
        course: &mut Course,
    ) {
        match (number, &mut course.transaction) {
            (None, Some(transaction)) => keys.iter().for_each(|key| transaction.reads.push(key)),
            (Some(number), _) if matches!(taken, Taken::Done) || course.execution.is_some() => {
                let ticket = course.replies.end() - 1;
                self.watch_reply((client, ticket), course, number, keys.clone());
            }
            _ => {}
        }
    }

    /// Whether a request goes over a connection that does not tell of changes.
    fn goes_apart(
        &self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
    ) -> bool {
        let exec = known.is_some_and(|known| known.class == Class::Exec)
            && !self.executes_quietly(request, course);
        let blocks = known.is_some_and(|known| known.blocks(request.args));
        exec || (course.transaction.is_none()
            && (blocks || self.own(request.client, course).is_some()))
    }

    /// Sends a request over the connection that all share.
    fn pass_on(
        &mut self,
        known: Option<&Known>,
        request: &Request<'_>,
        course: &mut Course,
        tracked: Option<(Option<u64>, &KeyList)>,
    ) -> Result<Taken, Failure> {
        let home = match self.home_of_message(known, request) {
            Some(home) => home,
            None => self.home(known, request)?,
        };
        let changes = self.changes(known, request);
        let (scope, writes) = scope(known, request, &changes);
        // Where a client is to hear of changes the primary is asked, which tells of them.
        if let Some(known) = known.filter(|known| known.class == Class::Read)
            && tracked.is_none()
            && let Some(taken) = self.take_read(known, request, course, (home, &scope))?
        {
            return Ok(taken);
        }
        let form = form_of(known, request);
        let asked = Request { protocol: spoken(form, request), ..*request };
        let link = self.link_to(home.server, (known, &asked), course, (&scope, writes))?;
        let Some(link) = link else { return Ok(Taken::Later) };
        self.invalidate(&changes);
        let ticket = course.replies.owe();
        course.pending.add(ticket, link, &scope, writes);
        self.note_tracked((link, ticket), request, course, &changes, tracked);
        let (client, protocol) = (request.client, request.protocol);
        let to = match (known.is_some_and(|known| known.class == Class::Read), form) {
            (true, Some(form)) => {
                let joined = None;
                To::Beside { waiter: Waiter { client, ticket, protocol, joined }, form }
            }
            (true, None) => To::read(client, ticket),
            (false, _) => To::Client { client, ticket, changes, protocol },
        };
        self.send(link, request.bytes, to);
        Ok(Taken::Done)
    }

    /// Before a request is sent: what its client is to hear of these keys, and is not to hear of its own
    /// changes.
    fn note_tracked(
        &mut self,
        (link, ticket): (LinkId, u64),
        request: &Request<'_>,
        course: &mut Course,
        changes: &Changes,
        tracked: Option<(Option<u64>, &KeyList)>,
    ) {
        let client = request.client;
        let quiet = self.is_quiet_over(link, course);
        let (own, others) = match tracked {
            Some((None, keys)) if quiet => (keys.clone(), None),
            others => (KeyList::default(), others),
        };
        if quiet {
            let writes = !matches!(changes, Changes::Nothing);
            let requests = writes.then(|| request.bytes.to_vec()).into_iter().collect();
            self.send_quietly(link, (client, ticket), course, requests, own);
        }
        if let Some((number, keys)) = others {
            let promised = number.is_some();
            let number = number.unwrap_or_else(|| self.register(course, keys));
            self.watch_reply((client, ticket), course, number, keys.clone());
            if !promised {
                self.send(link, &caching(), To::Allowed { client, ticket });
            }
        }
    }
}

/// Whether the user of a request may make it.
fn check_user(known: Option<&Known>, request: &Request<'_>) -> Result<(), Failure> {
    let local = known.is_some_and(|known| known.class == Class::Local);
    let user = match request.user {
        // What answers it asks by itself whether it needs a user.
        None if local => return Ok(()),
        None => return Err("NOAUTH Authentication required.".into()),
        Some(user) => user,
    };
    let denied = match known {
        Some(known) => match user.judge(known, request.args) {
            Ok(()) => return Ok(()),
            Err(denial) => {
                check_words(known, request)?;
                denial.failure(known)
            }
        },
        // Of a command that nobody knows, nobody knows what it does.
        None if user.may_all() => return Ok(()),
        None => {
            let name = request.args.word(0);
            let name = String::from_utf8_lossy(&name[..name.len().min(64)]).to_lowercase();
            Failure::new(format!("NOPERM this user has no permissions to run the '{name}' command"))
        }
    };
    Err(denied)
}

/// How what the store says in RESP3 becomes a reply in RESP2, of a request whose reply can. The store
/// is asked in RESP3 then: over one connection for all clients, by which remembered reads go as well.
pub(super) fn form_of(known: Option<&Known>, request: &Request<'_>) -> Option<Form> {
    let known = known.filter(|known| known.cacheable || known.alike)?;
    let form =
        (request.protocol == Protocol::Resp2).then(|| Form::of(&known.name, request.args.len()))?;
    form.suits(Protocol::Resp2).then_some(form)
}

/// The protocol that the store is asked in.
pub(super) fn spoken(form: Option<Form>, request: &Request<'_>) -> Protocol {
    if form.is_some() { Protocol::Resp3 } else { request.protocol }
}
