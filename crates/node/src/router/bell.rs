//! Has JavaScript come for what waits for it, from any thread.

use crate::js::{Fail, Js, Val};
use napi_sys as sys;
use parking_lot::Mutex;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// A function of one environment that any thread has called, without arguments. It does not keep the
/// process alive.
#[derive(Default)]
pub struct NewsBell(Mutex<Option<Rope>>);

/// What rings it; none before it is hung and after its environment's end.
struct Rope(sys::napi_threadsafe_function);

// SAFETY: Node-API lets any thread call a threadsafe function until it is finalized, and that takes it
// out, under the lock that callers hold.
unsafe impl Send for Rope {}

impl NewsBell {
    /// Has `function` called from now on.
    pub fn hang(self: &Arc<Self>, js: Js<'_>, function: Val<'_>) -> Result<(), Fail> {
        let name = js.text("breakwater")?;
        let kept = Arc::into_raw(self.clone()) as *mut c_void;
        let mut rope = ptr::null_mut();
        // SAFETY: the environment is live; `finalize` takes the count back, after the last call.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                js.raw(),
                function.raw(),
                ptr::null_mut(),
                name.raw(),
                0,
                1,
                kept,
                Some(finalize),
                ptr::null_mut(),
                None,
                &mut rope,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: nobody else will take this count back.
            unsafe { Arc::decrement_strong_count(kept as *const Self) };
            return Err(Fail::argument());
        }
        // SAFETY: the function is new, and this is its environment's thread.
        unsafe { sys::napi_unref_threadsafe_function(js.raw(), rope) };
        *self.0.lock() = Some(Rope(rope));
        Ok(())
    }

    /// Has the function called.
    pub fn ring(&self) {
        let mut rope = self.0.lock();
        let Some(Rope(function)) = &*rope else { return };
        let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
        // SAFETY: it is not finalized: that would have taken it out.
        let status =
            unsafe { sys::napi_call_threadsafe_function(*function, ptr::null_mut(), mode) };
        // The environment is ending. Whoever was told so must not call again.
        if status == sys::Status::napi_closing {
            *rope = None;
        }
    }

    /// Nothing is called any more.
    pub fn take_down(&self) {
        if let Some(Rope(function)) = self.0.lock().take() {
            let mode = sys::ThreadsafeFunctionReleaseMode::abort;
            // SAFETY: nobody else knows the function any more; it is finalized once.
            unsafe { sys::napi_release_threadsafe_function(function, mode) };
        }
    }
}

/// The threadsafe function is about to be freed.
///
/// # Safety
/// Node-API calls, once, with what `hang` gave.
unsafe extern "C" fn finalize(_env: sys::napi_env, kept: *mut c_void, _context: *mut c_void) {
    // SAFETY: this is the count that `hang` left.
    let bell = unsafe { Arc::from_raw(kept as *const NewsBell) };
    // Threads that ring hold this lock: after it nobody knows the function.
    bell.0.lock().take();
}
