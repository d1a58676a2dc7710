//! The routing node's core, as the socket driver of one environment holds it.
//!
//! One [`Router`] serves all threads of the process; each thread has a [`Driver`] of its own with
//! the sessions of the connections that it accepted. A chunk of a client's bytes is one call.

use super::bell::NewsBell;
use super::hooks::{self, Asker, HookFunction};
use super::sight::Telling;
use super::{counts, list};
use crate::env::{Call, Env, Function, Owner, Returns, define, function};
use crate::js::{Fail, Js, Val};
use breakwater_net::Room;
use breakwater_router::{
    HookCaller, Mailbox, Next, Output, Peer, RecordingStart, Router, Seat, Seen, Session,
    TOO_MANY_CLIENTS,
};
use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::fmt::Write;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bytes of output buffer that are kept from one chunk to the next.
const KEPT: usize = 1024 * 1024;

/// What the functions of one JavaScript router belong to.
pub struct Driver {
    env: Rc<Env>,
    /// `None` once closed.
    router: RefCell<Option<Arc<Router>>>,
    /// By the number that JavaScript knows each by.
    sessions: RefCell<Vec<Option<Session>>>,
    output: RefCell<Output>,
    /// Where what its clients ask is counted.
    seat: RefCell<Option<Seat>>,
    /// What its clients are told of changes and messages.
    mailbox: Arc<Mailbox>,
    bell: Arc<NewsBell>,
    /// What has a say in requests.
    hooks: RefCell<Option<Asker>>,
    asks: RefCell<Option<Rc<HookFunction>>>,
    /// The router's number in the process, if this driver is the one to take it off the list.
    listed: Cell<Option<u64>>,
}

impl Driver {
    fn new(env: Rc<Env>, router: Arc<Router>, listed: Option<u64>) -> Rc<Self> {
        let bell = Arc::<NewsBell>::default();
        let ringer = bell.clone();
        let mailbox = router.mailbox(move || ringer.ring());
        Rc::new(Self {
            env,
            mailbox,
            bell,
            router: RefCell::new(Some(router)),
            sessions: RefCell::default(),
            output: RefCell::default(),
            seat: RefCell::default(),
            hooks: RefCell::default(),
            asks: RefCell::default(),
            listed: Cell::new(listed),
        })
    }

    pub(super) fn router(&self) -> Result<Ref<'_, Router>, Fail> {
        Ref::filter_map(self.router.borrow(), |router| router.as_deref())
            .map_err(|_| Fail::closed())
    }

    /// The router, for work beyond this call.
    pub(super) fn owned(&self) -> Result<Arc<Router>, Fail> {
        self.router.borrow().clone().ok_or_else(Fail::closed)
    }

    /// Its environment, for the same.
    pub(super) fn lasting(&self) -> &Rc<Env> {
        &self.env
    }

    fn close(&self) {
        if let Some(id) = self.listed.take() {
            list::forget(id);
        }
        self.bell.take_down();
        let sessions = self.sessions.take();
        let router = self.router.take();
        drop((sessions, router));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close();
    }
}

impl Owner for Driver {
    fn env(&self) -> &Env {
        &self.env
    }
}

const METHODS: &[Function<Driver>] = &[
    function!(Driver, c"connect", connect),
    function!(Driver, c"feed", feed),
    function!(Driver, c"hold", hold),
    function!(Driver, c"take", take),
    function!(Driver, c"kills", kills),
    function!(Driver, c"hear", hear),
    function!(Driver, c"news", news),
    function!(Driver, c"clientId", client_id),
    function!(Driver, c"slowReader", slow_reader),
    function!(Driver, c"cutSlow", cut_slow),
    function!(Driver, c"cutForRoom", cut_for_room),
    function!(Driver, c"cutMissing", cut_missing),
    function!(Driver, c"turnAway", turn_away),
    function!(Driver, c"disconnect", disconnect),
    function!(Driver, c"setHooks", set_hooks),
    function!(Driver, c"answer", answer),
    function!(Driver, c"setAddress", set_address),
    function!(Driver, c"stats", stats),
    function!(Driver, c"audit", audit),
    function!(Driver, c"journal", journal),
    function!(Driver, c"record", record),
    function!(Driver, c"recorded", recorded),
    function!(Driver, c"endRecording", end_recording),
    function!(Driver, c"close", close),
];

