//! The way in: arguments, panics, errors and what is delivered after a call.

use super::state::Env;
use crate::js::{Fail, Js, Val};
use napi_sys as sys;
use std::any::Any;
use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

/// A callback as Node-API calls it.
pub type Raw = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// The most arguments that a callback takes.
const ARGS: usize = 7;

/// What a callback gives back.
pub type Returns<'s> = Result<Val<'s>, Fail>;

/// A call from JavaScript to a function of `T`.
pub struct Call<'s, T> {
    /// The environment that calls.
    pub js: Js<'s>,
    /// What the function belongs to: an instance of a cache, a router, or the environment.
    pub on: &'s T,
    args: [Val<'s>; ARGS],
    /// How many arguments were given.
    given: usize,
}

impl<'s, T> Call<'s, T> {
    /// An argument; `undefined` if it was not given.
    #[inline]
    pub fn arg<const I: usize>(&self) -> Val<'s> {
        const { assert!(I < ARGS) };
        self.args[I]
    }

    /// Whether this argument was given.
    #[inline]
    pub fn has<const I: usize>(&self) -> bool {
        self.given > I
    }

    /// The call as one of `on`, whose number is the first argument, which was given: the others move
    /// up.
    #[inline(always)]
    pub fn shift<U>(&self, on: &'s U) -> Call<'s, U> {
        let [number, a, b, c, d, e, f] = self.args;
        Call { js: self.js, on, args: [a, b, c, d, e, f, number], given: self.given - 1 }
    }
}

/// What functions can belong to.
pub trait Owner {
    /// The environment that its functions run in.
    fn env(&self) -> &Env;
}

/// Runs `f` for a raw callback.
///
/// # Safety
/// Node-API calls, and the function's data points to a live `T`.
#[inline]
pub unsafe fn enter<'s, T: Owner + 's, const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    f: impl FnOnce(&Call<'s, T>) -> Returns<'s>,
) -> sys::napi_value {
    const { assert!(N <= ARGS) };
    let mut args = [ptr::null_mut(); ARGS];
    let (mut count, mut data) = (N, ptr::null_mut());
    // SAFETY: the out parameters are valid. Of the arguments asked for, those that were not given
    // are filled in as `undefined`.
    let call = unsafe {
        let args_at = args.as_mut_ptr();
        sys::napi_get_cb_info(env, info, &mut count, args_at, ptr::null_mut(), &mut data);
        Call {
            js: Js::new(env),
            on: &*data.cast::<T>(),
            args: args.map(|a| Val::new(a)),
            given: count,
        }
    };
    finish(&call, f)
}

#[inline(always)]
fn finish<'s, T: Owner>(
    call: &Call<'s, T>,
    f: impl FnOnce(&Call<'s, T>) -> Returns<'s>,
) -> sys::napi_value {
    let result = match catch_unwind(AssertUnwindSafe(|| f(call))) {
        Ok(result) => result,
        Err(panic) => Err(Fail::internal(&panic_text(&*panic))),
    };
    let state = call.on.env();
    match result {
        Ok(value) => {
            if state.outbox.is_pending() {
                state.deliver(call.js);
            }
            value.raw()
        }
        Err(fail) => throw(call, fail),
    }
}

/// Delivers what the call removed before it failed, and throws.
#[cold]
fn throw<'s, T: Owner>(call: &Call<'s, T>, fail: Fail) -> sys::napi_value {
    let state = call.on.env();
    match state.error(call.js, fail) {
        Some(error) => {
            if state.outbox.is_pending() {
                state.deliver(call.js);
            }
            call.js.throw(error);
        }
        // With an exception pending no listener can run now.
        None => state.outbox.ring(),
    }
    ptr::null_mut()
}

#[cold]
fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "panicked".to_owned(),
    }
}

/// A function of `T` as JavaScript knows it.
pub struct Function<T> {
    name: &'static CStr,
    raw: Raw,
    of: PhantomData<fn(&T)>,
}

impl<T> Function<T> {
    /// # Safety
    /// `raw` may be called with a live `T` for its data.
    pub const unsafe fn new(name: &'static CStr, raw: Raw) -> Self {
        Self { name, raw, of: PhantomData }
    }
}

/// The [`Function`] of a type that calls `f`.
macro_rules! function {
    ($of:ty, $name:literal, $f:path) => {
        $crate::env::function!($of, $name, $f, 3)
    };
    ($of:ty, $name:literal, $f:path, $arguments:literal) => {{
        unsafe extern "C" fn raw(
            env: napi_sys::napi_env,
            info: napi_sys::napi_callback_info,
        ) -> napi_sys::napi_value {
            // SAFETY: Node-API calls, with the data that `define` gave the function.
            unsafe { $crate::env::enter::<$of, $arguments>(env, info, |call| $f(call)) }
        }
        // SAFETY: `raw` takes its data for such an owner.
        unsafe { $crate::env::Function::<$of>::new($name, raw) }
    }};
}

pub(crate) use function;

/// Gives `object` the functions, each of which keeps `owner` alive.
pub fn define<'s, T: Owner + 'static>(
    js: Js<'s>,
    object: Val<'s>,
    functions: &[Function<T>],
    owner: &Rc<T>,
) -> Result<(), Fail> {
    for &Function { name, raw, .. } in functions {
        let data = Rc::into_raw(owner.clone()) as *mut c_void;
        // SAFETY: the data is kept alive by the count taken above, until `let_go` returns it.
        let function = unsafe { js.function(name, Some(raw), data) };
        let kept = function.and_then(|function| {
            // SAFETY: `let_go` takes back the count above, once.
            unsafe { js.on_collected(function, data, Some(let_go::<T>), ptr::null_mut()) }?;
            Ok(function)
        });
        if kept.is_err() {
            // SAFETY: nobody else will take this count back.
            unsafe { Rc::decrement_strong_count(data as *const T) };
        }
        js.put(object, name, kept?)?;
    }
    Ok(())
}

/// # Safety
/// `data` came from `Rc::into_raw` of an `Rc<T>` of this thread.
unsafe extern "C" fn let_go<T>(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: as the caller promises. A panic would be an abort; dropping a handle has none.
    unsafe { Rc::decrement_strong_count(data as *const T) };
}

impl Owner for Env {
    #[inline]
    fn env(&self) -> &Env {
        self
    }
}
