//! The N-API binding: raw callbacks between JavaScript and the engine, and nothing more.
//!
//! A JavaScript `Cache` knows its [`handle::Handle`] by a number. A handle belongs to one environment
//! (the main thread or a worker) and points to a cache that the whole process shares
//! ([`registry`]). What an environment owns hangs on [`env::Env`].
//!
//! Calls are raw `extern "C"` callbacks ([`call`]), not `#[napi]` methods: those take a mutex that
//! all threads of the process share.

mod admin;
mod call;
mod clock;
mod deliver;
mod env;
mod fail;
mod flights;
mod handle;
mod image;
mod js;
mod keys;
mod look;
mod mail;
mod maintenance;
mod many;
mod near;
mod note;
mod open;
mod outbox;
mod persist;
mod read;
mod registry;
mod removal;
mod router;
mod router_open;
mod scan;
mod text;
mod values;
mod write;

use call::{Raw, function, method};
use env::Env;
use js::Js;
use napi_sys as sys;
use std::ffi::CStr;

/// What the module exports.
const EXPORTS: &[(&CStr, Raw)] = &[
    (c"setup", function!(env::setup)),
    (c"open", function!(open::open)),
    (c"attach", function!(open::attach)),
    (c"take", function!(read::take)),
    (c"createRouter", function!(router_open::create)),
    (c"attachRouter", function!(router_open::attach)),
    (c"duplicateFd", function!(router_open::duplicate_fd)),
    (c"createClock", function!(clock::create)),
    (c"advanceClock", function!(clock::advance)),
    (c"readClock", function!(clock::read)),
    // Methods of caches: their first argument is the number that `open` or `attach` gave.
    (c"get", method!(read::get, 2)),
    (c"openNear", method!(near::open)),
    (c"getNear", method!(near::get, 2)),
    (c"used", method!(near::used, 2)),
    (c"now", method!(near::now)),
    (c"peek", method!(read::peek, 2)),
    (c"has", method!(read::has, 2)),
    (c"getInto", method!(read::get_into)),
    (c"ttl", method!(read::ttl)),
    (c"set", method!(write::set)),
    (c"delete", method!(write::delete, 2)),
    (c"expire", method!(write::expire)),
    (c"clear", method!(write::clear)),
    (c"getMany", method!(many::get)),
    (c"setMany", method!(many::set)),
    (c"deleteMany", method!(many::delete)),
    (c"scan", method!(scan::scan)),
    (c"size", method!(admin::size)),
    (c"bytes", method!(admin::bytes)),
    (c"stats", method!(admin::stats)),
    (c"resetStats", method!(admin::reset_stats)),
    (c"hotKeys", method!(admin::hot_keys)),
    (c"hottest", method!(admin::hottest)),
    (c"resize", method!(admin::resize)),
    (c"bounds", method!(admin::bounds)),
    (c"listen", method!(admin::listen)),
    (c"unlisten", method!(admin::unlisten)),
    (c"join", method!(flights::join)),
    (c"land", method!(flights::land, 6)),
    (c"give", method!(flights::give)),
    (c"fail", method!(flights::fail)),
    (c"leave", method!(flights::leave)),
    (c"cancel", method!(flights::cancel)),
    (c"handOver", method!(flights::hand_over)),
    (c"close", method!(admin::close)),
    (c"save", method!(persist::save)),
    (c"load", method!(persist::load)),
    (c"openPort", method!(near::open_port)),
    (c"look", method!(look::look, 2)),
    (c"setNoted", method!(write::set_noted, 5)),
    (c"bury", method!(write::bury)),
    (c"epoch", method!(write::epoch)),
    (c"invalidateTag", method!(write::invalidate_tag)),
];

/// Called by the runtime once per environment: the main thread and each worker.
///
/// # Safety
/// Only a Node-API host calls this, with a live environment and its exports object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(
    env: sys::napi_env,
    exports: sys::napi_value,
) -> sys::napi_value {
    image::prepare();
    // SAFETY: the host hands over a live environment and a value of its current scope.
    let (js, exports) = unsafe { (Js::new(env), js::Val::new(exports)) };
    if let Ok(state) = Env::install(js) {
        // A function that could not be made leaves a pending exception, which the host reports.
        let _ = call::define(js, exports, EXPORTS, &state);
    }
    exports.raw()
}
