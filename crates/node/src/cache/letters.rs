//! What the letters to an environment's instances mean, and handing them to the facade.

use super::handle::Handle;
use crate::env::{Enclosure, Env, Letter, News};
use crate::js::{Fail, Js, Val, format};
use std::rc::Rc;

/// Takes note of what letters say and hands them to the facade; `instance` knows the instances by
/// their numbers.
pub fn hand_over(
    js: Js<'_>,
    env: &Env,
    letters: Vec<Letter>,
    instance: impl Fn(usize) -> Option<Rc<Handle>>,
) {
    // An exception of the facade's is a bug, and it is reported by the runtime.
    let _ = js.scoped(|js| {
        let list = list(js, letters, instance)?;
        js.call(env.fly_function(js)?, &[list]).map(drop)
    });
}

/// `[instance, flight, kind, value]` of each letter, flat.
fn list<'s>(
    js: Js<'s>,
    letters: Vec<Letter>,
    instance: impl Fn(usize) -> Option<Rc<Handle>>,
) -> Result<Val<'s>, Fail> {
    let (list, mut at) = (js.array(0)?, 0);
    for letter in letters {
        // The number may belong to another one by now.
        let handle = instance(letter.instance).filter(|handle| handle.owner == letter.owner);
        let Some(handle) = handle else { continue };
        let (number, flight, kind) = (letter.instance, letter.flight, letter.news.kind());
        let Some(value) = open(js, &handle, letter)? else { continue };
        let fields =
            [js.number(number as f64)?, js.number(flight as f64)?, js.number(kind.into())?, value];
        for field in fields {
            js.put_at(list, at, field)?;
            at += 1;
        }
    }
    Ok(list)
}

/// Takes note of what a letter says; its value, or `None` if it came too late to matter.
fn open<'s>(js: Js<'s>, handle: &Handle, letter: Letter) -> Result<Option<Val<'s>>, Fail> {
    let Ok(shared) = handle.shared() else { return Ok(None) };
    let (flights, table) = (&handle.flights, shared.cache.flights());
    match &letter.news {
        News::Alone => return js.undefined().map(Some),
        News::Overtaken => {
            if !flights.overtaken(letter.flight, table, handle.owner) {
                return Ok(None);
            }
            handle.env.waits_more(js, 1);
            return js.undefined().map(Some);
        }
        // It came so late that another one leads meanwhile, and this one waits.
        News::Lead(lease) if !table.leads(lease) => return Ok(None),
        _ => {}
    }
    if flights.end_wait(letter.flight).is_some() {
        handle.env.waits_less(js, 1);
    }
    if !matches!(letter.news, News::Lead(_)) {
        // Whoever led it meanwhile has ended it.
        flights.stop_leading(letter.flight);
    }
    let value = match letter.news {
        News::Value(Enclosure { format: kind, bytes })
        | News::Failed(_, Enclosure { format: kind, bytes }) => format::to_js(js, kind, &bytes)?,
        News::Lead(lease) => {
            let number = js.number(lease.number() as f64)?;
            flights.inherit(lease);
            number
        }
        _ => js.undefined()?,
    };
    Ok(Some(value))
}
