//! What an environment (the main thread, a worker) owns, and how it is given back at its end.

use crate::call::{Call, Returns};
use crate::fail::Fail;
use crate::handle::Handle;
use crate::js::{Js, Val};
use crate::mail::Letter;
use crate::outbox::Outbox;
use napi_sys as sys;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Bytes of the area that byte values leave through; longer ones take another way.
pub const SCRATCH: usize = 64 * 1024;

/// An environment. All but the outbox is touched by its own thread alone.
pub struct Env {
    /// Removals on their way to this environment's listeners.
    pub outbox: Arc<Outbox>,
    /// Bytes that did not fit the scratch area, until the facade takes them.
    pub parked: RefCell<Vec<u8>>,
    /// Set while removals are handed to JavaScript.
    pub delivering: Cell<bool>,
    this: Weak<Self>,
    scratch: Cell<*mut u8>,
    /// Bytes of the scratch area that the last value took.
    left: Cell<usize>,
    facade: Cell<Option<Facade>>,
    /// Flights that instances of this environment wait for.
    waits: Cell<usize>,
    handles: RefCell<Slab<Rc<Handle>>>,
}

/// What the facade gave at `setup`.
#[derive(Clone, Copy)]
struct Facade {
    fail: sys::napi_ref,
    deliver: sys::napi_ref,
    fly: sys::napi_ref,
    /// The object that holds the others.
    shared: sys::napi_ref,
}

impl Env {
    /// Makes the state of an environment and ties its end to the environment's.
    pub fn install(js: Js<'_>) -> Result<Rc<Self>, Fail> {
        let env = Rc::new_cyclic(|this| Self {
            outbox: Arc::new(Outbox::new()),
            parked: RefCell::default(),
            delivering: Cell::new(false),
            this: this.clone(),
            scratch: Cell::new(ptr::null_mut()),
            left: Cell::new(0),
            facade: Cell::new(None),
            waits: Cell::new(0),
            handles: RefCell::default(),
        });
        let data = Rc::into_raw(env.clone()) as *mut c_void;
        // SAFETY: the environment is live; the count in `data` is taken back by `end`, which runs
        // once, on this thread.
        let status = unsafe { sys::napi_add_env_cleanup_hook(js.raw(), Some(end), data) };
        if status == sys::Status::napi_ok { Ok(env) } else { Err(Fail::PENDING) }
    }

    /// The environment, for those that keep it alive. Only the environment's own functions call
    /// this, and they keep it alive themselves.
    pub fn this(&self) -> Result<Rc<Self>, Fail> {
        self.this.upgrade().ok_or(Fail::PENDING)
    }

    /// The handle of this number.
    #[inline]
    pub fn handle(&self, js: Js<'_>, number: Val<'_>) -> Result<Rc<Handle>, Fail> {
        let number = js.to_index(number).ok_or_else(Fail::argument)?;
        self.handles.borrow().get(number).cloned().ok_or_else(Fail::argument)
    }

    /// Gives a handle a number, and closes it when `token` is collected, or else when the
    /// environment ends.
    pub fn adopt(&self, js: Js<'_>, token: Val<'_>, handle: Handle) -> Result<usize, Fail> {
        let handle = Rc::new(handle);
        let number = self.handles.borrow_mut().insert(handle.clone());
        handle.set_number(number);
        drop(handle);
        let data = Rc::into_raw(self.this()?) as *mut c_void;
        // SAFETY: `forget` takes back the count above, once.
        let kept = unsafe { js.on_collected(token, data, Some(forget), number as *mut c_void) };
        if kept.is_err() {
            // SAFETY: nobody else will take it back.
            unsafe { forget(js.raw(), data, number as *mut c_void) };
        }
        kept.map(|()| number)
    }

