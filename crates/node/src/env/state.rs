//! What an environment (the main thread, a worker) owns, whatever it is used for.

use super::letter::Letter;
use super::outbox::Outbox;
use crate::js::{Detail, Fail, Js, Val};
use napi_sys as sys;
use std::cell::{Cell, OnceCell, RefCell};
use std::ptr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Bytes of the area that byte values leave through; longer ones take another way.
pub const SCRATCH: usize = 64 * 1024;

/// Bytes behind the area, for the length of the value that was left last.
const LENGTH: usize = size_of::<u32>();

/// An environment. All but the outbox is touched by its own thread alone.
pub struct Env {
    /// Removals on their way to this environment's listeners.
    pub outbox: Arc<Outbox>,
    /// Bytes that did not fit the scratch area, until the facade takes them.
    pub parked: RefCell<Vec<u8>>,
    /// Set while removals are handed to JavaScript.
    pub delivering: Cell<bool>,
    /// Removals told since the event loop last turned.
    pub told: Cell<usize>,
    /// Whether the facade comes back for more of them in the loop's next turn.
    pub comes_back: Cell<bool>,
    /// Whether the call that ends is that one.
    pub turned: Cell<bool>,
    this: Weak<Self>,
    scratch: Cell<*mut u8>,
    /// Bytes of the value that was left last.
    left: Cell<usize>,
    facade: Cell<Option<Facade>>,
    /// Flights that instances of this environment wait for.
    waits: Cell<usize>,
    reader: OnceCell<LetterReader>,
}

/// Who reads the letters of an environment.
type LetterReader = Box<dyn Fn(Js<'_>, Vec<Letter>)>;

/// What the facade gave at `setup`.
#[derive(Clone, Copy)]
struct Facade {
    fail: sys::napi_ref,
    deliver: sys::napi_ref,
    later: sys::napi_ref,
    fly: sys::napi_ref,
    /// The object that holds the others.
    shared: sys::napi_ref,
}

impl Env {
    /// The state of the environment that runs on this thread.
    pub fn new() -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            outbox: Arc::new(Outbox::new()),
            parked: RefCell::default(),
            delivering: Cell::new(false),
            told: Cell::new(0),
            comes_back: Cell::new(false),
            turned: Cell::new(false),
            this: this.clone(),
            scratch: Cell::new(ptr::null_mut()),
            left: Cell::new(0),
            facade: Cell::new(None),
            waits: Cell::new(0),
            reader: OnceCell::new(),
        })
    }

    /// Who reads letters from now on, once: whoever knows the instances that they are for.
    pub fn read_letters_by(&self, reader: impl Fn(Js<'_>, Vec<Letter>) + 'static) {
        let _ = self.reader.set(Box::new(reader));
    }

    /// Hands letters to their reader.
    pub fn read_letters(&self, js: Js<'_>, letters: Vec<Letter>) {
        if let Some(reader) = self.reader.get() {
            reader(js, letters);
        }
    }

    /// The environment, for those that keep it alive. Only the environment's own functions call
    /// this, and they keep it alive themselves.
    pub fn this(&self) -> Result<Rc<Self>, Fail> {
        self.this.upgrade().ok_or(Fail::PENDING)
    }

    /// Takes the facade's functions and the area that it shares with us: [`SCRATCH`] bytes, and a
    /// length behind them.
    pub fn set_up(&self, js: Js<'_>, given: Val<'_>) -> Result<(), Fail> {
        // SAFETY: nothing is read or written here. The reference below keeps the area where it is.
        let area = unsafe { js.to_bytes(js.prop(given, c"scratch")?) };
        let area = area.filter(|area| area.len() >= SCRATCH + LENGTH).ok_or_else(Fail::argument)?;
        self.facade.set(Some(Facade {
            fail: js.keep(js.prop(given, c"fail")?)?,
            deliver: js.keep(js.prop(given, c"deliver")?)?,
            later: js.keep(js.prop(given, c"later")?)?,
            fly: js.keep(js.prop(given, c"fly")?)?,
            shared: js.keep(given)?,
        }));
        self.scratch.set(area.as_mut_ptr());
        Ok(())
    }

    /// Has another facade make the errors; the one that did is let go.
    pub fn fail_by(&self, js: Js<'_>, fail: Val<'_>) -> Result<(), Fail> {
        if let Some(mut facade) = self.facade.get() {
            let last = std::mem::replace(&mut facade.fail, js.keep(fail)?);
            self.facade.set(Some(facade));
            // SAFETY: `keep` made it in this environment, and nothing leads to it any more.
            unsafe { js.let_go(last) };
        }
        Ok(())
    }

    /// The object that [`Env::set_up`] took; `None` before that.
    pub fn facade<'s>(&self, js: Js<'s>) -> Option<Result<Val<'s>, Fail>> {
        // SAFETY: `set_up` made the reference in this environment.
        self.facade.get().map(|facade| unsafe { js.kept(facade.shared) })
    }

    /// The JavaScript error that a failure becomes; `None` if an exception is pending or none can
    /// be made any more.
    #[cold]
    pub fn error<'s>(&self, js: Js<'s>, fail: Fail) -> Option<Val<'s>> {
        let failure = fail.into_failure()?;
        let mut args = vec![js.text(failure.code).ok()?];
        for detail in failure.details {
            let detail = match detail {
                Detail::Number(n) => js.number(n as f64),
                Detail::Text(text) => js.text(&text),
            };
            args.push(detail.ok()?);
        }
        // SAFETY: as in `facade`.
        let make = unsafe { js.kept(self.facade.get()?.fail) };
        js.call(make.ok()?, &args).ok()
    }

    /// The facade's function that takes removals.
    pub fn deliver_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: as in `facade`.
        unsafe { js.kept(facade.deliver) }
    }

    /// The facade's function that calls `nextTurn` in the event loop's next turn.
    pub fn later_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: as in `facade`.
        unsafe { js.kept(facade.later) }
    }

    /// The facade's function that takes news of flights.
    pub fn fly_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: as in `facade`.
        unsafe { js.kept(facade.fly) }
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

    /// Leaves a byte value for the facade to copy: in the scratch area if it fits. Before `setup`
    /// nobody can ask for one.
    #[inline]
    pub fn leave(&self, bytes: &[u8]) {
        let scratch = self.scratch.get();
        if scratch.is_null() {
            return;
        }
        self.announce(bytes.len());
        if bytes.len() <= SCRATCH {
            // SAFETY: the area has SCRATCH bytes, is kept by a reference and is touched by this
            // thread alone.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), scratch, bytes.len()) };
        } else {
            self.parked.replace(bytes.to_vec());
        }
    }

    /// Tells the facade the length of the value that is left. No value has more than 32 bits of it.
    #[inline]
    fn announce(&self, len: usize) {
        self.left.set(len);
        // SAFETY: as in `leave`; room for a length lies behind the area's SCRATCH bytes.
        unsafe { self.scratch.get().add(SCRATCH).cast::<u32>().write_unaligned(len as u32) };
    }

    /// Runs `f`, which may run JavaScript, and then has the value that waits for the facade again.
    pub fn keeping_value(&self, f: impl FnOnce()) {
        let (scratch, len) = (self.scratch.get(), self.left.get());
        if scratch.is_null() {
            return f();
        }
        let parked = self.parked.take();
        let short = if len <= SCRATCH { len } else { 0 };
        // SAFETY: `leave` wrote so many bytes there.
        let left = unsafe { std::slice::from_raw_parts(scratch, short) }.to_vec();
        f();
        self.leave(&left);
        self.announce(len);
        self.parked.replace(parked);
    }
}
