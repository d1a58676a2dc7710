//! A read of the store whose reply is to be remembered, for all who wait for it: what it goes
//! through, as one table.

use super::place::Place;
use crate::cache::{Generations, Shelf};
use crate::path::pending::LinkId;
use crate::shared::ClientId;
use crate::topology::Partition;
use breakwater_engine::Lease;
use breakwater_resp::{Kind, Protocol};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Where a read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// It waits until the store may be asked: see `misses`.
    Waiting,
    /// This thread has asked the store.
    Asked,
    /// The reply has come; how long its keys live has not.
    Answered,
    /// Another thread asks the store.
    Elsewhere,
    /// It is over.
    Over,
}

/// What happens to a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum News {
    /// The store may be asked.
    Admitted,
    /// The store's reply has come.
    Reply,
    /// How long its keys live is known.
    Lives,
    /// The store does not answer, or not in time.
    Lost,
    /// Another thread tells the reply.
    Told,
    /// Another thread tells that there is none, or nobody tells anything.
    Failed,
    /// Who asked is gone: this thread asks in its place.
    Inherited,
}

/// What is done on the way from one stage to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The store is asked.
    Ask,
    /// The reply is kept until its life is known.
    Keep,
    /// The reply is remembered if its keys have not changed, and given to all who wait, in all
    /// threads.
    Land,
    /// The reply is given to all who wait, in all threads.
    Give,
    /// All who wait, in all threads, get one error.
    Fail,
    /// The reply is given to those who wait in this thread.
    GiveHere,
    /// Those who wait in this thread get an error.
    FailHere,
}

/// All that can happen. What is not here has no effect.
pub(super) const TABLE: &[(Stage, News, Stage, Deed)] = {
    use Deed::*;
    use News::*;
    use Stage::*;
    &[
        (Waiting, Admitted, Asked, Ask),
        (Waiting, Lost, Over, Deed::Fail),
        (Asked, Reply, Answered, Keep),
        (Asked, Lost, Over, Deed::Fail),
        (Answered, Lives, Over, Land),
        (Answered, Lost, Over, Give),
        (Elsewhere, Told, Over, GiveHere),
        (Elsewhere, Failed, Over, FailHere),
        (Elsewhere, Inherited, Asked, Ask),
    ]
};

/// What news lead to in a stage, if to anything.
pub(super) fn next(stage: Stage, news: News) -> Option<(Stage, Deed)> {
    let row = TABLE.iter().find(|(from, on, ..)| (*from, *on) == (stage, news))?;
    Some((row.2, row.3))
}

/// Who waits for a reply.
#[derive(Clone, Copy)]
pub(super) struct Waiter {
    pub(super) client: ClientId,
    pub(super) ticket: u64,
    pub(super) protocol: Protocol,
    /// When it began to wait for the reply to another read, by the relay's clock.
    pub(super) joined: Option<u64>,
}

/// How long the keys of a reply live, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// None of them exists.
    Absent,
    /// Until one of them changes.
    Endless,
    /// So many milliseconds.
    Ends(u64),
}

impl Life {
    /// The life of a reply, one of whose keys lives as long as `PTTL` says; `None` where that is no
    /// number of its.
    pub(super) fn with(self, pttl: i64) -> Option<Self> {
        match (self, pttl) {
            (life, -2) => Some(life),
            (Self::Ends(ends), 0..) => Some(Self::Ends(ends.min(pttl as u64))),
            (_, 0..) => Some(Self::Ends(pttl as u64)),
            (Self::Absent, -1) => Some(Self::Endless),
            (life, -1) => Some(life),
            _ => None,
        }
    }
}

/// A read.
pub(super) struct Read {
    pub(super) stage: Stage,
    pub(super) shelf: Shelf,
    /// What its keys' generations were before the store was asked.
    pub(super) generations: Generations,
    /// The number of its route, in the rules of this number.
    pub(super) route: usize,
    pub(super) edition: u64,
    /// The request, as a client sent it.
    pub(super) request: Box<[u8]>,
    pub(super) link: LinkId,
    /// What its keys belong to, by the map of this number.
    pub(super) partition: Partition,
    pub(super) epoch: u64,
    /// The right to ask, if this thread has it.
    pub(super) lease: Option<Lease>,
    /// Its place among the reads that the server is asked.
    pub(super) place: Option<Place>,
    /// How many reads have waited for it in threads that have its reply, if it is another one's.
    pub(super) crowd: Option<Arc<AtomicU64>>,
    /// Other threads that wait for it, though its flight is over.
    pub(super) others: Vec<u64>,
    pub(super) waiters: SmallVec<[Waiter; 1]>,
    /// The protocols in whose forms the reply is remembered.
    pub(super) protocols: SmallVec<[Protocol; 2]>,
    /// When the store was asked, and over which connection.
    pub(super) stamp: u64,
    /// Whether the store has promised to tell of changes.
    pub(super) tracked: bool,
    /// Whether it is shared by those who ask at the same time, and not remembered.
    pub(super) passing: bool,
    /// The stamp of the copy of the reply, if the store that is asked has that, and not the key.
    pub(super) of_copy: Option<u64>,
    /// Whether copies of the reply are made in other stores.
    pub(super) copied: bool,
    pub(super) reply: Option<(Kind, Vec<u8>)>,
    /// Keys whose life is to come.
    pub(super) lives: usize,
    pub(super) life: Option<Life>,
    /// Whether one of its keys is not there.
    pub(super) missing: bool,
    /// What is given if the store does not answer: a reply beyond its time.
    pub(super) stale: Option<Vec<u8>>,
    /// Whether that is given as well if the store is too busy to be asked.
    pub(super) stale_while_busy: bool,
}

