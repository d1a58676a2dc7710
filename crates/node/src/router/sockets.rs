//! The native driver in the event loop of a thread: libuv tells when its poller has something, and a
//! turn of the driver does it. No JavaScript runs for a client.
//!
//! ```text
//! Running    started; libuv calls `ready` and `due`
//! Closing    the driver is gone, its handles are being closed; by `close()`, or by the end of the
//!            environment, whichever comes first
//! Closed     libuv has let go of both handles: the watch is freed
//! ```

use super::hooks::{self, Asker, HookFunction, HookScope};
use super::list;
use super::uv::{self, Handle, Uv};
use crate::env::{Call, Env, Function, Owner, Returns, define, function};
use crate::js::{Fail, Js, Val};
use breakwater_net::{Cost, Driver, Entrance, Fault, Listening, Settings};
use breakwater_router::HookCaller;
use napi_sys as sys;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What libuv's handles belong to. It lives until both are closed.
struct Watch {
    uv: Uv,
    /// `None` once closing.
    driver: RefCell<Option<Driver>>,
    handles: Cell<Option<[Handle; 2]>>,
    /// Handles that libuv has not let go of.
    open: Cell<u8>,
    /// What is told when the environment ends, until it is taken back.
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
    /// Where JavaScript finds it.
    place: Rc<Place>,
    env: sys::napi_env,
    /// The function that is told of panics; null once it is let go.
    told: Cell<sys::napi_ref>,
    /// What is asked about requests, if anything is, and what JavaScript needs around it.
    asks: RefCell<Option<Rc<HookFunction>>>,
    scope: RefCell<Option<Rc<HookScope>>>,
}

/// Where a watch is; null from the moment on that it closes, whoever closes it.
type Place = Cell<*const Watch>;

/// What JavaScript has of it.
struct Sockets {
    env: Rc<Env>,
    place: Rc<Place>,
}

impl Owner for Sockets {
    fn env(&self) -> &Env {
        &self.env
    }
}

const METHODS: &[Function<Sockets>] = &[
    function!(Sockets, c"clients", clients),
    function!(Sockets, c"meet", meet),
    function!(Sockets, c"warm", warm),
    function!(Sockets, c"isWarming", is_warming),
    function!(Sockets, c"enter", enter),
    function!(Sockets, c"drain", drain),
    function!(Sockets, c"setHooks", set_hooks),
    function!(Sockets, c"answer", answer),
    function!(Sockets, c"close", close),
];

/// What an entrance is, in the bits of its second number: see [`start`].
const UNIX: u64 = 1;
const SECURE: u64 = 2;
const PROXIED: u64 = 4;

/// `startSockets(router, entrances, told, hooks)`: serves who connects to listening sockets, in the event loop of
/// the calling thread, and closes them in the end; `undefined`, and the descriptors untouched, where
/// that loop cannot be reached. Each entrance is two numbers: a descriptor, and what it is: 1 a Unix
/// socket, 2 of TLS, 4 behind a proxy. `told(cost, why)` hears of panics: 0 cost one connection, 1 all of
/// this thread, 2 the driver, which serves nobody any more. `hooks` are as in [`set_hooks`].
pub fn start<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let js = call.js;
    let id = js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    let (router, group) = list::find(id).ok_or_else(Fail::handle)?;
    let mut event_loop = ptr::null_mut();
    // SAFETY: the environment is the one that calls.
    let status = unsafe { sys::napi_get_uv_event_loop(js.raw(), &mut event_loop) };
    let (Some(uv), 0) = (Uv::find(), status) else { return js.undefined() };
    let entrances = entrances(js, call.arg::<1>())?;
    let started = Driver::new(router, &group, entrances, Settings::default());
    let driver = started.map_err(|error| no_sockets(&error))?;
    let poller = driver.descriptor();
    let told = js.keep(call.arg::<2>())?;
    let place = Rc::new(Place::new(ptr::null()));
    let watch = Box::into_raw(Box::new(Watch {
        uv,
        driver: RefCell::new(Some(driver)),
        handles: Cell::new(None),
        open: Cell::new(0),
        hook: Cell::new(ptr::null_mut()),
        place: place.clone(),
        env: js.raw(),
        told: Cell::new(told),
        asks: RefCell::default(),
        scope: RefCell::default(),
    }));
    // SAFETY: the loop is this thread's; the watch lives until the handle is closed.
    let poll = unsafe { uv.watch(event_loop.cast(), poller, watch.cast(), ready) };
    let poll = match poll {
        Ok(poll) => poll,
        Err(status) => {
            // SAFETY: it came from a box above, and nobody else knows it.
            drop(unsafe { Box::from_raw(watch) });
            // SAFETY: it was made in this environment, and is not used again.
            unsafe { js.let_go(told) };
            return Err(Fail::internal(&format!("no poll handle: {status}")));
        }
    };
    // SAFETY: as for the poll handle.
    let timer = unsafe { uv.timer(event_loop.cast(), watch.cast()) };
    let mut hook = ptr::null_mut();
    // SAFETY: the environment is live; the watch lives until it has taken the hook back.
    unsafe { sys::napi_add_async_cleanup_hook(js.raw(), Some(ended), watch.cast(), &mut hook) };
    // SAFETY: it lives until both handles are closed, which is not before this returns.
    let watching = unsafe { &*watch };
    watching.handles.set(Some([poll, timer]));
    watching.open.set(2);
    watching.hook.set(hook);
    place.set(watch);
    // Nobody is served past them.
    if let Err(fail) = take_hooks(js, watching, call.arg::<3>()) {
        shut(watching);
        return Err(fail);
    }
    turn(watching);
    let object = js.object()?;
    let sockets = Sockets { env: call.on.this()?, place };
    define(js, object, METHODS, &Rc::new(sockets))?;
    Ok(object)
}

