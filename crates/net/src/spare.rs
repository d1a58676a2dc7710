//! A descriptor that is kept for when there is no other: it is given up to take those who wait at a listener
//! and to hang up on them, so that they know at once and may go elsewhere.

use crate::listener::{Accepted, Listener};
use std::fs::File;

/// The most who are turned away at once.
const MOST: u64 = 256;
/// What a client is told, if there is time.
const WORDS: &[u8] = b"-ERR max number of clients reached\r\n";

/// The descriptor, if there was one.
pub struct Spare(Option<File>);

impl Spare {
    /// Keeps one.
    pub fn new() -> Self {
        Self(kept())
    }

    /// Turns those away who wait at a listener; how many.
    pub fn turn_away(&mut self, listener: &Listener) -> u64 {
        self.0 = None;
        let mut turned = 0;
        while turned < MOST
            && let Accepted::Connection(socket) = listener.accept()
        {
            if !listener.secure {
                socket.tell(WORDS);
            }
            turned += 1;
        }
        self.0 = kept();
        turned
    }
}

fn kept() -> Option<File> {
    File::open(if cfg!(windows) { "NUL" } else { "/dev/null" }).ok()
}
