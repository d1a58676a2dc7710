//! What a facade owns, whatever it is used for. Each load of the package's JavaScript is a facade: a
//! thread has one, or more of them, as with a test runner's registry for each file.

use super::letter::Letter;
use super::outbox::Outbox;
use crate::js::{Detail, Fail, Js, Val};
use napi_sys as sys;
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::CStr;
use std::ptr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Bytes of the area that byte values leave through; longer ones take another way.
pub const SCRATCH: usize = 64 * 1024;

/// Bytes behind the area, for the length of the value that was left last.
const LENGTH: usize = size_of::<u32>();

/// A facade's side of the runtime. All but the outbox is touched by its own thread alone.
///
/// It leads to the facade's object weakly, since the object's functions lead here: who drops the
/// package's modules drops both. While somebody waits for news, it holds the object.
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
    /// What is waited for: flights, and files that are written or read.
    waits: Cell<usize>,
    /// Whether the facade is held for them.
    holds: Cell<bool>,
    reader: OnceCell<LetterReader>,
}

/// Who reads the letters of an environment.
type LetterReader = Box<dyn Fn(Js<'_>, Vec<Letter>)>;

/// What the facade gave at `setup`.
#[derive(Clone, Copy)]
struct Facade {
    /// Its object, weakly.
    object: sys::napi_ref,
    /// The area, which leads nowhere.
    scratch: sys::napi_ref,
}

impl Env {
    /// That of a facade on this thread, before it is set up.
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
            holds: Cell::new(false),
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

    /// Takes the facade's object, which has `makeError`, `deliver`, `later`, `fly`, and `scratch`: the area
    /// that both share, [`SCRATCH`] bytes with a length behind them.
    pub fn set_up(&self, js: Js<'_>, facade: Val<'_>) -> Result<(), Fail> {
        let scratch = js.prop(facade, c"scratch")?;
        // SAFETY: nothing is read or written here. The reference below keeps the area where it is.
        let area = unsafe { js.to_bytes(scratch) };
        let area = area.filter(|area| area.len() >= SCRATCH + LENGTH).ok_or_else(Fail::argument)?;
        let (object, scratch) = (js.weak(facade)?, js.keep(scratch)?);
        self.facade.set(Some(Facade { object, scratch }));
        self.scratch.set(area.as_mut_ptr());
        self.outbox.begin();
        Ok(())
    }

    /// The facade was collected. Nothing of it is touched any more.
    pub fn let_go(&self, js: Js<'_>) {
        self.scratch.set(ptr::null_mut());
        if let Some(facade) = self.facade.take() {
            // SAFETY: `set_up` made them in this environment, and nothing leads to them any more.
            unsafe {
                js.let_go(facade.object);
                js.let_go(facade.scratch);
            }
        }
        self.outbox.take_down();
    }

    /// A function of the facade.
    fn function<'s>(&self, js: Js<'s>, name: &CStr) -> Result<Val<'s>, Fail> {
        let facade = self.facade.get().ok_or(Fail::PENDING)?;
        // SAFETY: `set_up` made the reference in this environment.
        let object = unsafe { js.referent(facade.object) };
        js.prop(object.ok_or(Fail::PENDING)?, name)
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
        js.call(self.function(js, c"makeError").ok()?, &args).ok()
    }

    /// The facade's function that takes removals.
    pub fn deliver_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        self.function(js, c"deliver")
    }

    /// The facade's function that calls `nextTurn` in the event loop's next turn.
    pub fn later_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        self.function(js, c"later")
    }

    /// The facade's function that takes news of flights.
    pub fn fly_function<'s>(&self, js: Js<'s>) -> Result<Val<'s>, Fail> {
        self.function(js, c"fly")
    }

    /// More is waited for: the process and the facade are to live until it came.
    pub fn waits_more(&self, js: Js<'_>, more: usize) {
        self.waits.set(self.waits.get() + more);
        self.hold(js);
    }

    /// Less is waited for.
    pub fn waits_less(&self, js: Js<'_>, less: usize) {
        self.forget_waits(less);
        self.hold(js);
    }

    /// As [`Env::waits_less`], where nothing can be told to the runtime: it is told with the next
    /// letter.
    pub fn forget_waits(&self, less: usize) {
        self.waits.set(self.waits.get().saturating_sub(less));
    }

    /// Whether something is waited for.
    pub fn holds(&self) -> bool {
        self.holds.get()
    }

    /// Holds the process and the facade if something is waited for.
    fn hold(&self, js: Js<'_>) {
        let holds = self.waits.get() > 0;
        if self.holds.replace(holds) == holds {
            return;
        }
        self.outbox.keep_alive(js, holds);
        if let Some(facade) = self.facade.get() {
            // SAFETY: `set_up` made the reference in this environment.
            unsafe { js.hold(facade.object, holds) };
        }
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
