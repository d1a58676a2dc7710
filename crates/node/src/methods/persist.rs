//! Saving and loading on the runtime's thread pool, with a promise for the end.

use crate::cache::{Handle, Shared};
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_engine::{Cache, PersistError};
use napi_sys as sys;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

/// What a job does with the cache and the file; how many entries that were.
type Work = fn(&Cache, &Path) -> Result<u64, PersistError>;

/// Work under way. The pool's thread touches only what it needs: cache, path, work and result.
struct Job {
    shared: Arc<Shared>,
    path: PathBuf,
    work: Work,
    result: Option<Result<u64, Fail>>,
    env: Rc<Env>,
    handle: sys::napi_async_work,
    deferred: sys::napi_deferred,
}

/// `save(path)`: a promise of how many entries were written.
pub fn save<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    start(call, Cache::save)
}

/// `load(path)`: a promise of how many entries came in.
pub fn load<'s>(call: &Call<'s, Handle>) -> Returns<'s> {
    start(call, Cache::load)
}

fn start<'s>(call: &Call<'s, Handle>, work: Work) -> Returns<'s> {
    let js = call.js;
    let shared = call.on.owned()?;
    let path = js.to_text(call.arg::<0>()).ok_or_else(Fail::argument)?.into();
    let name = js.text("breakwater persist")?;
    let mut promise = ptr::null_mut();
    let job = Box::into_raw(Box::new(Job {
        shared,
        path,
        work,
        result: None,
        env: call.on.env.clone(),
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
                Some(execute),
                Some(complete),
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
    call.on.env.waits_more(js, 1);
    // SAFETY: the promise was just made in the callback's scope.
    Ok(unsafe { Val::new(promise) })
}

/// # Safety
/// Node-API calls, on a thread of its pool, with the job of [`start`].
unsafe extern "C" fn execute(_env: sys::napi_env, job: *mut c_void) {
    let job: *mut Job = job.cast();
    // SAFETY: until `complete` runs nobody else touches these fields.
    let (shared, path, work, result) =
        unsafe { (&(*job).shared, &(*job).path, (*job).work, &mut (*job).result) };
    let done = catch_unwind(AssertUnwindSafe(|| work(&shared.cache, path)));
    *result = Some(match done {
        Ok(done) => done.map_err(Fail::from),
        Err(_) => Err(Fail::internal("the engine panicked")),
    });
    // This thread of the pool may never come back: nobody shall wait for it.
    breakwater_engine::rest();
}

/// # Safety
/// Node-API calls, once, on the environment's thread, with the job of [`start`].
unsafe extern "C" fn complete(env: sys::napi_env, _status: sys::napi_status, job: *mut c_void) {
    // SAFETY: this is the box of `start`; a scope is open around this call.
    let (job, js) = unsafe { (Box::from_raw(job.cast::<Job>()), Js::new(env)) };
    // SAFETY: the work is done; its handle is of no more use.
    unsafe { sys::napi_delete_async_work(env, job.handle) };
    job.env.waits_less(js, 1);
    let cancelled = || Err(Fail::internal("cancelled"));
    match job.result.unwrap_or_else(cancelled).and_then(|count| js.number(count as f64)) {
        Ok(count) => {
            // SAFETY: the promise is pending, and its deferred is used once.
            unsafe { sys::napi_resolve_deferred(env, job.deferred, count.raw()) };
        }
        Err(fail) => {
            if let Some(error) = job.env.error(js, fail) {
                // SAFETY: as above.
                unsafe { sys::napi_reject_deferred(env, job.deferred, error.raw()) };
            }
        }
    }
}
