//! Functions that concern nothing but the environment.

use super::call::{Call, Function, Returns, function};
use super::state::Env;
use crate::js::{Fail, Val};

/// These functions.
pub const EXPORTS: &[Function<Env>] =
    &[function!(Env, c"take", take), function!(Env, c"nextTurn", next_turn)];

/// `nextTurn()`: the event loop has turned since the facade was asked to call this.
fn next_turn<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    call.on.next_turn(call.js);
    Ok(Val::UNDEFINED)
}

/// `take(bytes)`: copies the value that was too long for the scratch area.
fn take<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let value = call.on.parked.take();
    // SAFETY: no JavaScript runs before this function returns.
    let out = unsafe { call.js.to_bytes(call.arg::<0>()) }.ok_or_else(Fail::argument)?;
    out.get_mut(..value.len()).ok_or_else(Fail::argument)?.copy_from_slice(&value);
    Ok(Val::UNDEFINED)
}