/// Entrances, each as two numbers: see [`start`].
fn entrances(js: Js<'_>, numbers: Val<'_>) -> Result<Vec<Entrance>, Fail> {
    let mut entrances = vec![];
    for at in (0..js.len(numbers).ok_or_else(Fail::argument)?).step_by(2) {
        let descriptor = js.to_number(js.at(numbers, at)?).ok_or_else(Fail::argument)? as c_int;
        let kind = js.to_whole(js.at(numbers, at + 1)?).ok_or_else(Fail::argument)?;
        entrances.push(entrance(descriptor, kind));
    }
    Ok(entrances)
}

fn no_sockets(why: &io::Error) -> Fail {
    Fail::internal(&format!("no sockets: {why}"))
}

/// A listening socket of this descriptor, which its caller gives away.
fn entrance(descriptor: c_int, kind: u64) -> Entrance {
    // SAFETY: the descriptor is open and nobody else's, as the caller says.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let on = match kind & UNIX {
        0 => Listening::Tcp(TcpListener::from(owned)),
        _ => Listening::Unix(UnixListener::from(owned)),
    };
    Entrance { on, secure: kind & SECURE != 0, proxied: kind & PROXIED != 0 }
}

/// One turn of the driver, and the timer for what it comes back for. Panics are caught in it; one that
/// is not ends the driver and not the process.
fn turn(watch: &Watch) {
    let faults = catch_unwind(AssertUnwindSafe(|| try_turn(watch)));
    let mut faults = faults.unwrap_or_else(|_| {
        shut(watch);
        vec![(DRIVER, "the driver of a thread ended".to_owned())]
    });
    if close_scope(watch) {
        shut(watch);
        faults.push((DRIVER, "hooks of a thread cannot be asked".to_owned()));
    }
    for (cost, why) in faults {
        // JavaScript that fails to hear of it is about to end.
        let _ = tell(watch, cost, &why);
    }
}

/// Does what the hooks of a turn left for later; whether one could not be asked: then the environment is
/// ending, and nobody is to be served past them.
fn close_scope(watch: &Watch) -> bool {
    let scope = watch.scope.borrow().clone();
    if let Some(scope) = scope {
        // SAFETY: libuv calls on the thread of the environment, which lives: its end shuts the watch,
        // and after that nothing turns.
        scope.close(unsafe { Js::new(watch.env) });
    }
    let failed = |asks: &Rc<HookFunction>| asks.has_failed();
    watch.driver.borrow().is_some() && watch.asks.borrow().as_ref().is_some_and(failed)
}

/// The cost of a panic that ends the driver: see [`start`].
const DRIVER: u8 = 2;

fn cost(fault: Fault) -> (u8, String) {
    let cost = match fault.cost {
        Cost::Connection => 0,
        Cost::Thread => 1,
    };
    (cost, fault.why)
}

