//! A listening socket that nobody accepts from yet. It ends with its environment, however that ends:
//! a thread that is terminated leaves no port behind on which nobody answers.

use crate::env::{Call, Env, Function, Owner, Returns, define, function};
use crate::js::Fail;
use std::cell::RefCell;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;

struct Entrance {
    env: Rc<Env>,
    /// `None` once closed.
    socket: RefCell<Option<OwnedFd>>,
}

impl Owner for Entrance {
    fn env(&self) -> &Env {
        &self.env
    }
}

const METHODS: &[Function<Entrance>] = &[
    function!(Entrance, c"share", share),
    function!(Entrance, c"hangUp", hang_up),
    function!(Entrance, c"close", close),
];

/// `holdEntrance(fd)`: an object that has the descriptor of a listening socket from now on.
pub fn hold<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let js = call.js;
    let fd = js.to_number(call.arg::<0>()).ok_or_else(Fail::argument)? as i32;
    if fd < 0 {
        return Err(Fail::argument());
    }
    // SAFETY: the caller gives the descriptor away, which is open and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let entrance = Entrance { env: call.on.this()?, socket: RefCell::new(Some(socket)) };
    let object = js.object()?;
    define(js, object, METHODS, &Rc::new(entrance))?;
    Ok(object)
}

/// `share()`: another descriptor of the socket, for a thread that will accept from it.
fn share<'s>(call: &Call<'s, Entrance>) -> Returns<'s> {
    let socket = call.on.socket.borrow();
    let shared = socket.as_ref().ok_or_else(Fail::closed)?.try_clone();
    let shared = shared.map_err(|error| Fail::internal(&format!("no descriptor: {error}")))?;
    call.js.number(f64::from(shared.into_raw_fd()))
}

/// `hangUp()`: closes the connections of those who wait to be accepted.
fn hang_up<'s>(call: &Call<'s, Entrance>) -> Returns<'s> {
    if let Some(socket) = &*call.on.socket.borrow() {
        breakwater_net::hang_up(socket);
    }
    call.js.undefined()
}

/// `close()`: lets go of the socket; who shares it goes on.
fn close<'s>(call: &Call<'s, Entrance>) -> Returns<'s> {
    call.on.socket.borrow_mut().take();
    call.js.undefined()
}