impl Read {
    /// One that nobody waits for yet.
    pub(super) fn new(
        (shelf, generations): (Shelf, Generations),
        (route, edition): (usize, u64),
        (link, partition, epoch): (LinkId, Partition, u64),
        request: &[u8],
    ) -> Self {
        Self {
            stage: Stage::Asked,
            lives: shelf.keys.len(),
            shelf,
            generations,
            route,
            edition,
            request: request.into(),
            link,
            partition,
            epoch,
            lease: None,
            place: None,
            crowd: None,
            others: vec![],
            waiters: SmallVec::new(),
            protocols: SmallVec::new(),
            stamp: 0,
            tracked: true,
            passing: false,
            of_copy: None,
            copied: false,
            reply: None,
            life: Some(Life::Absent),
            missing: false,
            stale: None,
            stale_while_busy: false,
        }
    }

    /// Another server is asked in the place of the first, over this connection, by a map of this number.
    pub(super) fn ask_anew(
        &mut self,
        generations: Generations,
        (link, partition, epoch): (LinkId, Partition, u64),
    ) {
        (self.generations, self.link, self.partition, self.epoch) =
            (generations, link, partition, epoch);
        (self.stage, self.reply, self.lives) = (Stage::Asked, None, self.shelf.keys.len());
        (self.life, self.missing, self.tracked) = (Some(Life::Absent), false, !self.passing);
        self.lives = if self.passing { 0 } else { self.lives };
    }

    /// It is for those who wait for it alone: nothing else is asked of the store.
    pub(super) fn pass(mut self) -> Self {
        (self.passing, self.tracked, self.lives) = (true, false, 0);
        self
    }

    /// It is shared, and copies of its reply are made: the store is to tell of changes.
    pub(super) fn copy(&mut self) {
        (self.passing, self.tracked, self.copied) = (false, true, true);
        self.lives = self.shelf.keys.len();
    }

    /// One more client waits.
    pub(super) fn add(&mut self, waiter: Waiter) {
        self.waiters.push(waiter);
        self.wants(waiter.protocol);
    }

    /// Its reply is remembered in the form of this protocol.
    pub(super) fn wants(&mut self, protocol: Protocol) {
        if !self.protocols.contains(&protocol) {
            self.protocols.push(protocol);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_news_lead_two_ways() {
        let keys: HashSet<_> = TABLE.iter().map(|(from, on, ..)| (from, on)).collect();
        assert_eq!(keys.len(), TABLE.len());
    }

    #[test]
    fn whatever_is_lost_or_fails_ends_a_read_and_everybody_hears_of_it() {
        for (stage, news) in [
            (Stage::Waiting, News::Lost),
            (Stage::Asked, News::Lost),
            (Stage::Answered, News::Lost),
            (Stage::Elsewhere, News::Failed),
            (Stage::Elsewhere, News::Told),
        ] {
            assert_eq!(next(stage, news).map(|(to, _)| to), Some(Stage::Over), "{stage:?}");
        }
    }

    #[test]
    fn only_a_reply_whose_life_is_known_is_remembered() {
        for (from, on, to, deed) in TABLE {
            assert_ne!(*from, Stage::Over, "nothing follows the end");
            let lands = *deed == Deed::Land;
            assert_eq!(lands, (*from, *on) == (Stage::Answered, News::Lives), "{from:?} {on:?}");
            let others = matches!(deed, Deed::Land | Deed::Give | Deed::Fail);
            let asks = matches!(from, Stage::Waiting | Stage::Asked | Stage::Answered);
            assert_eq!(others, asks && *to == Stage::Over, "who asked tells the other threads");
        }
    }

    #[test]
    fn a_reply_lives_as_long_as_the_first_of_its_keys() {
        let life = |all: &[i64]| all.iter().try_fold(Life::Absent, |life, pttl| life.with(*pttl));
        assert_eq!(life(&[-2]), Some(Life::Absent));
        assert_eq!(life(&[-1]), Some(Life::Endless));
        assert_eq!(life(&[-2, -1]), Some(Life::Endless));
        assert_eq!(life(&[-1, 70, -2, 50]), Some(Life::Ends(50)));
        assert_eq!(life(&[0, 9]), Some(Life::Ends(0)));
        assert_eq!(life(&[-3]), None);
    }
}