fn try_turn(watch: &Watch) -> Vec<(u8, String)> {
    // A hook that turns the event loop itself comes here in the middle of a turn.
    let Ok(mut driver) = watch.driver.try_borrow_mut() else { return vec![] };
    let (Some(driver), Some([_, timer])) = (driver.as_mut(), watch.handles.get()) else {
        return vec![];
    };
    driver.turn();
    // Until the next turn this thread reads nothing: what others remove is freed without asking it.
    breakwater_engine::rest();
    match driver.timeout(Instant::now()) {
        Some(wait) => {
            // Rounded up: a turn too early would find nothing.
            let wait = wait.as_millis() as u64 + 1;
            // SAFETY: the handles are open as long as there is a driver, and of this thread.
            unsafe { watch.uv.set(timer, due, wait) };
        }
        // SAFETY: as above.
        None => unsafe { watch.uv.unset(timer) },
    }
    driver.faults().into_iter().map(cost).collect()
}

/// Tells JavaScript of a panic.
fn tell(watch: &Watch, cost: u8, why: &str) -> Result<(), Fail> {
    // SAFETY: libuv calls on the thread of the environment, which lives: its end shuts the watch, and
    // after that nothing turns.
    let js = unsafe { Js::new(watch.env) };
    js.scoped(|js| {
        // SAFETY: the reference was made in this environment, and is cleared when it is let go.
        let told = unsafe { js.referent(watch.told.get()) }.ok_or_else(Fail::closed)?;
        js.call_back(told, &[js.number(f64::from(cost))?, js.text(why)?])
    })
}

unsafe extern "C" fn ready(handle: *mut c_void, _status: c_int, _events: c_int) {
    // SAFETY: libuv calls with a handle of ours that is open.
    turn(unsafe { owner(handle) });
}

unsafe extern "C" fn due(handle: *mut c_void) {
    // SAFETY: as in `ready`.
    turn(unsafe { owner(handle) });
}

/// The watch that a handle is of.
///
/// # Safety
/// The handle is one of a watch, and not freed; the watch lives until the last of its handles is.
unsafe fn owner<'w>(handle: *mut c_void) -> &'w Watch {
    // SAFETY: the handle was made here.
    let watch = unsafe { uv::owner(handle) }.cast::<Watch>();
    // SAFETY: the watch lives, as the caller says.
    unsafe { &*watch }
}

/// Ends the driver and its handles; the watch is freed when libuv has let go of them.
fn shut(watch: &Watch) {
    watch.place.set(ptr::null());
    let driver = watch.driver.borrow_mut().take();
    if let Some(handles) = watch.handles.take() {
        for handle in handles {
            // SAFETY: both are open, and of this thread.
            unsafe { watch.uv.close(handle, closed) };
        }
    }
    // After libuv has ceased to watch its descriptor.
    drop(driver);
}

unsafe extern "C" fn closed(handle: *mut c_void) {
    // SAFETY: it is a handle of ours, and not freed yet.
    let place = unsafe { uv::owner(handle) }.cast::<Watch>();
    // SAFETY: the watch lives until its last handle is closed.
    let watch = unsafe { &*place };
    // SAFETY: libuv has let go of it.
    unsafe { uv::free(handle) };
    watch.open.set(watch.open.get() - 1);
    if watch.open.get() > 0 {
        return;
    }
    let hook = watch.hook.get();
    // SAFETY: it came from a box. No handle is left by which libuv would know it, and nothing turns.
    drop(unsafe { Box::from_raw(place) });
    if !hook.is_null() {
        // SAFETY: it is the one that was added, and is taken back once. The environment waits for it.
        unsafe { sys::napi_remove_async_cleanup_hook(hook) };
    }
}

/// The environment ends: it waits until the hook is taken back.
unsafe extern "C" fn ended(hook: sys::napi_async_cleanup_hook_handle, data: *mut c_void) {
    // SAFETY: the watch lives until it has taken the hook back.
    let watch = unsafe { &*data.cast::<Watch>() };
    watch.hook.set(hook);
    shut(watch);
}

impl Sockets {
    /// `None` once it is closing: after a panic nobody asked for it.
    fn watch(&self) -> Option<&Watch> {
        // SAFETY: a watch is freed after it began to close, which clears its place.
        unsafe { self.place.get().as_ref() }
    }
}

/// `clients()`: how many clients this thread serves.
fn clients<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    let count = |watch: &Watch| watch.driver.borrow().as_ref().map_or(0, Driver::clients);
    call.js.number(call.on.watch().map_or(0, count) as f64)
}

