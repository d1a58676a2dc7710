//! Methods: functions of one instance.

use super::handle::Handle;
use super::instances::Instances;
use crate::env::{Call, Returns, enter};
use crate::js::Fail;
use napi_sys as sys;
use std::rc::Rc;

/// Runs `f` for a raw callback of a cache: the first argument is the instance's number, the
/// others are `f`'s.
///
/// All caches of an environment share one JavaScript function for each method. A function for each
/// cache would spare the look-up, but with more than one cache V8 could no longer tell what
/// `Cache.prototype.get` calls, and each call would take a quarter more instructions.
///
/// # Safety
/// Node-API calls, and the function's data points to live [`Instances`].
#[inline]
pub unsafe fn enter_cache<'s, const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    f: impl FnOnce(&Call<'s, Handle>) -> Returns<'s>,
) -> sys::napi_value {
    let run = |call: &Call<'s, Instances>| {
        let number = call.js.to_index(call.arg::<0>()).ok_or_else(Fail::argument)?;
        let handle = call.on.get(number).ok_or_else(Fail::argument)?;
        // SAFETY: the handle outlives the call of `f`, and no result borrows from it.
        let on = unsafe { &*Rc::as_ptr(&handle) };
        f(&call.shift(on))
    };
    // SAFETY: as the caller promises.
    unsafe { enter::<Instances, N>(env, info, run) }
}

/// The [`Function`](crate::env::Function) that calls `f` of an instance.
///
/// How many arguments it takes with the instance's number, if it is called often: those that it
/// does not take need not be filled in.
macro_rules! method {
    ($name:literal, $f:path) => {
        method!($name, $f, 4)
    };
    ($name:literal, $f:path, $args:literal) => {{
        unsafe extern "C" fn raw(
            env: napi_sys::napi_env,
            info: napi_sys::napi_callback_info,
        ) -> napi_sys::napi_value {
            // SAFETY: Node-API calls, with the data that `define` gave the function.
            unsafe { $crate::cache::enter_cache::<$args>(env, info, |call| $f(call)) }
        }
        // SAFETY: `raw` takes its data for the instances.
        unsafe { $crate::env::Function::<$crate::cache::Instances>::new($name, raw) }
    }};
}

pub(crate) use method;
