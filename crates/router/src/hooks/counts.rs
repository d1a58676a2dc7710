//! How often hooks were asked, and what they said.

use super::Ruling;
use std::sync::atomic::{AtomicU64, Ordering};

/// What hooks were asked since the start, and what they said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// Questions: about commands, and clients that came.
    pub asked: u64,
    /// Commands that became others.
    pub rewritten: u64,
    /// Commands whose replies a hook gave.
    pub answered: u64,
    /// Commands and clients that a hook refused.
    pub refused: u64,
    /// Questions to which a hook gave no proper answer: it threw, or took too long.
    pub failed: u64,
}

/// The same, as it is counted. Relaxed throughout: sums of independent steps.
#[derive(Debug, Default)]
pub(crate) struct HookTotals {
    asked: AtomicU64,
    rewritten: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl HookTotals {
    /// A hook is asked.
    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// A hook has said this.
    pub(crate) fn hear(&self, ruling: &Ruling) {
        let count = match ruling {
            Ruling::Go | Ruling::Label(_) => return,
            Ruling::Rewrite(_) => &self.rewritten,
            Ruling::Answer(_) => &self.answered,
            Ruling::Refuse(_) => &self.refused,
            Ruling::Fail(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// As of now.
    pub(crate) fn read(&self) -> HookCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HookCounts {
            asked: read(&self.asked),
            rewritten: read(&self.rewritten),
            answered: read(&self.answered),
            refused: read(&self.refused),
            failed: read(&self.failed),
        }
    }
}