    /// The facade's function that makes errors.
    pub fn fail<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: `setup` made the reference in this environment.
        unsafe { js.kept(facade.fail) }
    }

    /// The facade's function that takes removals.
    pub fn deliver_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: as in `fail`.
        unsafe { js.kept(facade.deliver) }
    }

    /// The facade's function that takes news of flights.
    pub fn fly_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: as in `fail`.
        unsafe { js.kept(facade.fly) }
    }

    /// The instance that a letter is for, if it is still there.
    pub fn addressee(&self, letter: &Letter) -> Option<Rc<Handle>> {
        let handles = self.handles.borrow();
        handles.get(letter.instance).filter(|handle| handle.owner == letter.owner).cloned()
    }

    /// Instances wait for more flights: the process is to live until they have landed.
    pub fn waits_more(&self, js: Js<'_>, more: usize) {
        if self.waits.replace(self.waits.get() + more) == 0 {
            self.outbox.keep_alive(js, true);
        }
    }

    /// Instances wait for fewer flights.
    pub fn waits_less(&self, js: Js<'_>, less: usize) {
        self.forget_waits(less);
        if self.waits.get() == 0 {
            self.outbox.keep_alive(js, false);
        }
    }

    /// As [`Env::waits_less`], where nothing can be told to the runtime: it is told with the next
    /// letter.
    pub fn forget_waits(&self, less: usize) {
        self.waits.set(self.waits.get().saturating_sub(less));
    }

    /// Leaves a byte value for the facade to copy: in the scratch area if it fits.
    #[inline]
    pub fn leave(&self, bytes: &[u8]) {
        let scratch = self.scratch.get();
        if bytes.len() <= SCRATCH && !scratch.is_null() {
            // SAFETY: the area has SCRATCH bytes, is kept by a reference and is touched by this
            // thread alone.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), scratch, bytes.len()) };
            self.left.set(bytes.len());
        } else {
            self.parked.replace(bytes.to_vec());
        }
    }

    /// Runs `f`, which may run JavaScript, and then has the value that waits for the facade again.
    pub fn keeping_value(&self, f: impl FnOnce()) {
        let parked = self.parked.take();
        let len = self.left.replace(0);
        // SAFETY: `leave` wrote `len` bytes there.
        let left = (len > 0)
            .then(|| unsafe { std::slice::from_raw_parts(self.scratch.get(), len) }.to_vec());
        f();
        self.parked.replace(parked);
        if let Some(left) = left {
            self.leave(&left);
        }
    }
}

/// `setup({ fail, deliver, fly, scratch, ... })`: takes the facade's functions and the area of
/// [`SCRATCH`] bytes that it shares with us. Gives back the object that the first facade of the
/// environment brought: a second one (CommonJS beside ES modules) works with that.
pub fn setup<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, env, given) = (call.js, call.on, call.arg::<0>());
    if let Some(facade) = env.facade.get() {
        // SAFETY: made below, in this environment.
        return unsafe { js.kept(facade.shared) };
    }
    // SAFETY: nothing is read or written here. The reference below keeps the area where it is.
    let area = unsafe { js.to_bytes(js.prop(given, c"scratch")?) };
    let area = area.filter(|area| area.len() >= SCRATCH).ok_or_else(Fail::argument)?;
    env.facade.set(Some(Facade {
        fail: js.keep(js.prop(given, c"fail")?)?,
        deliver: js.keep(js.prop(given, c"deliver")?)?,
        fly: js.keep(js.prop(given, c"fly")?)?,
        shared: js.keep(given)?,
    }));
    env.scratch.set(area.as_mut_ptr());
    Ok(given)
}

/// A token was collected: its handle is closed and its number free.
///
/// # Safety
/// `env` and `number` are those of [`Env::adopt`].
unsafe extern "C" fn forget(_env: sys::napi_env, env: *mut c_void, number: *mut c_void) {
    // SAFETY: as the caller promises; this is the count that `adopt` left.
    let env = unsafe { Rc::from_raw(env as *const Env) };
    let handle = env.handles.borrow_mut().try_remove(number as usize);
    // Closing may free a large cache: not while the list is borrowed.
    drop(handle);
}

/// The environment ends: its handles are closed and nobody wakes it any more.
///
/// # Safety
/// `data` came from [`Env::install`].
unsafe extern "C" fn end(data: *mut c_void) {
    // SAFETY: as the caller promises; this is the count that `install` left.
    let env = unsafe { Rc::from_raw(data as *const Env) };
    env.outbox.close();
    let handles = env.handles.take();
    drop(handles);
}
