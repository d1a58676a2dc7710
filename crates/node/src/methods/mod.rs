//! What JavaScript calls to work with caches: thin functions over the engine.

mod admin;
mod clock;
mod conditional;
mod flights;
mod info;
mod many;
mod near;
mod open;
mod persist;
mod read;
mod scan;
mod with_state;
mod write;

use crate::cache::{Instances, method};
use crate::env::{Env, Function, function};

/// Functions that need no cache.
pub const CLOCKS: &[Function<Env>] = &[
    function!(Env, c"createClock", clock::create),
    function!(Env, c"advanceClock", clock::advance),
    function!(Env, c"readClock", clock::read),
];

/// Functions that make instances, and the instances' methods, whose first argument is the number
/// that `open` or `attach` gave.
pub const METHODS: &[Function<Instances>] = &[
    function!(Instances, c"open", open::open),
    function!(Instances, c"attach", open::attach),
    method!(c"get", read::get, 2),
    method!(c"openNear", near::open),
    method!(c"getNear", near::get, 2),
    method!(c"used", near::used, 2),
    method!(c"now", near::now),
    method!(c"beat", near::beat),
    method!(c"peek", read::peek, 2),
    method!(c"has", read::has, 2),
    method!(c"getInto", read::get_into),
    method!(c"ttl", read::ttl),
    method!(c"set", write::set),
    method!(c"delete", write::delete, 2),
    method!(c"expire", write::expire),
    method!(c"clear", write::clear),
    method!(c"getMany", many::get),
    method!(c"setMany", many::set),
    method!(c"deleteMany", many::delete),
    method!(c"scan", scan::scan),
    method!(c"size", admin::size),
    method!(c"bytes", admin::bytes),
    method!(c"stats", admin::stats),
    method!(c"resetStats", admin::reset_stats),
    method!(c"hotKeys", admin::hot_keys),
    method!(c"skew", admin::skew),
    method!(c"hottest", admin::hottest),
    method!(c"resize", admin::resize),
    method!(c"bounds", admin::bounds),
    method!(c"listen", admin::listen),
    method!(c"unlisten", admin::unlisten),
    method!(c"join", flights::join),
    method!(c"land", flights::land, 7),
    method!(c"give", flights::give),
    method!(c"fail", flights::fail),
    method!(c"leave", flights::leave),
    method!(c"mayStore", flights::may_store),
    method!(c"handOver", flights::hand_over),
    method!(c"overdue", flights::overdue),
    method!(c"close", admin::close),
    method!(c"save", persist::save),
    method!(c"load", persist::load),
    method!(c"openPort", near::open_port),
    method!(c"getWithState", with_state::get, 2),
    method!(c"getWithStateInto", with_state::get_into),
    method!(c"setNoted", write::set_noted, 6),
    method!(c"increment", conditional::increment, 5),
    method!(c"setIfAbsent", conditional::set_if_absent, 6),
    method!(c"compareAndSet", conditional::compare_and_set, 7),
    method!(c"compareAndDelete", conditional::compare_and_delete),
    method!(c"touch", info::touch, 2),
    method!(c"getAndTouch", info::get_and_touch, 2),
    method!(c"info", info::info, 2),
    method!(c"deleteOlder", write::delete_older),
    method!(c"epoch", write::epoch),
    method!(c"invalidateTag", write::invalidate_tag),
];
