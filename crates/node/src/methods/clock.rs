//! Clocks that stand still until a test moves them.

use crate::cache::registry;
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_engine::Clock;
use napi_sys as sys;
use std::ffi::c_void;
use std::ptr;

/// `createClock()`: an opaque value.
pub fn create<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let data = Box::into_raw(Box::new(Clock::manual())).cast();
    let mut value = ptr::null_mut();
    // SAFETY: the environment is live; `free` takes the box back, once.
    let status = unsafe {
        let hint = ptr::null_mut();
        sys::napi_create_external(call.js.raw(), data, Some(free), hint, &mut value)
    };
    if status != sys::Status::napi_ok {
        // SAFETY: nobody else will take it back.
        unsafe { free(call.js.raw(), data, ptr::null_mut()) };
        return Err(Fail::PENDING);
    }
    // SAFETY: the value was just made in the callback's scope.
    Ok(unsafe { Val::new(value) })
}

/// # Safety
/// `data` is the box of [`create`].
unsafe extern "C" fn free(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(data.cast::<Clock>()) });
}

/// The clock in a value of [`create`]; `None` if the value is of another type.
pub fn from_js(js: Js<'_>, value: Val<'_>) -> Option<Clock> {
    let mut data = ptr::null_mut();
    // SAFETY: the value belongs to an open scope.
    let status = unsafe { sys::napi_get_value_external(js.raw(), value.raw(), &mut data) };
    if status != sys::Status::napi_ok || data.is_null() {
        return None;
    }
    // SAFETY: the facade keeps the value private and hands over no other external.
    Some(unsafe { (*data.cast::<Clock>()).clone() })
}

/// `advanceClock(clock, ms)`: moves time on, and has what it makes due done at once.
pub fn advance<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let clock = from_js(call.js, call.arg::<0>()).ok_or_else(Fail::argument)?;
    let ms = call.js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)?;
    clock.advance(ms as u64);
    for shared in registry::all() {
        if !shared.cache.clock().is_system() {
            shared.cache.maintain();
        }
    }
    Ok(Val::UNDEFINED)
}

/// `readClock(clock)`: milliseconds since it was made.
pub fn read<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let clock = from_js(call.js, call.arg::<0>()).ok_or_else(Fail::argument)?;
    call.js.number(clock.now() as f64)
}
