//! The module's own functions that concern nothing but the environment.

use super::call::{Call, Function, Returns, function};
use super::state::Env;
use crate::js::{Fail, Val};

/// These functions.
pub const EXPORTS: &[Function<Env>] = &[
    function!(Env, c"setup", setup),
    function!(Env, c"take", take),
    function!(Env, c"nextTurn", next_turn),
];

/// `nextTurn()`: the event loop has turned since the facade was asked to call this.
fn next_turn<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    call.on.next_turn(call.js);
    Ok(Val::UNDEFINED)
}

/// `setup({ fail, deliver, later, fly, scratch, ... })`: see [`Env::set_up`]. Gives back the object that
/// the first facade of the environment brought: a second one (CommonJS beside ES modules, or that of
/// another module registry) works with that. Errors are from now on made by the last one, whose
/// classes and realm are those of the code that runs.
fn setup<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, given) = (call.js, call.arg::<0>());
    if let Some(facade) = call.on.facade(js) {
        call.on.fail_by(js, js.prop(given, c"fail")?)?;
        return facade;
    }
    call.on.set_up(js, given)?;
    Ok(given)
}

/// `take(bytes)`: copies the value that was too long for the scratch area.
fn take<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let value = call.on.parked.take();
    // SAFETY: no JavaScript runs before this function returns.
    let out = unsafe { call.js.to_bytes(call.arg::<0>()) }.ok_or_else(Fail::argument)?;
    out.get_mut(..value.len()).ok_or_else(Fail::argument)?.copy_from_slice(&value);
    Ok(Val::UNDEFINED)
}