/// `meet()`: opens connections to the store before a client needs one.
fn meet<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    if let Some(watch) = call.on.watch() {
        if let Some(driver) = watch.driver.borrow_mut().as_mut() {
            driver.meet();
        }
        turn(watch);
    }
    call.js.undefined()
}

/// `warm(hot)`: reads of the store what another process has read most, as its `hottest` tells it.
fn warm<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    // SAFETY: no JavaScript runs until the bytes are copied.
    let hot = unsafe { call.js.to_bytes(call.arg::<0>()) }.ok_or_else(Fail::argument)?.to_vec();
    if let Some(watch) = call.on.watch() {
        if let Some(driver) = watch.driver.borrow_mut().as_mut() {
            driver.warm(hot);
        }
        turn(watch);
    }
    call.js.undefined()
}

/// `isWarming()`: whether some of that is still to be read.
fn is_warming<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    let warming = |watch: &Watch| watch.driver.borrow().as_ref().is_some_and(Driver::is_warming);
    call.js.boolean(call.on.watch().is_some_and(warming))
}

/// `enter(entrances)`: serves who connects to these as well, see [`start`]; closes them, once it ends.
fn enter<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    let entrances = entrances(call.js, call.arg::<0>())?;
    if let Some(watch) = call.on.watch() {
        if let Some(driver) = watch.driver.borrow_mut().as_mut() {
            driver.enter(entrances).map_err(|error| no_sockets(&error))?;
        }
        turn(watch);
    }
    call.js.undefined()
}

/// `drain(most, within)`: accepts no more, answers what was received and ends so many connections; those
/// that are not done `within` so many milliseconds are cut.
fn drain<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    let most = call.js.to_number(call.arg::<0>()).ok_or_else(Fail::argument)? as usize;
    let within = call.js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)? as u64;
    if let Some(watch) = call.on.watch() {
        if let Some(driver) = watch.driver.borrow_mut().as_mut() {
            driver.drain(most, Duration::from_millis(within));
        }
        turn(watch);
    }
    call.js.undefined()
}

/// `setHooks(hooks)`: from now on these are asked, see [`hooks::asker`]; none, without.
fn set_hooks<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    let js = call.js;
    let Some(watch) = call.on.watch() else { return js.undefined() };
    take_hooks(js, watch, call.arg::<0>())?;
    js.undefined()
}

fn take_hooks(js: Js<'_>, watch: &Watch, given: Val<'_>) -> Result<(), Fail> {
    if watch.scope.borrow().is_none() {
        watch.scope.replace(Some(Rc::new(HookScope::new(js)?)));
    }
    let asker = hooks::asker(js, given, watch.scope.borrow().clone())?;
    let function = asker.as_ref().map(Asker::function);
    if let Some(driver) = watch.driver.borrow_mut().as_mut() {
        driver.set_hooks(asker.map(|asker| Box::new(asker) as Box<dyn HookCaller>));
    }
    if let Some(before) = watch.asks.replace(function) {
        before.let_go(js);
    }
    Ok(())
}

/// `answer(client, number, said)`: a hook answers a question of a client later.
fn answer<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    let js = call.js;
    let client = js.to_whole(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let number = js.to_whole(call.arg::<1>()).ok_or_else(Fail::argument)?;
    let Some(watch) = call.on.watch() else { return js.undefined() };
    let protocol = watch.driver.borrow_mut().as_mut().and_then(|driver| driver.protocol_of(client));
    if let Some(protocol) = protocol {
        let ruling = hooks::answer(js, call.arg::<2>(), protocol)?;
        if let Some(driver) = watch.driver.borrow_mut().as_mut() {
            driver.answer(client, number, ruling);
        }
    }
    js.undefined()
}

/// `close()`: ends everything at once.
fn close<'s>(call: &Call<'s, Sockets>) -> Returns<'s> {
    if let Some(watch) = call.on.watch() {
        shut(watch);
        // SAFETY: it was made in this environment, and is not used again: nothing turns any more.
        unsafe { call.js.let_go(watch.told.replace(ptr::null_mut())) };
        if let Some(asks) = watch.asks.take() {
            asks.let_go(call.js);
        }
        if let Some(scope) = watch.scope.take() {
            scope.end(call.js);
        }
    }
    call.js.undefined()
}