/// The object that the socket driver works on. `listed` is the router's number if this driver is
/// to take it off the list at its end; `others` are functions that it has beside its own.
pub fn instance<'s>(
    call: &Call<'s, Env>,
    id: u64,
    router: Arc<Router>,
    listed: Option<u64>,
    others: &[Function<Driver>],
) -> Returns<'s> {
    let object = call.js.object()?;
    call.js.put_number(object, c"id", id as f64)?;
    let driver = Driver::new(call.on.this()?, router, listed);
    define(call.js, object, METHODS, &driver)?;
    define(call.js, object, others, &driver)?;
    Ok(object)
}

/// Unix milliseconds.
#[inline]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// `connect(address, local, certificate)`: the new session's number, or the bytes to refuse the client with. The
/// certificate is what the client has shown, as DER, if it did.
fn connect<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let js = call.js;
    let router = call.on.router.borrow().clone().ok_or_else(Fail::closed)?;
    // SAFETY: no JavaScript runs while the bytes are read.
    let certificate =
        unsafe { js.to_bytes(call.arg::<2>()) }.and_then(|der| breakwater_net::shown(der));
    let peer = Peer {
        address: js.to_text(call.arg::<0>()).unwrap_or_default(),
        local: js.to_text(call.arg::<1>()).unwrap_or_default(),
        certificate,
    };
    let mut session = match Session::open_at(&router, peer, now(), &call.on.mailbox) {
        Ok(session) => session,
        Err(refusal) => return js.buffer(&refusal),
    };
    if let Some(hooks) = call.on.hooks.borrow_mut().as_mut()
        && let Err(refusal) = session.greet(hooks)
    {
        return js.buffer(&refusal);
    }
    let mut sessions = call.on.sessions.borrow_mut();
    let free = sessions.iter().position(Option::is_none).unwrap_or_else(|| {
        sessions.push(None);
        sessions.len() - 1
    });
    sessions[free] = Some(session);
    js.number(free as f64)
}

fn index<T>(js: Js<'_>, call: &Call<'_, T>) -> usize {
    js.to_number(call.arg::<0>()).unwrap_or(-1.0) as usize
}

/// `feed(session, chunk, area)`: what the chunk came to: eight times the length of the replies,
/// plus 4 if `kills` has some, plus what comes next: 0 read, 1 resume, 2 close, 3 await the answer of
/// a hook. The replies lie in `area` if they fit, otherwise `take` has them.
#[inline]
fn feed<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let mut hooks = call.on.hooks.borrow_mut();
    let hooks = hooks.as_mut().map(|hooks| hooks as &mut dyn HookCaller);
    give(call, |session, chunk, output| session.feed_past(chunk, now(), output, None, hooks))
}

/// `hold(session, chunk, area)`: as `feed`, but no command runs: the client has yet to take its
/// replies. What it comes to is a refusal, if too much waits.
fn hold<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    give(call, |session, chunk, output| session.hold(chunk, output, None))
}

/// Gives a chunk to a session; what it came to, as `feed` says.
#[inline]
fn give<'s>(
    call: &Call<'s, Driver>,
    take: impl FnOnce(&mut Session, &[u8], &mut Output) -> Next,
) -> Returns<'s> {
    let js = call.js;
    let mut sessions = call.on.sessions.borrow_mut();
    let session =
        sessions.get_mut(index(js, call)).and_then(Option::as_mut).ok_or_else(Fail::closed)?;
    let mut output = call.on.output.borrow_mut();
    let output = &mut *output;
    output.bytes.clear();
    output.bytes.shrink_to(KEPT);
    // SAFETY: no JavaScript runs until this returns but hooks, to which nobody gives it: it comes from
    // the socket.
    let chunk = unsafe { js.to_bytes(call.arg::<1>()) };
    let begun = Instant::now();
    let next = take(session, chunk.unwrap_or_default(), output);
    session.charge(0, &mut output.kills);
    let batch = mem::take(&mut output.batch);
    if !batch.is_empty() {
        let router = call.on.router()?;
        router.note_time(now());
        let mut seat = call.on.seat.borrow_mut();
        let seat = seat.get_or_insert_with(|| router.seat());
        seat.close(&batch, begun.elapsed().as_nanos() as u64);
    }
    let len = output.bytes.len();
    // SAFETY: no JavaScript runs from here on.
    let area = unsafe { js.to_bytes(call.arg::<2>()) };
    if let Some(area) = area.and_then(|area| area.get_mut(..len)) {
        area.copy_from_slice(&output.bytes);
    }
    let next = match next {
        Next::Read => 0.0,
        Next::Resume => 1.0,
        Next::Close => 2.0,
        Next::Await => 3.0,
    };
    let kills = if output.kills.is_empty() { 0.0 } else { 4.0 };
    js.number(len as f64 * 8.0 + kills + next)
}

