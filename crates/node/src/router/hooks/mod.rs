//! Hooks of JavaScript: the core asks, a function of this environment answers. `block` is a question as
//! bytes, `ruling` is what an answer comes to, `scope` is what JavaScript needs around it.

mod block;
mod ruling;
mod scope;

use super::list;
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_router::{
    ClientId, HookCaller, HookCounts, HookKind, HookedCommand, Hooks, Interest, Protocol, Ruling,
    ShownClient,
};
use napi_sys as sys;
pub use scope::HookScope;
use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

/// What a client reads whose hook cannot be asked, since its thread is ending.
const ENDING: &str = "ERR a hook of the node cannot be asked: its thread is ending";

/// The function that is asked, and what it reads questions from.
pub struct HookFunction {
    env: sys::napi_env,
    /// `ask(block?)`, and the Buffer for questions that fit it; null once they are let go.
    ask: Cell<sys::napi_ref>,
    area: Cell<sys::napi_ref>,
    scope: Option<Rc<HookScope>>,
    /// A call has failed, since the environment is ending: there is no other one.
    failed: Cell<bool>,
}

/// Asks the function for the core.
pub struct Asker {
    hooks: Hooks,
    function: Rc<HookFunction>,
    /// Where questions are put together.
    block: Vec<u8>,
}

/// The asker for what JavaScript gives: `{ hooks: [{ commands, prefixes }], greets, routes, ask, area }`;
/// none, if it gives no object. `routes` are the beginnings of keys whose routes are chosen, if any are. `scope` is opened around questions that are asked where no JavaScript runs.
pub fn asker(
    js: Js<'_>,
    given: Val<'_>,
    scope: Option<Rc<HookScope>>,
) -> Result<Option<Asker>, Fail> {
    if js.type_name(given) != "object" {
        return Ok(None);
    }
    let list = js.prop(given, c"hooks")?;
    let interest = |at| {
        let hook = js.at(list, at)?;
        let texts = |name| super::given::texts(js, js.prop(hook, name)?);
        let names = texts(c"commands")?.into_iter().filter_map(|name| String::from_utf8(name).ok());
        Ok(Interest { commands: names.collect(), prefixes: texts(c"prefixes")? })
    };
    let interests = (0..js.len(list).unwrap_or(0)).map(interest).collect::<Result<_, Fail>>()?;
    let greets = js.to_number(js.prop(given, c"greets")?) == Some(1.0);
    let ask = Cell::new(js.keep(js.prop(given, c"ask")?)?);
    let area = Cell::new(js.keep(js.prop(given, c"area")?)?);
    let function = HookFunction { env: js.raw(), ask, area, scope, failed: Cell::new(false) };
    let routes = js.prop(given, c"routes")?;
    let hooks = match js.type_name(routes) {
        "object" => Hooks::new(interests, greets).choosing(super::given::texts(js, routes)?),
        _ => Hooks::new(interests, greets),
    };
    Ok(Some(Asker { hooks, function: Rc::new(function), block: vec![] }))
}

impl HookFunction {
    /// Whether a call has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Lets the function go: nobody asks any more.
    pub fn let_go(&self, js: Js<'_>) {
        for reference in [&self.ask, &self.area] {
            let reference = reference.replace(ptr::null_mut());
            if !reference.is_null() {
                // SAFETY: it was made in this environment, and is not used again.
                unsafe { js.let_go(reference) };
            }
        }
    }

    /// Asks with a block; `None` if the answer comes later.
    fn ask(&self, block: &[u8], protocol: Protocol) -> Option<Ruling> {
        if !self.failed.get() {
            match self.try_ask(block, protocol) {
                Ok(ruling) => return ruling,
                Err(_) => {
                    self.failed.set(true);
                    // SAFETY: as in `try_ask`.
                    unsafe { Js::new(self.env) }.forget_exception();
                }
            }
        }
        Some(Ruling::Fail(ENDING.into()))
    }

    fn try_ask(&self, block: &[u8], protocol: Protocol) -> Result<Option<Ruling>, Fail> {
        // SAFETY: the driver asks on the thread of the environment, which lives: its end takes the
        // driver down, and after a call that failed there is no other one.
        let js = unsafe { Js::new(self.env) };
        if let Some(scope) = &self.scope {
            scope.open(js)?;
        }
        js.scoped(|js| {
            // SAFETY: the references were made in this environment, or are null.
            let ask = unsafe { js.referent(self.ask.get()) }.ok_or_else(Fail::closed)?;
            // SAFETY: as above.
            let area = unsafe { js.referent(self.area.get()) }.ok_or_else(Fail::closed)?;
            // SAFETY: no JavaScript runs until the block is copied.
            let room = unsafe { js.to_bytes(area) }.ok_or_else(Fail::argument)?;
            let said = match room.get_mut(..block.len()) {
                Some(room) => {
                    room.copy_from_slice(block);
                    js.call(ask, &[])?
                }
                None => js.call(ask, &[js.buffer(block)?])?,
            };
            ruling::read(js, said, protocol)
        })
    }
}

