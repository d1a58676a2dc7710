//! The loaded image: its Node-API symbols, and keeping it mapped.
//!
//! A runtime may unload an addon when the last environment that loaded it ends, as when only
//! workers use it. The maintenance thread outlives them, so the image is never unloaded.

use std::sync::Once;

/// Readies the image, once per process.
pub fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(target_env = "msvc")]
        // SAFETY: called once, before any Node-API function; the library is leaked, so that the
        // function pointers stay valid.
        std::mem::forget(unsafe { napi_sys::setup() });
        pin();
    });
}

#[cfg(unix)]
fn pin() {
    let anchor = pin as fn() as *const libc::c_void;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `info` is written before it is read, and only if the loader knows the address. The
    // path belongs to the loader; opening an image that is mapped only counts one user more.
    unsafe {
        if libc::dladdr(anchor, info.as_mut_ptr()) != 0 {
            let path = info.assume_init().dli_fname;
            if !path.is_null() {
                libc::dlopen(path, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
            }
        }
    }
}

#[cfg(windows)]
fn pin() {
    const PIN: u32 = 1;
    const FROM_ADDRESS: u32 = 4;
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const u16, module: *mut *mut u8) -> i32;
    }
    let mut module = std::ptr::null_mut();
    // SAFETY: the address lies in this image and `module` is a live out parameter.
    unsafe {
        GetModuleHandleExW(PIN | FROM_ADDRESS, pin as fn() as *const u16, &mut module);
    }
}
