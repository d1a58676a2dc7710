//! Copies of replies to hot reads, which lie in other stores of a ring: which read has some, where, and
//! until when.
//!
//! A copy belongs to one generation of its key and to one stamp of a reply (`cache/replies.rs`), and has
//! both in its name. A write of the key ends the generation, and so all copies at once: nobody asks for
//! them any more, and the store drops them when their time is over. So does the loss of the connection
//! over which the reply was read. A copy that arrives late belongs to what is no more. The name also has a number that this process alone knows, so that nodes do not meet.

use crate::cache::Shelf;
use crate::topology::ServerId;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Reads of which copies are known at a time.
const MOST: usize = 1024;
/// Milliseconds between two times that copies of a read are made: a key that is written all the time
/// costs other stores no more than that.
const PAUSE: u64 = 20;

/// The copies of the reply to one read.
struct CopiedRead {
    key: Box<[u8]>,
    generation: u64,
    /// The stamp of the reply; 0 until one is there.
    stamp: u64,
    /// When they were begun.
    begun: u64,
    /// When they end; 0 until one is there.
    until: u64,
    stores: SmallVec<[ServerId; 8]>,
}

/// What is known of all copies.
pub(crate) struct Copies {
    /// What the names of this process's copies have in common.
    mark: String,
    all: Mutex<HashMap<Box<[u8]>, CopiedRead>>,
}

impl Default for Copies {
    fn default() -> Self {
        // Each state is keyed by the system's random numbers.
        let draw = || RandomState::new().build_hasher().finish();
        Self { mark: format!("{:016x}{:016x}", draw(), draw()), all: Mutex::default() }
    }
}

impl Copies {
    /// The stores that have the reply to a read, of this generation of its key, and its stamp.
    pub(crate) fn of(
        &self,
        shelf: &Shelf,
        generation: u64,
        now: u64,
    ) -> Option<(u64, SmallVec<[ServerId; 8]>)> {
        let all = self.all.lock();
        let known = all.get(shelf.own()).filter(|known| known.generation == generation)?;
        (known.until > now).then(|| (known.stamp, known.stores.clone()))
    }

    /// Whether copies of a read are to be made now, by the caller: there are none that count.
    pub(crate) fn begin(
        &self,
        shelf: &Shelf,
        generation: u64,
        now: u64,
        counts: impl Fn(u64) -> bool,
    ) -> bool {
        let mut all = self.all.lock();
        if let Some(known) = all.get_mut(shelf.own()) {
            let same = known.generation == generation && counts(known.stamp);
            let there = same && known.until > now;
            if there || known.begun + PAUSE > now {
                return false;
            }
            (known.generation, known.stamp) = (generation, 0);
            (known.begun, known.until) = (now, 0);
            known.stores.clear();
            return true;
        }
        if all.len() >= MOST {
            all.retain(|_, known| known.until > now);
        }
        let room = all.len() < MOST;
        if room {
            let key = shelf.keys.first().into();
            let (begun, stores) = (now, SmallVec::new());
            let copied = CopiedRead { key, generation, stamp: 0, begun, until: 0, stores };
            all.insert(shelf.own().into(), copied);
        }
        room
    }

    /// A store has taken a copy of this generation and this stamp, which ends at `until`. Of several
    /// stamps the last counts.
    pub(crate) fn add(
        &self,
        shelf: &Shelf,
        (generation, stamp): (u64, u64),
        store: ServerId,
        until: u64,
    ) {
        let mut all = self.all.lock();
        let Some(known) = all.get_mut(shelf.own()) else { return };
        if known.generation != generation || known.stamp > stamp {
            return;
        }
        if known.stamp != stamp {
            known.stamp = stamp;
            known.stores.clear();
        }
        if !known.stores.contains(&store) {
            known.until = until;
            known.stores.push(store);
        }
    }

    /// A store does not have its copy any more.
    pub(crate) fn remove(&self, shelf: &Shelf, generation: u64, store: ServerId) {
        let mut all = self.all.lock();
        let Some(known) = all.get_mut(shelf.own()) else { return };
        if known.generation == generation {
            known.stores.retain(|each| *each != store);
            if known.stores.is_empty() {
                known.until = 0;
            }
        }
    }

    /// How many stores have a copy of what was read of a key.
    pub(crate) fn count(&self, key: &[u8], now: u64) -> usize {
        let all = self.all.lock();
        let of = all.values().filter(|known| *known.key == *key && known.until > now);
        of.map(|known| known.stores.len()).max().unwrap_or(0)
    }

    /// What a copy is called.
    pub(crate) fn name(&self, shelf: &Shelf, generation: u64, stamp: u64) -> Vec<u8> {
        let mut name = shelf.keys.first().to_vec();
        // The command and its words are checked when it is read.
        let own = foldhash::fast::FixedState::default().hash_one(shelf.own());
        name.extend_from_slice(
            format!("#{}{generation:016x}{stamp:016x}{own:016x}", self.mark).as_bytes(),
        );
        name
    }
}