impl Asker {
    /// The function that it asks.
    pub fn function(&self) -> Rc<HookFunction> {
        self.function.clone()
    }
}

impl HookCaller for Asker {
    fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    fn ask(&mut self, command: &HookedCommand<'_>) -> Option<Ruling> {
        block::of_command(command, &mut self.block);
        self.function.ask(&self.block, command.protocol)
    }

    fn greet(&mut self, client: ClientId, number: u64) -> Option<Ruling> {
        block::of_client(client, number, &mut self.block);
        self.function.ask(&self.block, Protocol::Resp2)
    }

    fn route(&mut self, client: ClientId, number: u64, key: &[u8]) -> Option<Ruling> {
        block::of_key(client, number, key, &mut self.block);
        self.function.ask(&self.block, Protocol::Resp2)
    }
}

/// What JavaScript says of a question that was left to be answered later.
pub fn answer<'s>(js: Js<'s>, said: Val<'s>, protocol: Protocol) -> Result<Ruling, Fail> {
    Ok(ruling::read(js, said, protocol)?.unwrap_or(Ruling::Go))
}

/// `hasRoute(router, prefix)`: whether a router that lives has a route of this prefix.
pub fn has_route<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let js = call.js;
    let id = js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    let prefix = js.to_text(call.arg::<1>()).ok_or_else(Fail::argument)?;
    js.boolean(list::find(id).is_some_and(|(router, _)| router.has_route(prefix.as_bytes())))
}

/// `showClient(router, client)`: what a hook may know of a client: `{ address, local, name, label,
/// certificate }`; `undefined` if it is gone.
pub fn show_client<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let js = call.js;
    let id = js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    let client = js.to_number(call.arg::<1>()).ok_or_else(Fail::argument)? as u64;
    let shown = list::find(id).and_then(|(router, _)| router.show_client(client));
    let Some(ShownClient { peer, name, label }) = shown else { return js.undefined() };
    let object = js.object()?;
    js.put(object, c"address", js.text(&peer.address)?)?;
    js.put(object, c"local", js.text(&peer.local)?)?;
    js.put(object, c"name", js.text(&name)?)?;
    if let Some(label) = label {
        js.put(object, c"label", js.text(&label)?)?;
    }
    if let Some(certificate) = peer.certificate {
        let shown = js.object()?;
        js.put(shown, c"common", texts(js, &certificate.common)?)?;
        js.put(shown, c"uris", texts(js, &certificate.uris)?)?;
        js.put(shown, c"dns", texts(js, &certificate.dns)?)?;
        js.put(object, c"certificate", shown)?;
    }
    Ok(object)
}

fn texts<'s>(js: Js<'s>, texts: &[String]) -> Returns<'s> {
    let array = js.array(texts.len())?;
    for (at, text) in texts.iter().enumerate() {
        js.put_at(array, at, js.text(text)?)?;
    }
    Ok(array)
}

/// What hooks were asked: `{ asked, rewritten, answered, refused, failed, kinds }`, of each kind
/// `{ hook, asked, failed, late, seconds }`.
pub fn counts<'s>(js: Js<'s>, counts: &HookCounts) -> Returns<'s> {
    let (object, sum) = (js.object()?, counts.sum());
    js.put_number(object, c"asked", sum.asked as f64)?;
    js.put_number(object, c"rewritten", counts.rewritten as f64)?;
    js.put_number(object, c"answered", counts.answered as f64)?;
    js.put_number(object, c"refused", counts.refused as f64)?;
    js.put_number(object, c"failed", sum.failed as f64)?;
    let kinds = js.array(counts.kinds.len())?;
    for (at, (kind, of)) in HookKind::ALL.into_iter().zip(&counts.kinds).enumerate() {
        let shown = js.object()?;
        js.put(shown, c"hook", js.text(kind.name())?)?;
        js.put_number(shown, c"asked", of.asked as f64)?;
        js.put_number(shown, c"failed", of.failed as f64)?;
        js.put_number(shown, c"late", of.late as f64)?;
        js.put_number(shown, c"seconds", of.nanoseconds as f64 / 1e9)?;
        js.put_at(kinds, at, shown)?;
    }
    js.put(object, c"kinds", kinds)?;
    Ok(object)
}
