//! A descriptor that is kept for when there is no other: it is given up to take those who wait at a listener
//! and to hang up on them, so that they know at once and may go elsewhere.

use crate::listener::{Accepted, Listener};
use crate::room::{Room, number_of};
use std::fs::File;

/// The most who are turned away at once.
const MOST: u64 = 256;

/// The descriptor, if there was one.
pub struct Spare(Option<File>);

impl Spare {
    /// Keeps one.
    pub fn new() -> Self {
        Self(kept())
    }

    /// Keeps one again, if it was lost to somebody else or cannot be given any more; whether there is one.
    pub fn keep(&mut self, room: Room) -> bool {
        if !self.0.as_ref().is_some_and(|file| room.is_given(number_of(file))) {
            self.0 = kept();
        }
        self.0.is_some()
    }

    /// Turns those away who wait at a listener; how many.
    pub fn turn_away(&mut self, listener: &Listener) -> u64 {
        self.0 = None;
        let mut turned = 0;
        while turned < MOST
            && let Accepted::Connection(socket) = listener.accept()
        {
            listener.turn_away(socket);
            turned += 1;
        }
        self.0 = kept();
        turned
    }
}

fn kept() -> Option<File> {
    File::open(if cfg!(windows) { "NUL" } else { "/dev/null" }).ok()
}
