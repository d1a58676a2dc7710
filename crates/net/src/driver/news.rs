//! News: what clients are told without having asked.

use super::Driver;
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
        self.give(client, |client| client.hear(news));
    }
}
