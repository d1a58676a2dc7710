//! Hooks: the host's say in what clients ask.

use super::{Driver, Task};
use breakwater_router::{ClientId, HookCaller, Protocol, Ruling};

impl Driver {
    /// From now on these hooks are asked; none, without. What others were asked about before they may
    /// still answer.
    pub fn set_hooks(&mut self, hooks: Option<Box<dyn HookCaller>>) {
        let routes = hooks.as_ref().and_then(|hooks| hooks.hooks().routes().map(<[_]>::to_vec));
        self.work.hooks = hooks;
        self.work.router.choose_routes(routes.as_deref());
    }

    /// The protocol of a client; `None` if it is gone.
    pub fn protocol_of(&mut self, client: ClientId) -> Option<Protocol> {
        let key = self.by_id.get(&client)?;
        self.connections.get_mut(*key)?.client().map(|client| client.protocol())
    }

    /// A hook answers a question of a client, whose commands go on in the next turn. An answer that
    /// nobody waits for is for nobody.
    pub fn answer(&mut self, client: ClientId, number: u64, ruling: Ruling) {
        let Some(&key) = self.by_id.get(&client) else { return };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let heard = connection.client().is_some_and(|client| client.answer(number, ruling));
        if heard && !connection.queued {
            connection.queued = true;
            self.queue.push_back(Task::Serve(key));
        }
        self.pause();
    }
}
