//! What a server of the cluster knows of slots, and the slots of keys.

use super::SHARDS;
use std::collections::{BTreeMap, BTreeSet};

const SLOTS: usize = 16_384;

/// The slot of a key: CRC16 (XMODEM) of its hash tag.
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let mut crc = 0u16;
    for byte in tag.filter(|tag| !tag.is_empty()).unwrap_or(key).bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
        }
    }
    crc % SLOTS as u16
}

/// What a server knows of who has which slots.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) epoch: u64,
    /// Slots that have left the shard that they began in.
    pub(super) moved: BTreeMap<u16, usize>,
    pub masters: [usize; SHARDS],
}

impl View {
    pub fn shard(&self, slot: u16) -> usize {
        let first = usize::from(slot) * (SHARDS - 1) / SLOTS;
        self.moved.get(&slot).copied().unwrap_or(first)
    }

    pub(super) fn owner(&self, slot: u16) -> usize {
        self.masters[self.shard(slot)]
    }

    /// Ranges of slots, and the shard of each.
    pub(super) fn ranges(&self) -> Vec<(usize, usize, usize)> {
        let first = |shard: usize| (shard * SLOTS).div_ceil(SHARDS - 1);
        let mut starts: BTreeSet<usize> = (0..SHARDS).map(first).collect();
        starts.extend(
            self.moved.keys().flat_map(|slot| [usize::from(*slot), usize::from(*slot) + 1]),
        );
        let starts: Vec<_> = starts.into_iter().filter(|start| *start <= SLOTS).collect();
        starts.windows(2).map(|pair| (pair[0], pair[1] - 1, self.shard(pair[0] as u16))).collect()
    }
}
