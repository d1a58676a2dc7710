//! How often hooks were asked, what they said, and how long they took.

use super::Ruling;
use std::sync::atomic::{AtomicU64, Ordering};

/// What hooks are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Whether a client may come.
    Connect,
    /// What becomes of a command.
    Command,
    /// Which route a key has.
    Route,
}

impl HookKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Connect, Self::Command, Self::Route];

    /// As hosts call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "onConnect",
            Self::Command => "onCommand",
            Self::Route => "route",
        }
    }
}

/// What the hooks of one kind were asked since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Questions.
    pub asked: u64,
    /// Those to which a hook gave no proper answer: it threw, or took too long.
    pub failed: u64,
    /// Those among them that took too long.
    pub late: u64,
    /// Nanoseconds from questions to answers.
    pub nanoseconds: u64,
}

/// What hooks were asked since the start, and what they said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// Commands that became others.
    pub rewritten: u64,
    /// Commands whose replies a hook gave.
    pub answered: u64,
    /// Commands and clients that a hook refused.
    pub refused: u64,
    /// What was asked, in the order of [`HookKind::ALL`].
    pub kinds: [KindCounts; 3],
}

impl HookCounts {
    /// What was asked in all.
    pub fn sum(&self) -> KindCounts {
        self.kinds.iter().fold(KindCounts::default(), |sum, kind| KindCounts {
            asked: sum.asked + kind.asked,
            failed: sum.failed + kind.failed,
            late: sum.late + kind.late,
            nanoseconds: sum.nanoseconds + kind.nanoseconds,
        })
    }
}

/// The same, as it is counted. Relaxed throughout: sums of independent steps.
#[derive(Debug, Default)]
pub(crate) struct HookTotals {
    rewritten: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    kinds: [KindTotals; 3],
}

#[derive(Debug, Default)]
struct KindTotals {
    asked: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    nanoseconds: AtomicU64,
}

impl HookTotals {
    /// A hook is asked.
    pub(crate) fn ask(&self, kind: HookKind) {
        self.kinds[kind as usize].asked.fetch_add(1, Ordering::Relaxed);
    }

    /// A hook has said this, in so many nanoseconds.
    pub(crate) fn hear(&self, kind: HookKind, ruling: &Ruling, nanoseconds: u64) {
        let of = &self.kinds[kind as usize];
        of.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        let count = match ruling {
            Ruling::Go | Ruling::Label(_) | Ruling::Route(_) => return,
            Ruling::Rewrite(_) => &self.rewritten,
            Ruling::Answer(_) => &self.answered,
            Ruling::Refuse(_) => &self.refused,
            Ruling::Fail(_) => &of.failed,
            Ruling::Late(_) => {
                of.late.fetch_add(1, Ordering::Relaxed);
                &of.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// As of now.
    pub(crate) fn read(&self) -> HookCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HookCounts {
            rewritten: read(&self.rewritten),
            answered: read(&self.answered),
            refused: read(&self.refused),
            kinds: self.kinds.each_ref().map(|of| KindCounts {
                asked: read(&of.asked),
                failed: read(&of.failed),
                late: read(&of.late),
                nanoseconds: read(&of.nanoseconds),
            }),
        }
    }
}
