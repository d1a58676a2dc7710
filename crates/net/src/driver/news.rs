//! News: what clients are told without having asked.

use super::faults::caught;
use super::{Driver, Task};
use breakwater_router::{ClientId, Notice};

impl Driver {
    /// Tells clients what waits for them.
    pub(super) fn tell_news(&mut self) {
        for (client, news) in self.mailbox.take() {
            self.tell_client(client, &news);
        }
    }

    /// Tells one client, or ends who cannot take it.
    fn tell_client(&mut self, client: ClientId, news: &[Notice]) {
        let Some(&key) = self.by_id.get(&client) else { return };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(client) = connection.client() else { return };
        match caught(|| client.hear(news)) {
            Ok(true) if !connection.queued => {
                connection.queued = true;
                self.queue.push_back(Task::Serve(key));
            }
            Ok(true) => {}
            Ok(false) => self.end(key),
            Err(why) => self.give_up(key, why),
        }
    }
}
