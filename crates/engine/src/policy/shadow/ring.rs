//! A queue of fixed size, whose oldest item makes room.

use crate::memory;

pub(super) struct Ring {
    items: Vec<u32>,
    first: usize,
    len: usize,
}

impl Ring {
    /// An empty one; `None` when the system has no memory left.
    pub(super) fn new(size: u64) -> Option<Self> {
        let mut items = memory::try_vec(size as usize)?;
        items.resize(size as usize, 0);
        Some(Self { items, first: 0, len: 0 })
    }

    /// What one of this size takes, in bytes.
    pub(super) const fn price(size: u64) -> u64 {
        size * size_of::<u32>() as u64
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> u64 {
        size_of_val(self.items.as_slice()) as u64
    }

    /// Whether it has no room for anything.
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.items.is_empty()
    }

    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.len as u64
    }

    #[inline]
    pub(super) fn front(&self) -> Option<u32> {
        (self.len > 0).then(|| self.items[self.first])
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<u32> {
        let item = self.front()?;
        self.first += 1;
        if self.first == self.items.len() {
            self.first = 0;
        }
        self.len -= 1;
        Some(item)
    }

    /// Appends an item; the oldest one, if it had to make room.
    #[inline]
    pub(super) fn push(&mut self, item: u32) -> Option<u32> {
        let oldest = if self.len == self.items.len() { self.pop() } else { None };
        let mut at = self.first + self.len;
        if at >= self.items.len() {
            at -= self.items.len();
        }
        if let Some(place) = self.items.get_mut(at) {
            *place = item;
            self.len += 1;
        }
        oldest
    }
}