/// `take(into)`: copies the replies of the last chunk, which did not fit its area.
fn take<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    // SAFETY: no JavaScript runs until this returns.
    let into = unsafe { call.js.to_bytes(call.arg::<0>()) }.ok_or_else(Fail::closed)?;
    let mut output = call.on.output.borrow_mut();
    let len = output.bytes.len().min(into.len());
    into[..len].copy_from_slice(&output.bytes[..len]);
    output.bytes.clear();
    output.bytes.shrink_to(KEPT);
    call.js.number(len as f64)
}

/// `kills()`: the numbers of the clients to be disconnected, whichever thread has them.
fn kills<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let kills = mem::take(&mut call.on.output.borrow_mut().kills);
    let array = call.js.array(kills.len())?;
    for (at, id) in kills.into_iter().enumerate() {
        call.js.put_at(array, at, call.js.number(id as f64)?)?;
    }
    Ok(array)
}

/// `hear(function)`: has the function called, without arguments, when there are news for clients.
fn hear<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    call.on.bell.hang(call.js, call.arg::<0>())?;
    call.js.undefined()
}

/// `news()`: what clients are told of changes and messages: `[client, bytes, ...]`, flat; `undefined` for
/// a client whose connection has to end, since it missed some.
fn news<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let mut told = vec![];
    let mut sessions = call.on.sessions.borrow_mut();
    let all: HashMap<u64, Vec<_>> = call.on.mailbox.take().into_iter().collect();
    for session in sessions.iter_mut().flatten() {
        if let Some(news) = all.get(&session.id()) {
            let mut bytes = vec![];
            let hears = session.hear(news, &mut bytes);
            told.push((session.id(), hears.then_some(bytes)));
        }
    }
    let list = call.js.array(told.len() * 2)?;
    for (at, (client, bytes)) in told.into_iter().enumerate() {
        call.js.put_at(list, at * 2, call.js.number(client as f64)?)?;
        let bytes = bytes.map_or_else(|| call.js.undefined(), |bytes| call.js.buffer(&bytes))?;
        call.js.put_at(list, at * 2 + 1, bytes)?;
    }
    Ok(list)
}

/// `clientId(session)`: the client's number in the process.
fn client_id<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let sessions = call.on.sessions.borrow();
    let session =
        sessions.get(index(call.js, call)).and_then(Option::as_ref).ok_or_else(Fail::closed)?;
    call.js.number(session.id() as f64)
}

/// `setHooks(hooks)`: from now on these are asked, see [`hooks::asker`]; none, without.
fn set_hooks<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let asker = hooks::asker(call.js, call.arg::<0>(), None)?;
    let function = asker.as_ref().map(Asker::function);
    let routes = asker.as_ref().and_then(|asker| asker.hooks().routes().map(<[_]>::to_vec));
    call.on.hooks.replace(asker);
    call.on.router()?.choose_routes(routes.as_deref());
    if let Some(before) = call.on.asks.replace(function) {
        before.let_go(call.js);
    }
    call.js.undefined()
}

/// `answer(session, number, said)`: a hook answers a question of a session later; whether that waited
/// for it, and is to be fed nothing, an empty chunk.
fn answer<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let js = call.js;
    let at = index(js, call);
    let protocol = |session: &Session| session.protocol();
    let protocol = call.on.sessions.borrow().get(at).and_then(Option::as_ref).map(protocol);
    let Some(protocol) = protocol else { return js.boolean(false) };
    let number = js.to_whole(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let ruling = hooks::answer(js, call.arg::<2>(), protocol)?;
    let mut sessions = call.on.sessions.borrow_mut();
    let session = sessions.get_mut(at).and_then(Option::as_mut);
    js.boolean(session.is_some_and(|session| session.answer(number, ruling)))
}

/// `slowReader()`: how long a client may have replies to take and take none, in milliseconds.
fn slow_reader<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    call.js.number(call.on.router()?.slow_reader() as f64)
}

