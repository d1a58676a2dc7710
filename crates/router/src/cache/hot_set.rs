//! The reads that memory answers most, in the bytes by which another process makes them as well. What it
//! reads is its own: no reply is handed over, since nobody would tell it of changes.

use super::described::{name, put, take};
use super::entry::{EMPTY, Head};
use super::replies::Replies;
use super::shelf::Shelf;
use breakwater_engine::{EntryRef, Key, KeyKind};
use breakwater_resp::Protocol;
use smallvec::SmallVec;

/// Kinds of entries by how hot the engine says that they are.
const HEATS: usize = 8;

impl Replies {
    /// The reads that memory answers most: about `most` of them, and no more than `most_bytes`. It looks
    /// at all of memory, and counts nothing.
    pub(crate) fn hottest(&self, most: usize, most_bytes: usize) -> Vec<u8> {
        let mut heats: [Vec<u8>; HEATS] = Default::default();
        let mut own = vec![];
        self.cache.hottest(most, |entry, heat| {
            let of = &mut heats[usize::from(heat).min(HEATS - 1)];
            own.clear();
            own.push(heat.div_ceil(2));
            let found = match entry.key().kind {
                KeyKind::Bytes => self.describe_get(entry, &mut own),
                _ => self.describe_read(entry, &mut own),
            };
            if found.is_some() && of.len() + own.len() + size_of::<u32>() <= most_bytes {
                put(&own, of);
            }
        });
        let mut all = vec![];
        for of in heats.iter().rev() {
            let mut rest = of.as_slice();
            while let Some((read, others)) = take(rest) {
                if all.len() + read.len() + size_of::<u32>() > most_bytes {
                    return all;
                }
                put(read, &mut all);
                rest = others;
            }
        }
        all
    }

    /// A read was made so many times elsewhere: as often as it may be given its place by that.
    pub(crate) fn note_reads(&self, shelf: &Shelf, protocol: Protocol, times: u8) {
        for key in shelf.keys.iter() {
            self.cache.note_reads(Key::bytes(key), times);
        }
        if !shelf.is_plain() {
            self.cache.note_reads(Key::text(&shelf.place(protocol)), times);
        }
    }

    /// Appends the `GET` whose reply lies with its key, if it is given.
    fn describe_get(&self, entry: EntryRef<'_>, out: &mut Vec<u8>) -> Option<()> {
        let head = Head::read(entry)?;
        let counts = self.floors.is_fresh(head.generation) && self.sources.covers(head.stamp);
        let is_over = head.until.is_some_and(|until| until <= self.now());
        if head.format == EMPTY || !counts || is_over {
            return None;
        }
        let mut own: SmallVec<[u8; 8]> = SmallVec::new();
        own.push(head.db);
        name("get", &mut own);
        out.extend_from_slice(&own);
        put(entry.key().bytes, out);
        Some(())
    }

    /// Appends another read, if the store tells of changes of what it has read. Whether its keys have
    /// changed is not looked at.
    fn describe_read(&self, entry: EntryRef<'_>, out: &mut Vec<u8>) -> Option<()> {
        let (stamp, _) = super::entry::number(entry.value().bytes)?;
        if !self.sources.covers(stamp) {
            return None;
        }
        out.extend_from_slice(entry.key().bytes);
        Some(())
    }
}
