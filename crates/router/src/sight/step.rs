//! The requests of one step of a client, counted before it is known how long they took.

use super::COUNTED;
use crate::catalog::Class;

/// What kind of request it is, as far as latencies are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum CommandClass {
    /// It changes nothing.
    Read,
    /// It changes keys, or may.
    Write,
    /// It concerns no key.
    Other,
}

impl CommandClass {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Read, "read"), (Self::Write, "write"), (Self::Other, "other")];

    /// That of a command of the catalog.
    pub(crate) fn of(class: Class) -> Self {
        match class {
            Class::Read => Self::Read,
            Class::Write | Class::Script | Class::Scope | Class::Blocks | Class::MayBlock => {
                Self::Write
            }
            _ => Self::Other,
        }
    }
}

/// Counts of a step, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// Requests taken.
    pub requests: [u32; 3],
    /// Of these, those whose replies the node had itself.
    pub answered: [u32; 3],
}

impl StepCounts {
    /// A request is on its way.
    #[inline]
    pub(crate) fn request(&mut self, class: CommandClass) {
        self.requests[class as usize] += u32::from(COUNTED);
    }

    /// A request was answered by the node itself.
    #[inline]
    pub(crate) fn answer(&mut self, class: CommandClass) {
        self.answered[class as usize] += u32::from(COUNTED);
    }

    /// Adds what another one counted.
    #[inline]
    pub(crate) fn add(&mut self, other: Self) {
        for at in 0..3 {
            self.requests[at] += other.requests[at];
            self.answered[at] += other.answered[at];
        }
    }

    /// Whether it has counted nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.requests == [0; 3]
    }
}
