//! Memory of this side that JavaScript reads and writes.

use super::value::{Js, Val};
use std::env;
use std::ffi::c_void;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

/// With this variable set to `0` the process lends nothing, as if the runtime took no such memory.
const VARIABLE: &str = "BREAKWATER_SHARED_MEMORY";

fn is_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| env::var_os(VARIABLE).is_none_or(|value| value != "0"))
}

/// An ArrayBuffer over memory of `owner`, which lives at least as long; `None` if the runtime takes
/// no such memory.
pub fn lend<'s, T>(js: Js<'s>, owner: Arc<T>, cells: fn(&T) -> &[AtomicU64]) -> Option<Val<'s>> {
    if !is_allowed() {
        return None;
    }
    let cells = cells(&owner);
    let (at, len) = (cells.as_ptr() as *mut c_void, size_of_val(cells));
    let hint = Arc::into_raw(owner) as *mut c_void;
    // SAFETY: the cells are atomics, which anybody may write, and `let_go` takes back the count
    // that keeps them.
    let value = unsafe { js.lent_array_buffer(at, len, Some(let_go::<T>), hint) };
    if value.is_none() {
        // SAFETY: the runtime did not take the memory: this is the count from above.
        drop(unsafe { Arc::from_raw(hint as *const T) });
    }
    value
}

/// # Safety
/// `hint` came from `Arc::into_raw` of an `Arc<T>`.
unsafe extern "C" fn let_go<T>(_env: napi_sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as the caller promises.
    drop(unsafe { Arc::from_raw(hint as *const T) });
}
