//! Hands what waits for an environment to the facade: removals, and letters about flights.

use crate::env::Env;
use crate::fail::Fail;
use crate::handle::Handle;
use crate::js::{Js, Val};
use crate::keys;
use crate::mail::{Enclosure, Letter, News};
use crate::outbox::Outbox;
use crate::removal::Removal;
use crate::values;
use napi_sys as sys;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

/// Removals handed over at once.
const BATCH: usize = 256;

impl Env {
    /// Hands over what waits, unless that is what is being done: a listener's own calls add to the
    /// end of the queue.
    #[cold]
    pub fn deliver(&self, js: Js<'_>) {
        if self.delivering.replace(true) {
            return;
        }
        self.keeping_value(|| {
            while self.outbox.is_pending() {
                let batch = self.outbox.take(BATCH);
                if js.scoped(|js| self.hand_over(js, &batch)).is_err() {
                    break;
                }
            }
        });
        self.delivering.set(false);
    }

    /// Calls the facade with `[listener, key, value, reason]` of each removal, flat.
    fn hand_over(&self, js: Js<'_>, batch: &[Removal]) -> Result<(), Fail> {
        let list = js.array(batch.len() * 4)?;
        for (i, removal) in batch.iter().enumerate() {
            let fields = [
                js.number(removal.listener as f64)?,
                keys::to_js(js, removal.kind, removal.key())?,
                values::to_js(js, removal.format, removal.value())?,
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
        self.deliver(js);
        if !letters.is_empty() {
            // An exception of the facade's is a bug, and it is reported by the runtime.
            let _ = js.scoped(|js| self.hand_letters(js, letters));
        }
    }

    /// Calls the facade with `[instance, flight, kind, value]` of each letter, flat.
    fn hand_letters(&self, js: Js<'_>, letters: Vec<Letter>) -> Result<(), Fail> {
        let (list, mut at) = (js.array(0)?, 0);
        for letter in letters {
            let Some(handle) = self.addressee(&letter) else { continue };
            let (instance, flight, kind) = (letter.instance, letter.flight, letter.news.kind());
            let Some(value) = self.open_letter(js, &handle, letter)? else { continue };
            let fields = [
                js.number(instance as f64)?,
                js.number(flight as f64)?,
                js.number(kind.into())?,
                value,
            ];
            for field in fields {
                js.put_at(list, at, field)?;
                at += 1;
            }
        }
        js.call(self.fly_function(js)?, &[list]).map(drop)
    }

    /// Takes note of what a letter says; its value, or `None` if it came too late to matter.
    fn open_letter<'s>(
        &self,
        js: Js<'s>,
        handle: &Handle,
        letter: Letter,
    ) -> Result<Option<Val<'s>>, Fail> {
        let Ok(shared) = handle.shared() else { return Ok(None) };
        let (flights, table) = (&handle.flights, shared.cache.flights());
        match &letter.news {
            News::Alone => return js.undefined().map(Some),
            News::Overtaken => {
                if !flights.overtaken(letter.flight, table, handle.owner) {
                    return Ok(None);
                }
                self.waits_more(js, 1);
                return js.undefined().map(Some);
            }
            // It came so late that another one leads meanwhile, and this one waits.
            News::Lead(lease) if !table.leads(lease) => return Ok(None),
            _ => {}
        }
        if flights.end_wait(letter.flight).is_some() {
            self.waits_less(js, 1);
        }
        let value = match letter.news {
            News::Value(Enclosure { format, bytes })
            | News::Failed(_, Enclosure { format, bytes }) => values::to_js(js, format, &bytes)?,
            News::Lead(lease) => {
                let number = js.number(lease.number() as f64)?;
                flights.inherit(lease);
                number
            }
            _ => js.undefined()?,
        };
        Ok(Some(value))
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
        // SAFETY: the function was just made. Unreferenced, it does not keep the process alive.
        unsafe { sys::napi_unref_threadsafe_function(js.raw(), bell) };
        self.outbox.set_bell(bell);
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
