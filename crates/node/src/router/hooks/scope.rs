//! What JavaScript needs around the hooks of a turn: one callback scope, opened at the first hook and
//! closed when the turn is over. Promises and `process.nextTick` of the hooks run when it closes.
//!
//! ```text
//! Closed     the first hook of a turn opens it
//! Open       the end of the turn closes it
//! ```

use crate::js::{Fail, Js, Val};
use napi_sys as sys;
use std::cell::Cell;
use std::ptr;

/// The scope of an environment's hooks.
pub struct HookScope {
    context: Cell<sys::napi_async_context>,
    /// The scope of handles, and that of callbacks in it; null while closed.
    open: Cell<(sys::napi_handle_scope, sys::napi_callback_scope)>,
}

impl HookScope {
    /// A scope that is closed.
    pub fn new(js: Js<'_>) -> Result<Self, Fail> {
        let (resource, name) = (js.object()?, js.text("breakwater:hooks")?);
        let mut context = ptr::null_mut();
        // SAFETY: the environment is live, and so are both values.
        let status =
            unsafe { sys::napi_async_init(js.raw(), resource.raw(), name.raw(), &mut context) };
        if status != sys::Status::napi_ok {
            return Err(Fail::PENDING);
        }
        Ok(Self {
            context: Cell::new(context),
            open: Cell::new((ptr::null_mut(), ptr::null_mut())),
        })
    }

    /// Opens it, if it is closed.
    pub fn open(&self, js: Js<'_>) -> Result<(), Fail> {
        if !self.open.get().1.is_null() {
            return Ok(());
        }
        let (mut handles, mut callbacks) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the environment is live and the out parameter valid.
        if unsafe { sys::napi_open_handle_scope(js.raw(), &mut handles) } != sys::Status::napi_ok {
            return Err(Fail::PENDING);
        }
        let (context, nothing) = (self.context.get(), Val::UNDEFINED.raw());
        // SAFETY: as above; the context is of this environment, and stands for the resource.
        let status =
            unsafe { sys::napi_open_callback_scope(js.raw(), nothing, context, &mut callbacks) };
        if status != sys::Status::napi_ok {
            // SAFETY: it was opened above, and is the innermost.
            unsafe { sys::napi_close_handle_scope(js.raw(), handles) };
            return Err(Fail::PENDING);
        }
        self.open.set((handles, callbacks));
        Ok(())
    }

    /// Closes it, if it is open: what hooks left for later is done.
    pub fn close(&self, js: Js<'_>) {
        let (handles, callbacks) = self.open.replace((ptr::null_mut(), ptr::null_mut()));
        if callbacks.is_null() {
            return;
        }
        // SAFETY: it was opened in this turn, and all that was opened in it is closed.
        unsafe { sys::napi_close_callback_scope(js.raw(), callbacks) };
        // SAFETY: as above.
        unsafe { sys::napi_close_handle_scope(js.raw(), handles) };
    }

    /// Ends it: there are no more hooks.
    pub fn end(&self, js: Js<'_>) {
        let context = self.context.replace(ptr::null_mut());
        if !context.is_null() {
            // SAFETY: it was made in this environment, and is not used again.
            unsafe { sys::napi_async_destroy(js.raw(), context) };
        }
    }
}