/// What a copy holds: the read that it answers, and the reply in RESP3.
pub(crate) fn pack(shelf: &Shelf, reply: &[u8]) -> Vec<u8> {
    let own = shelf.own();
    let mut packed = (own.len() as u32).to_le_bytes().to_vec();
    packed.extend_from_slice(own);
    packed.extend_from_slice(reply);
    packed
}

/// The reply in a copy, if it is one to this read.
pub(crate) fn unpack<'a>(shelf: &Shelf, packed: &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = packed.split_first_chunk::<4>()?;
    let (own, reply) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    (own == shelf.own()).then_some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Form, KeyList};
    use breakwater_resp::{Parsed, RequestParser, write_request};

    fn shelf(words: &[&[u8]]) -> Shelf {
        let (mut bytes, mut parser) = (vec![], RequestParser::default());
        write_request(&mut bytes, words);
        assert!(matches!(parser.parse(&bytes, true), Parsed::Command(_)));
        let mut keys = KeyList::default();
        keys.push(words[1]);
        let name = String::from_utf8_lossy(words[0]).into_owned();
        Shelf::new(0, &name, parser.args(&bytes), keys, Form::Alike).unwrap()
    }

    fn counts(_stamp: u64) -> bool {
        true
    }

    #[test]
    fn a_write_ends_all_copies_since_they_are_of_another_generation() {
        let (copies, read) = (Copies::default(), shelf(&[b"get", b"front-page"]));
        let of = |copies: &Copies, generation, now| {
            let known = copies.of(&read, generation, now);
            known.map(|(_, stores)| stores.to_vec()).unwrap_or_default()
        };
        assert!(copies.begin(&read, 7, 1_000, counts));
        assert!(of(&copies, 7, 1_000).is_empty(), "none is there yet");
        copies.add(&read, (7, 1), 3, 2_000);
        copies.add(&read, (7, 1), 4, 2_000);
        assert_eq!(of(&copies, 7, 1_999), [3, 4]);
        assert_eq!((copies.count(b"front-page", 1_999), copies.count(b"other", 1_999)), (2, 0));
        assert!(of(&copies, 7, 2_000).is_empty(), "their time is over");
        assert!(of(&copies, 8, 1_500).is_empty());
        assert!(copies.begin(&read, 8, 1_500, counts));
        copies.add(&read, (7, 1), 5, 2_500);
        assert!(of(&copies, 8, 1_501).is_empty(), "a late one is of no use");
        assert_ne!(copies.name(&read, 7, 1), copies.name(&read, 8, 1));
        assert_ne!(copies.name(&read, 7, 1), Copies::default().name(&read, 7, 1), "another node's");
    }

    #[test]
    fn copies_of_a_reply_that_counts_no_more_are_made_anew_and_late_ones_of_it_are_of_no_use() {
        let (copies, read) = (Copies::default(), shelf(&[b"get", b"a"]));
        assert!(copies.begin(&read, 7, 1_000, counts));
        copies.add(&read, (7, 1), 3, 9_000);
        assert!(!copies.begin(&read, 7, 2_000, counts));
        assert!(copies.begin(&read, 7, 2_000, |stamp| stamp != 1), "it counts no more");
        copies.add(&read, (7, 2), 4, 9_000);
        copies.add(&read, (7, 1), 5, 9_000);
        assert_eq!(
            copies.of(&read, 7, 2_001).map(|(stamp, stores)| (stamp, stores.to_vec())),
            Some((2, vec![4]))
        );
        assert_ne!(copies.name(&read, 7, 1), copies.name(&read, 7, 2), "nor do they meet");
    }

    #[test]
    fn copies_are_made_by_one_and_again_once_they_are_gone_but_not_all_the_time() {
        let (copies, read) = (Copies::default(), shelf(&[b"get", b"a"]));
        assert!(copies.begin(&read, 7, 1_000, counts));
        assert!(!copies.begin(&read, 7, 1_000 + PAUSE - 1, counts));
        assert!(!copies.begin(&read, 8, 1_000 + PAUSE - 1, counts), "it is written all the time");
        assert!(copies.begin(&read, 8, 1_000 + PAUSE, counts));
        copies.add(&read, (8, 1), 1, 9_000);
        assert!(!copies.begin(&read, 8, 8_000, counts), "they are there");
        copies.remove(&read, 8, 1);
        assert!(copies.begin(&read, 8, 8_000, counts));
    }

    #[test]
    fn a_copy_answers_no_other_read() {
        let read = shelf(&[b"getrange", b"a", b"0", b"1"]);
        let packed = pack(&read, b"$2\r\nbw\r\n");
        assert_eq!(unpack(&read, &packed), Some(b"$2\r\nbw\r\n".as_slice()));
        assert_eq!(unpack(&shelf(&[b"getrange", b"a", b"0", b"2"]), &packed), None);
        assert_eq!((unpack(&read, b""), unpack(&read, b"\xff\xff\xff\xff")), (None, None));
    }
}
