//! The event loop of Node.js: the few functions of libuv that a driver needs, by the symbols that the
//! running binary exports.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::ptr::NonNull;

/// A handle of libuv, whose first member is free for its owner.
pub type Handle = NonNull<c_void>;

type PollCallback = unsafe extern "C" fn(*mut c_void, c_int, c_int);
type Callback = unsafe extern "C" fn(*mut c_void);

/// libuv's numbers of the kinds of handles, which are part of its stable interface.
const POLL: c_int = 8;
const TIMER: c_int = 13;
/// `UV_READABLE`.
const READABLE: c_int = 1;

/// What is used of libuv. None of it may be called but in the thread of its loop, on handles that are
/// open.
#[derive(Clone, Copy)]
pub struct Uv {
    poll_init: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(*mut c_void, c_int, PollCallback) -> c_int,
    timer_init: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    timer_start: unsafe extern "C" fn(*mut c_void, Callback, u64, u64) -> c_int,
    timer_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
    close: unsafe extern "C" fn(*mut c_void, Callback),
    handle_size: unsafe extern "C" fn(c_int) -> usize,
}

impl Uv {
    /// The functions; `None` where the running binary does not export all of them.
    pub fn find() -> Option<Self> {
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the field has the type of the function in libuv's headers, unchanged since
                // its 1.0.
                unsafe { symbol($name) }?
            };
        }
        Some(Self {
            poll_init: function!(c"uv_poll_init"),
            poll_start: function!(c"uv_poll_start"),
            timer_init: function!(c"uv_timer_init"),
            timer_start: function!(c"uv_timer_start"),
            timer_stop: function!(c"uv_timer_stop"),
            close: function!(c"uv_close"),
            handle_size: function!(c"uv_handle_size"),
        })
    }

    /// Has `ready` called, with the handle, whenever `descriptor` is readable, from the next turn of
    /// the loop on.
    ///
    /// # Safety
    /// The loop is that of the calling thread; `owner` lives until the handle is closed.
    pub unsafe fn watch(
        &self,
        event_loop: *mut c_void,
        descriptor: c_int,
        owner: *mut c_void,
        ready: PollCallback,
    ) -> Result<Handle, c_int> {
        // SAFETY: the kind is libuv's; the handle is freed here or by its closing.
        let handle = unsafe { self.allocate(POLL, owner) };
        // SAFETY: the loop is this thread's, as the caller vouches; the handle has libuv's size.
        let status = unsafe { (self.poll_init)(event_loop, handle.as_ptr(), descriptor) };
        if status != 0 {
            // SAFETY: libuv has refused it, and does not know it.
            unsafe { free(handle.as_ptr()) };
            return Err(status);
        }
        // SAFETY: the handle is open, and of this thread.
        let status = unsafe { (self.poll_start)(handle.as_ptr(), READABLE, ready) };
        if status != 0 {
            // SAFETY: the handle is open, and of this thread; it is freed when libuv has let go of it.
            unsafe { (self.close)(handle.as_ptr(), free) };
            return Err(status);
        }
        Ok(handle)
    }

    /// A timer that is not set.
    ///
    /// # Safety
    /// As for [`Uv::watch`].
    pub unsafe fn timer(&self, event_loop: *mut c_void, owner: *mut c_void) -> Handle {
        // SAFETY: the kind is libuv's; the handle is freed by its closing.
        let handle = unsafe { self.allocate(TIMER, owner) };
        // SAFETY: the loop is this thread's, as the caller vouches; the handle has libuv's size. Making
        // a timer cannot fail.
        unsafe { (self.timer_init)(event_loop, handle.as_ptr()) };
        handle
    }

    /// Has `due` called once, with the timer, after so many milliseconds.
    ///
    /// # Safety
    /// The timer is open and of the calling thread.
    pub unsafe fn set(&self, timer: Handle, due: Callback, ms: u64) {
        // SAFETY: the caller vouches for the timer and its thread.
        unsafe { (self.timer_start)(timer.as_ptr(), due, ms, 0) };
    }

    /// Takes the timer back.
    ///
    /// # Safety
    /// As for [`Uv::set`].
    pub unsafe fn unset(&self, timer: Handle) {
        // SAFETY: the caller vouches for the timer and its thread.
        unsafe { (self.timer_stop)(timer.as_ptr()) };
    }

    /// Ends a handle; `closed` is called with it when libuv has let go of it, and frees it by
    /// [`free`].
    ///
    /// # Safety
    /// The handle is open and of the calling thread.
    pub unsafe fn close(&self, handle: Handle, closed: Callback) {
        // SAFETY: the caller vouches for the handle and its thread; `closed` frees it, and nobody else.
        unsafe { (self.close)(handle.as_ptr(), closed) };
    }

    /// Room for a handle of a kind, in all its bits zero but for its owner.
    ///
    /// # Safety
    /// `kind` is one of libuv's. The handle is freed by [`free`], once libuv does not know it.
    unsafe fn allocate(&self, kind: c_int, owner: *mut c_void) -> Handle {
        // SAFETY: the kind is libuv's own, as the caller vouches.
        let size = unsafe { (self.handle_size)(kind) };
        // SAFETY: a call on two numbers.
        let handle = unsafe { libc::calloc(1, size) };
        // Where there is no memory nothing can go on.
        let Some(handle) = NonNull::new(handle) else { std::process::abort() };
        // SAFETY: a handle begins with `uv_handle_t.data`, a pointer that is its owner's.
        unsafe { handle.cast::<*mut c_void>().write(owner) };
        handle
    }
}

/// The owner of a handle.
///
/// # Safety
/// The handle was made here.
pub unsafe fn owner(handle: *mut c_void) -> *mut c_void {
    // SAFETY: `allocate` wrote the owner there, and it is not written again.
    unsafe { *handle.cast::<*mut c_void>() }
}

/// Frees a handle that is closed.
///
/// # Safety
/// libuv has let go of it.
pub unsafe extern "C" fn free(handle: *mut c_void) {
    // SAFETY: it came from `calloc` in `allocate`, and libuv has let go of it, as the caller says.
    unsafe { libc::free(handle) };
}

/// A function that the process exports.
///
/// # Safety
/// `F` is the type of the function of this name.
unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the name ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: what was found is that function, whose type the caller vouches for; both are pointers.
    (!found.is_null()).then(|| unsafe { mem::transmute_copy::<*mut c_void, F>(&found) })
}
