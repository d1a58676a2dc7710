//! Work on the runtime's thread pool, with a promise for its end.

use super::call::Returns;
use super::state::Env;
use crate::js::{Fail, Js, Val};
use napi_sys as sys;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

/// What is done in another thread.
type Work<T> = Box<dyn FnOnce() -> Result<T, Fail> + Send>;

/// What JavaScript is told of its result.
type Tell<T> = for<'s> fn(Js<'s>, T) -> Returns<'s>;

/// Work under way. The pool's thread touches only the work and the result.
struct Job<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, Fail>>,
    tell: Tell<T>,
    env: Rc<Env>,
    handle: sys::napi_async_work,
    deferred: sys::napi_deferred,
}

/// A promise of what some work comes to. It keeps the process until it is settled.
pub fn promise<'s, T: Send + 'static>(
    js: Js<'s>,
    env: &Rc<Env>,
    work: impl FnOnce() -> Result<T, Fail> + Send + 'static,
    tell: Tell<T>,
) -> Returns<'s> {
    let name = js.text("breakwater work")?;
    let mut promise = ptr::null_mut();
    let job = Box::into_raw(Box::new(Job {
        work: Some(Box::new(work)),
        result: None,
        tell,
        env: env.clone(),
        handle: ptr::null_mut(),
        deferred: ptr::null_mut(),
    }));
    // SAFETY: the environment is live and the job stays where it is until `complete` frees it.
    // Short-circuits at the first step that fails.
    let started = unsafe {
        let deferred = &raw mut (*job).deferred;
        let handle = &raw mut (*job).handle;
        let done = sys::Status::napi_ok;
        sys::napi_create_promise(js.raw(), deferred, &mut promise) == done
            && sys::napi_create_async_work(
                js.raw(),
                ptr::null_mut(),
                name.raw(),
                Some(execute::<T>),
                Some(complete::<T>),
                job.cast(),
                handle,
            ) == done
            && sys::napi_queue_async_work(js.raw(), *handle) == done
    };
    if !started {
        // SAFETY: the work was not queued, so that nobody else knows the job.
        drop(unsafe { Box::from_raw(job) });
        return Err(Fail::PENDING);
    }
    env.waits_more(js, 1);
    // SAFETY: the promise was just made in the callback's scope.
    Ok(unsafe { Val::new(promise) })
}

/// # Safety
/// Node-API calls, on a thread of its pool, with the job of [`promise`].
unsafe extern "C" fn execute<T>(_env: sys::napi_env, job: *mut c_void) {
    let job: *mut Job<T> = job.cast();
    // SAFETY: until `complete` runs nobody else touches these fields.
    let (work, result) = unsafe { (&mut (*job).work, &mut (*job).result) };
    let Some(work) = work.take() else { return };
    let done = catch_unwind(AssertUnwindSafe(work));
    *result = Some(done.unwrap_or_else(|_| Err(Fail::internal("the engine panicked"))));
    // This thread of the pool may never come back: nobody shall wait for it.
    breakwater_engine::rest();
}

/// # Safety
/// Node-API calls, once, on the environment's thread, with the job of [`promise`].
unsafe extern "C" fn complete<T>(env: sys::napi_env, _status: sys::napi_status, job: *mut c_void) {
    // SAFETY: this is the box of `promise`; a scope is open around this call.
    let (job, js) = unsafe { (Box::from_raw(job.cast::<Job<T>>()), Js::new(env)) };
    // SAFETY: the work is done; its handle is of no more use.
    unsafe { sys::napi_delete_async_work(env, job.handle) };
    job.env.waits_less(js, 1);
    let cancelled = || Err(Fail::internal("cancelled"));
    match job.result.unwrap_or_else(cancelled).and_then(|result| (job.tell)(js, result)) {
        Ok(value) => {
            // SAFETY: the promise is pending, and its deferred is used once.
            unsafe { sys::napi_resolve_deferred(env, job.deferred, value.raw()) };
        }
        Err(fail) => {
            if let Some(error) = job.env.error(js, fail) {
                // SAFETY: as above.
                unsafe { sys::napi_reject_deferred(env, job.deferred, error.raw()) };
            }
        }
    }
}
