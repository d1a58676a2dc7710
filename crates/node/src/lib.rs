//! The N-API binding: raw callbacks between JavaScript and the engine, and nothing more.
//!
//! A JavaScript `Cache` knows its [`cache::Handle`] by a number. A handle belongs to one facade (the
//! package's JavaScript, as the main thread, a worker or a test runner's registry loaded it) and points
//! to a cache that the whole process shares ([`cache::registry`]). What a facade owns hangs on [`Env`].
//!
//! Calls are raw `extern "C"` callbacks ([`env::Call`]), not `#[napi]` methods: those take a mutex
//! that all threads of the process share.
//!
//! From the bottom up: [`js`] (values), [`env`] (what an environment has), [`cache`] (what an
//! instance has), [`methods`], [`router`], [`lab`] and [`record`] (what JavaScript calls).

mod cache;
mod env;
mod image;
mod js;
mod lab;
mod methods;
mod record;
mod router;

use cache::Instances;
use env::{Call, Env, Returns, function};
use js::{Fail, Js, Val};
use napi_sys as sys;

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
    let (js, exports) = unsafe { (Js::new(env), Val::new(exports)) };
    // What could not be made leaves a pending exception, which the host reports.
    let _ = install(js, exports);
    exports.raw()
}

fn install<'s>(js: Js<'s>, exports: Val<'s>) -> Result<(), Fail> {
    env::define(js, exports, &[function!(Env, c"setup", setup)], &Env::new())
}

/// `setup(facade)`: the same object, with all other functions, which are of this facade alone: its
/// instances and their numbers, its deliveries, its errors. It has `makeError`, `deliver`, `later`, `fly`
/// and `scratch`: see [`Env::set_up`].
fn setup<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, facade, env) = (call.js, call.arg::<0>(), Env::new());
    env.set_up(js, facade)?;
    let instances = Instances::install(js, env.clone(), facade)?;
    env::define(js, facade, env::setup::EXPORTS, &env)?;
    env::define(js, facade, methods::CLOCKS, &env)?;
    env::define(js, facade, router::EXPORTS, &env)?;
    env::define(js, facade, lab::EXPORTS, &env)?;
    env::define(js, facade, record::EXPORTS, &env)?;
    env::define(js, facade, methods::METHODS, &instances)?;
    Ok(facade)
}