/// `cutSlow(session)`: a client is about to be disconnected since it took none for as long.
fn cut_slow<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    about_to_end(call, Session::lags)
}

/// `cutForRoom(session)`: a client is about to be disconnected since its descriptor is needed to turn others
/// away.
fn cut_for_room<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    about_to_end(call, Session::makes_room)
}

/// `cutMissing(session)`: a client is about to be disconnected since more messages wait for it than may.
fn cut_missing<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    about_to_end(call, Session::misses)
}

fn about_to_end<'s>(call: &Call<'s, Driver>, why: fn(&mut Session)) -> Returns<'s> {
    let at = index(call.js, call);
    if let Some(session) = call.on.sessions.borrow_mut().get_mut(at).and_then(Option::as_mut) {
        why(session);
    }
    call.js.undefined()
}

/// `turnAway(fd)`: what a client is told whose descriptor is not for clients, and it is counted; `undefined`
/// if it is.
fn turn_away<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let js = call.js;
    let number = js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)?;
    if Room::now().is_for_clients(number) {
        return js.undefined();
    }
    call.on.router()?.count_turned_away(1);
    js.buffer(TOO_MANY_CLIENTS)
}

/// `disconnect(session)`: the connection is gone.
fn disconnect<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let at = index(call.js, call);
    let session = call.on.sessions.borrow_mut().get_mut(at).and_then(Option::take);
    drop(session);
    call.js.undefined()
}

/// `setAddress(host, port)`: where clients reach the router.
fn set_address<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let js = call.js;
    let host = js.to_text(call.arg::<0>()).unwrap_or_default();
    let port = js.to_number(call.arg::<1>()).unwrap_or_default();
    call.on.router()?.set_address(&host, port as u16);
    js.undefined()
}

/// `audit()`: what was noted since it was taken last, as lines of JSON.
fn audit<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let lines = call.on.router()?.take_audit(now());
    texts(call.js, &lines)
}

/// `journal()`: who came and who left since this was called last, as lines of JSON.
fn journal<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let lines = call.on.router()?.take_journal();
    texts(call.js, &lines)
}

fn texts<'s>(js: Js<'s>, lines: &[String]) -> Returns<'s> {
    let array = js.array(lines.len())?;
    for (at, line) in lines.iter().enumerate() {
        js.put_at(array, at, js.text(line)?)?;
    }
    Ok(array)
}

/// `stats(whole)`: counts of the router and of its cache; with all that is known of latencies if `whole`
/// is 1.
fn stats<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let whole = call.js.to_number(call.arg::<0>()) == Some(1.0);
    let detail = if whole { Telling::Whole } else { Telling::Read };
    let router = call.on.router()?;
    counts::of(call.js, &router, detail)
}

/// `record(secret, ago)`: whether a recording of what clients read begins, which began so many milliseconds
/// ago elsewhere; one is under way otherwise.
fn record<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let js = call.js;
    // SAFETY: no JavaScript runs until the call returns.
    let secret =
        unsafe { js.to_bytes(call.arg::<0>()) }.and_then(|bytes| (&*bytes).try_into().ok());
    let start = RecordingStart {
        secret: secret.ok_or_else(Fail::closed)?,
        ago: js.to_whole(call.arg::<1>()).unwrap_or(0),
    };
    js.boolean(call.on.router()?.record(start))
}

/// `recorded()`: the rows of a trace that there are since this was called last, and how many were lost.
fn recorded<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    let (js, router) = (call.js, call.on.router()?);
    let (seen, lost) = router.recorded();
    let mut rows = String::with_capacity(seen.len() * 40);
    for Seen { at, key, size } in seen {
        // A text takes whatever is written to it.
        let _ = writeln!(rows, "{}.{:03},{key:016x},{size}", at / 1_000, at % 1_000);
    }
    let both = js.array(2)?;
    js.put_at(both, 0, js.text(&rows)?)?;
    js.put_at(both, 1, js.number(lost as f64)?)?;
    Ok(both)
}

/// `endRecording()`: records no more.
fn end_recording<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    call.on.router()?.end_recording();
    Ok(Val::UNDEFINED)
}

/// `close()`: ends all sessions of this driver and lets the router go.
fn close<'s>(call: &Call<'s, Driver>) -> Returns<'s> {
    call.on.close();
    call.js.undefined()
}
