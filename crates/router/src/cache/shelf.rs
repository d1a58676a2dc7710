//! Where the replies to a read lie: its database, its keys, its command and its words.

use super::described;
use super::entry::Form;
use super::keys::KeyList;
use crate::topology::ServerId;
use breakwater_engine::MAX_KEY_LEN;
use breakwater_resp::{Args, Protocol};
use smallvec::SmallVec;

/// The generations of the keys of a read, in the order of the keys.
pub(crate) type Generations = SmallVec<[u64; 2]>;

/// Where the replies to a read lie.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) db: u8,
    pub(crate) keys: KeyList,
    /// Its database, its command and its words: one for each protocol if the reply has several
    /// forms. The first byte says which. `described` reads it.
    own: SmallVec<[u8; 96]>,
    pub(crate) form: Form,
    /// Whether the reply may lie with the generation of its key: that of `GET`.
    plain: bool,
}

impl Shelf {
    /// The shelf of a read of `keys`; `None` if it is too long for one.
    pub(crate) fn new(
        db: u8,
        name: &str,
        words: Args<'_>,
        keys: KeyList,
        form: Form,
    ) -> Option<Self> {
        let mut own = SmallVec::new();
        own.push(db);
        described::name(name, &mut own);
        for word in words.from(1).iter() {
            own.extend_from_slice(&(word.len() as u32).to_ne_bytes());
            own.extend_from_slice(word);
        }
        let fits = !keys.is_empty() && own.len() <= MAX_KEY_LEN;
        fits.then_some(Self { db, keys, own, form, plain: name == "get" && words.len() == 2 })
    }

    /// The name of a flight of such generations; `None` if it is too long for one.
    pub(crate) fn flight(&self, generations: &Generations) -> Option<SmallVec<[u8; 128]>> {
        let mut name: SmallVec<[u8; 128]> =
            generations.iter().flat_map(|generation| generation.to_ne_bytes()).collect();
        name.extend_from_slice(&self.own);
        (name.len() <= MAX_KEY_LEN).then_some(name)
    }

    /// The name of a flight of such generations that asks this server, among flights that ask others.
    pub(crate) fn flight_to(
        &self,
        server: ServerId,
        generations: &Generations,
    ) -> Option<SmallVec<[u8; 128]>> {
        let mut name = self.flight(generations)?;
        name.extend_from_slice(&server.to_ne_bytes());
        (name.len() <= MAX_KEY_LEN).then_some(name)
    }

    /// What it is a read of: its database, its command and its words.
    pub(crate) fn own(&self) -> &[u8] {
        &self.own
    }

    /// Whether its reply may lie with the generation of its key.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Its own place in the engine, for replies in the form of a protocol.
    pub(super) fn place(&self, protocol: Protocol) -> SmallVec<[u8; 96]> {
        let mut own = self.own.clone();
        if self.form != Form::Alike && protocol == Protocol::Resp2 {
            own[0] |= described::RESP2;
        }
        own
    }
}
