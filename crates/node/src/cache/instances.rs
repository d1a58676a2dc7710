//! The instances of a facade, by the numbers that JavaScript knows them by.

use super::handle::Handle;
use super::letters;
use super::registry;
use super::shared::Shared;
use crate::env::{Env, Owner};
use crate::js::{Fail, Js, Val};
use napi_sys as sys;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// All instances of one facade.
pub struct Instances {
    env: Rc<Env>,
    this: Weak<Self>,
    handles: RefCell<Slab<Rc<Handle>>>,
    /// Named caches that were opened here, never closed, and collected: they stay as they are until
    /// the facade ends, since nobody sees a garbage collection come.
    kept: RefCell<HashMap<u64, Arc<Shared>>>,
    /// Whether they have ended.
    ended: Cell<bool>,
}

impl Instances {
    /// None yet; ties their end to that of `facade`, the object, and of the runtime.
    pub fn install(js: Js<'_>, env: Rc<Env>, facade: Val<'_>) -> Result<Rc<Self>, Fail> {
        let instances = Rc::new_cyclic(|this| Self {
            env,
            this: this.clone(),
            handles: RefCell::default(),
            kept: RefCell::default(),
            ended: Cell::new(false),
        });
        let reader = instances.this.clone();
        instances.env.read_letters_by(move |js, all| {
            if let Some(instances) = reader.upgrade() {
                letters::hand_over(js, &instances.env, all, |number| instances.get(number));
            }
        });
        let data = Rc::into_raw(instances.clone()) as *mut c_void;
        let hint = ptr::null_mut();
        // SAFETY: `facade_ended` takes back the count in `data`, once, on this thread.
        let kept = unsafe { js.on_collected(facade, data, Some(facade_ended), hint) };
        if kept.is_err() {
            // SAFETY: nobody else will take it back.
            drop(unsafe { Rc::from_raw(data as *const Self) });
        }
        kept?;
        // SAFETY: the environment is live. Until `facade_ended` takes the hook back, the count above
        // keeps `data`.
        let status = unsafe { sys::napi_add_env_cleanup_hook(js.raw(), Some(runtime_ends), data) };
        if status == sys::Status::napi_ok { Ok(instances) } else { Err(Fail::PENDING) }
    }

    /// Closes all instances.
    fn end(&self) {
        self.env.outbox.close();
        let handles = self.handles.take();
        drop(handles);
        for shared in self.kept.take().into_values() {
            registry::release(shared);
        }
    }

    /// The instance of this number.
    #[inline]
    pub fn get(&self, number: usize) -> Option<Rc<Handle>> {
        self.handles.borrow().get(number).cloned()
    }

    /// An instance was collected that may not have been closed.
    fn collected(&self, handle: &Handle) {
        let Some(shared) = handle.leave() else { return };
        // One use keeps it as well as many do.
        let is_released =
            shared.description.name.is_none() || self.kept.borrow().contains_key(&shared.id);
        if is_released {
            registry::release(shared);
        } else {
            self.kept.borrow_mut().insert(shared.id, shared);
        }
    }

    /// Gives an instance a number, and ends it when `token` is collected, or else when the
    /// environment ends.
    pub fn adopt(&self, js: Js<'_>, token: Val<'_>, handle: Handle) -> Result<usize, Fail> {
        let handle = Rc::new(handle);
        let number = self.handles.borrow_mut().insert(handle.clone());
        handle.set_number(number);
        drop(handle);
        // Only the environment's own functions come here, and they keep this alive themselves.
        let data = Rc::into_raw(self.this.upgrade().ok_or(Fail::PENDING)?) as *mut c_void;
        // SAFETY: `forget` takes back the count above, once.
        let kept = unsafe { js.on_collected(token, data, Some(forget), number as *mut c_void) };
        if kept.is_err() {
            // SAFETY: nobody else will take it back.
            unsafe { forget(js.raw(), data, number as *mut c_void) };
        }
        kept.map(|()| number)
    }
}

impl Owner for Instances {
    #[inline]
    fn env(&self) -> &Env {
        &self.env
    }
}

/// A token was collected: its instance ends and its number is free.
///
/// # Safety
/// `instances` and `number` are those of [`Instances::adopt`].
unsafe extern "C" fn forget(_env: sys::napi_env, instances: *mut c_void, number: *mut c_void) {
    // SAFETY: as the caller promises; this is the count that `adopt` left.
    let instances = unsafe { Rc::from_raw(instances as *const Instances) };
    let handle = instances.handles.borrow_mut().try_remove(number as usize);
    // This may free a large cache: not while the list is borrowed.
    if let Some(handle) = handle {
        instances.collected(&handle);
    }
}

/// The facade was collected, or its environment ended.
///
/// # Safety
/// `data` came from [`Instances::install`].
unsafe extern "C" fn facade_ended(env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: as the caller promises; this is the count that `install` left.
    let instances = unsafe { Rc::from_raw(data as *const Instances) };
    if instances.ended.replace(true) {
        return;
    }
    // SAFETY: the hook was not called yet, and leads to nothing that lives from here on.
    unsafe { sys::napi_remove_env_cleanup_hook(env, Some(runtime_ends), data) };
    // SAFETY: the environment is live, and makes no values here.
    instances.env.let_go(unsafe { Js::new(env) });
    instances.end();
}

/// The environment ends: its instances are closed and nobody wakes it any more.
///
/// # Safety
/// `data` came from [`Instances::install`], and its count has not been taken back.
unsafe extern "C" fn runtime_ends(data: *mut c_void) {
    // SAFETY: as the caller promises.
    let instances = unsafe { &*(data as *const Instances) };
    if !instances.ended.replace(true) {
        instances.end();
    }
}
