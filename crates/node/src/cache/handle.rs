//! A cache as one instance of one environment holds it.

use super::flights::{self, Flights};
use super::port::Port;
use super::registry;
use super::shared::Shared;
use crate::env::{Env, Listener, mail};
use crate::js::{Fail, Js};
use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// What one JavaScript `Cache` works on.
pub struct Handle {
    /// The environment.
    pub env: Rc<Env>,
    /// `None` once closed.
    shared: RefCell<Option<Arc<Shared>>>,
    listener: RefCell<Option<Arc<Listener>>>,
    port: OnceCell<Arc<Port>>,
    /// The flights that it takes part in.
    pub flights: Flights,
    /// What the engine knows it by in flights.
    pub owner: u64,
    /// Its number in the environment.
    number: Cell<usize>,
    /// Whether it gets letters.
    moved_in: Cell<bool>,
}

impl Handle {
    /// A handle of a cache that counts this user already.
    pub fn new(env: Rc<Env>, shared: Arc<Shared>) -> Self {
        Self {
            env,
            shared: RefCell::new(Some(shared)),
            listener: RefCell::default(),
            port: OnceCell::new(),
            flights: Flights::default(),
            owner: mail::new_owner(),
            number: Cell::new(0),
            moved_in: Cell::new(false),
        }
    }

    /// Its number in the environment, once it has one.
    pub fn set_number(&self, number: usize) {
        self.number.set(number);
    }

    /// Gets letters about flights from now on.
    pub fn move_in(&self, js: Js<'_>) -> Result<(), Fail> {
        if !self.moved_in.get() {
            self.shared()?;
            self.env.hang_bell(js)?;
            mail::move_in(self.owner, self.env.outbox.clone(), self.number.get());
            self.moved_in.set(true);
        }
        Ok(())
    }

    /// The cache, for code that runs no JavaScript meanwhile.
    #[inline]
    pub fn shared(&self) -> Result<Ref<'_, Shared>, Fail> {
        let shared = self.shared.borrow();
        Ref::filter_map(shared, |shared| shared.as_deref()).map_err(|_| Fail::closed())
    }

    /// The cache, for code that may run JavaScript, which may close the handle.
    pub fn owned(&self) -> Result<Arc<Shared>, Fail> {
        self.shared.borrow().clone().ok_or_else(Fail::closed)
    }

    /// Hears of removals from now on.
    pub fn listen(&self, listener: Arc<Listener>) -> Result<(), Fail> {
        let shared = self.owned()?;
        self.unlisten();
        shared.cache.listen(listener.clone());
        self.listener.replace(Some(listener));
        Ok(())
    }

    /// Hears of removals no more.
    pub fn unlisten(&self) {
        if let (Ok(shared), Some(listener)) = (self.shared(), self.listener.take()) {
            shared.cache.unlisten(&listener);
        }
    }

    /// Who listens, if anybody does.
    pub fn listener(&self) -> Option<Arc<Listener>> {
        self.listener.borrow().clone()
    }

    /// The memory that the near cache uses, made by `make` if there is none yet.
    pub fn port(&self, make: impl FnOnce() -> Arc<Port>) -> Arc<Port> {
        self.port.get_or_init(make).clone()
    }

    /// Hands the port to `f`, if there is one.
    #[inline]
    pub fn with_port(&self, f: impl FnOnce(&Port)) {
        if let Some(port) = self.port.get() {
            f(port);
        }
    }

    /// Lets the cache go. The last user to do so frees it.
    pub fn close(&self) {
        if let Some(shared) = self.leave() {
            registry::release(shared);
        }
    }

    /// Stops working; the cache, of which this is a user until it is released.
    pub fn leave(&self) -> Option<Arc<Shared>> {
        self.unlisten();
        let shared = self.shared.take()?;
        if let Some(port) = self.port.get() {
            shared.ports.remove(port);
        }
        if self.moved_in.replace(false) {
            flights::owner_gone(shared.cache.flights(), self.owner);
            self.env.forget_waits(self.flights.close());
        }
        Some(shared)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}
