//! The routing node as JavaScript's sockets drive it.

mod driver;
mod list;
mod open;

use crate::env::{Env, Function, function};

/// What the module exports of it.
pub const EXPORTS: &[Function<Env>] = &[
    function!(Env, c"createRouter", open::create),
    function!(Env, c"attachRouter", open::attach),
    function!(Env, c"duplicateFd", open::duplicate_fd),
];
