//! Hands what waits for an environment to the facade: removals, and by their reader letters; and
//! the bell by which other threads announce both.

use super::outbox::Outbox;
use super::removal::Removal;
use super::state::Env;
use crate::js::{Fail, Js, format, keys};
use napi_sys as sys;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

/// Removals handed over at once.
const BATCH: usize = 256;

/// Removals that are told between two turns of the event loop, beside those that a call itself
/// caused: listeners that cause more of them, and other threads, leave time for all else.
const TURN: usize = 10_000;

impl Env {
    /// The end of a call: hands over what it caused, unless that is what is being done. What
    /// listeners cause meanwhile goes to the end of the queue. When the turn has had its share, a
    /// few removals wait for the next turn, so that it comes.
    #[cold]
    pub fn deliver(&self, js: Js<'_>) {
        if self.turned.take() {
            return;
        }
        let waiting = self.outbox.waiting();
        if self.told.get() < TURN || waiting >= BATCH {
            self.drain(js, waiting);
        } else {
            self.come_back(js);
        }
    }

    /// The next turn of the event loop.
    pub fn next_turn(&self, js: Js<'_>) {
        self.comes_back.set(false);
        self.told.set(0);
        self.drain(js, 0);
        self.turned.set(self.outbox.is_pending());
    }

    /// Hands over this many, and more while the turn's share lasts.
    fn drain(&self, js: Js<'_>, mut due: usize) {
        if self.delivering.replace(true) {
            return;
        }
        self.keeping_value(|| {
            while self.outbox.is_pending() && (due > 0 || self.told.get() < TURN) {
                let batch = self.outbox.take(BATCH);
                due = due.saturating_sub(batch.len());
                self.told.set(self.told.get() + batch.len());
                if js.scoped(|js| self.hand_over(js, &batch)).is_err() {
                    break;
                }
            }
        });
        self.delivering.set(false);
        if self.outbox.is_pending() {
            self.come_back(js);
        }
    }

    /// Has the facade call `nextTurn` in the next turn of the event loop, once.
    fn come_back(&self, js: Js<'_>) {
        if self.comes_back.replace(true) {
            return;
        }
        let asked = js.scoped(|js| js.call(self.later_function(js)?, &[]).map(drop));
        if asked.is_err() {
            self.comes_back.set(false);
            self.outbox.ring();
        }
    }

    /// Calls the facade with `[listener, key, value, reason]` of each removal, flat.
    fn hand_over(&self, js: Js<'_>, batch: &[Removal]) -> Result<(), Fail> {
        let list = js.array(batch.len() * 4)?;
        for (i, removal) in batch.iter().enumerate() {
            let fields = [
                js.number(removal.listener as f64)?,
                keys::to_js(js, removal.kind, removal.key())?,
                format::to_js(js, removal.format, removal.value())?,
                js.number(f64::from(removal.reason as u8))?,
            ];
            for (j, field) in fields.into_iter().enumerate() {
                js.put_at(list, i * 4 + j, field)?;
            }
        }
        js.call(self.deliver_function(js)?, &[list]).map(drop)
    }

    /// The bell rang: hands over all that waits.
    fn answer(&self, js: Js<'_>) {
        // The letters are taken first: what is queued after that rings again.
        let letters = self.outbox.take_letters();
        if !self.comes_back.get() {
            self.drain(js, 0);
        }
        if !letters.is_empty() {
            self.read_letters(js, letters);
        }
    }

    /// Lets other threads wake this environment. Once is enough.
    pub fn hang_bell(self: &Rc<Self>, js: Js<'_>) -> Result<(), Fail> {
        if self.outbox.has_bell() {
            return Ok(());
        }
        let name = js.text("breakwater")?;
        let context = Rc::into_raw(self.clone()) as *mut c_void;
        let finalize_data = Arc::into_raw(self.outbox.clone()) as *mut c_void;
        let mut bell = ptr::null_mut();
        // SAFETY: the environment is live; `finalize` takes back both counts, after the last call.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                js.raw(),
                ptr::null_mut(),
                ptr::null_mut(),
                name.raw(),
                0,
                1,
                finalize_data,
                Some(finalize),
                context,
                Some(rang),
                &mut bell,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: nobody else will take these counts back.
            unsafe {
                Rc::decrement_strong_count(context as *const Self);
                Arc::decrement_strong_count(finalize_data as *const Outbox);
            }
            return Err(Fail::PENDING);
        }
        self.outbox.set_bell(bell);
        self.outbox.keep_alive(js, self.holds());
        Ok(())
    }
}

/// Another thread rang.
///
/// # Safety
/// Node-API calls, on the environment's thread, with the context that `hang_bell` gave.
unsafe extern "C" fn rang(
    raw: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    // The environment is null when it ends.
    if !raw.is_null() {
        // SAFETY: the context lives until `finalize`; a scope is open around this call.
        let (env, js) = unsafe { (&*(context as *const Env), Js::new(raw)) };
        env.answer(js);
    }
}

/// The threadsafe function is about to be freed.
///
/// # Safety
/// Node-API calls, once, on the environment's thread, with what `hang_bell` gave.
unsafe extern "C" fn finalize(_env: sys::napi_env, outbox: *mut c_void, context: *mut c_void) {
    // SAFETY: these are the counts that `hang_bell` left.
    unsafe {
        let outbox = Arc::from_raw(outbox as *const Outbox);
        // Threads that ring hold this lock: after it nobody knows the function.
        outbox.close();
        Rc::decrement_strong_count(context as *const Env);
    }
}
