//! The arguments of one command, borrowed from where the client's bytes lie.

use std::ops::{Index, Range};

/// A command's words; the first is its name.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl<'a> Args<'a> {
    pub(super) fn new(bytes: &'a [u8], ranges: &'a [Range<usize>]) -> Self {
        Self { bytes, ranges }
    }

    /// How many words there are.
    #[inline]
    pub fn len(self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.ranges.is_empty()
    }

    /// The word at `index`, if there are so many.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.ranges.get(index).map(|range| &self.bytes[range.clone()])
    }

    /// The words from `index` on.
    pub fn from(self, index: usize) -> Self {
        Self { bytes: self.bytes, ranges: self.ranges.get(index..).unwrap_or_default() }
    }

    /// The words before `index`.
    pub fn until(self, index: usize) -> Self {
        Self { bytes: self.bytes, ranges: self.ranges.get(..index).unwrap_or(self.ranges) }
    }

    /// The words in their order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.ranges.iter().map(move |range| &self.bytes[range.clone()])
    }

    /// The words from `index` on, two at a time; a last odd one is left out.
    pub fn pairs(self, index: usize) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let rest = self.from(index);
        (0..rest.len() / 2).map(move |pair| (rest.word(pair * 2), rest.word(pair * 2 + 1)))
    }

    /// The word at `index`; panics unless there are so many, as a command's arity promises.
    #[inline]
    pub fn word(self, index: usize) -> &'a [u8] {
        &self.bytes[self.ranges[index].clone()]
    }

    /// Whether the word at `index` is `text`, in any case.
    pub fn is(self, index: usize, text: &str) -> bool {
        self.get(index).is_some_and(|word| word.eq_ignore_ascii_case(text.as_bytes()))
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.word(index)
    }
}
