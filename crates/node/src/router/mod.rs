//! The routing node: driven by JavaScript's sockets, or natively in the event loop of a thread.

#![deny(clippy::multiple_unsafe_ops_per_block)]

mod bell;
mod counts;
mod driver;
mod edge;
#[cfg(unix)]
mod entrance;
mod given;
mod hooks;
mod list;
mod memory;
#[cfg(unix)]
mod notify;
mod open;
mod reload;
mod routes;
mod sight;
#[cfg(unix)]
mod sockets;
mod tokens;
#[cfg(unix)]
mod uv;

use crate::env::{Env, Function, function};

/// What the module exports of it.
pub const EXPORTS: &[Function<Env>] = &[
    function!(Env, c"createRouter", open::create),
    function!(Env, c"attachRouter", open::attach),
    function!(Env, c"reloadRouter", reload::reload),
    function!(Env, c"refuseReload", reload::refuse),
    function!(Env, c"duplicateFd", open::duplicate_fd),
    function!(Env, c"wrongRule", open::wrong_rule),
    function!(Env, c"wrongTemplate", tokens::wrong_template),
    function!(Env, c"hashPassword", open::hash_password),
    function!(Env, c"mergeLatencies", sight::merge),
    function!(Env, c"closeFd", open::close_fd),
    function!(Env, c"showClient", hooks::show_client),
    function!(Env, c"hasRoute", hooks::has_route),
    function!(Env, c"setTls", edge::set_tls),
    function!(Env, c"setStoreTls", edge::set_store_tls),
    #[cfg(unix)]
    function!(Env, c"holdEntrance", entrance::hold),
    #[cfg(unix)]
    function!(Env, c"listenUnix", open::listen_unix),
    #[cfg(unix)]
    function!(Env, c"sendDatagram", notify::send),
    #[cfg(unix)]
    function!(Env, c"startSockets", sockets::start, 4),
];
