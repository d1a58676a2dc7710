//! A line of words with quotes, as somebody types it and as `MONITOR` writes it.

use super::Args;
use super::inline;
use std::ops::Range;

/// The words of the line that was split last.
#[derive(Default)]
pub struct Words {
    text: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Words {
    /// The words of a line, quotes resolved. `None` if its quotes do not pair up.
    ///
    /// ```
    /// let mut words = breakwater_resp::Words::default();
    /// let args = words.split(br#""get" "a \"boat\"""#).unwrap();
    /// assert_eq!(args.word(1), b"a \"boat\"");
    /// ```
    pub fn split(&mut self, line: &[u8]) -> Option<Args<'_>> {
        self.text.clear();
        self.ranges.clear();
        inline::split(line, &mut self.text, &mut self.ranges).ok()?;
        Some(Args::new(&self.text, &self.ranges))
    }
}
