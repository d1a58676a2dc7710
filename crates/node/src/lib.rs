//! The N-API binding: raw callbacks between JavaScript and the engine, and nothing more.

use napi_sys as sys;

/// Called by the runtime once per environment (the main thread, each worker).
///
/// # Safety
/// Only a Node-API host calls this, with a live environment and its exports object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(
    _env: sys::napi_env,
    exports: sys::napi_value,
) -> sys::napi_value {
    exports
}
