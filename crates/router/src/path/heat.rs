//! Which keys are hot: those that are pinned, and those that have a large share of the reads that a
//! thread forwards although their replies are not remembered. It counts a sample of them, by Space-Saving (Metwally, Agrawal and El
//! Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005).

use super::pending::hash;

/// Keys that are counted at a time.
const COUNTED: usize = 64;
/// One of so many reads is counted.
const SAMPLE: u32 = 4;
/// After so many milliseconds the counts are looked at, and begin anew.
const WINDOW: u64 = 250;
/// Reads that have to be counted in a window before anything is hot: some 400 a second.
const LEAST: u32 = 25;
/// The share of the reads from which on a key is hot, and that below which it cools down.
const ENTER: f64 = 0.05;
const LEAVE: f64 = 0.02;
/// Windows in a row below that until it is hot no more.
const COOL: u64 = 8;

struct Counted {
    hash: u64,
    key: Box<[u8]>,
    count: u32,
}

/// A hot key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hot {
    hash: u64,
    pub(crate) key: Box<[u8]>,
    /// Its share of the reads that were counted last.
    pub(crate) share: f64,
    /// How many of them there were in a second.
    pub(crate) rate: f64,
    /// Windows in a row in which it had little.
    cool: u64,
    /// Whether it is hot whatever is counted.
    pinned: bool,
}

/// What a thread has counted, and which keys are hot by it.
#[derive(Default)]
pub(crate) struct Heat {
    /// When the window ends.
    until: u64,
    turn: u32,
    seen: u32,
    counted: Vec<Counted>,
    hot: Vec<Hot>,
}

impl Heat {
    /// These keys are hot from now on, whatever is counted, and no others that were so.
    pub(crate) fn pin(&mut self, keys: &[Vec<u8>]) {
        for hot in &mut self.hot {
            hot.pinned = false;
        }
        for key in keys {
            let hash = hash(key);
            match self.hot.iter_mut().find(|hot| hot.hash == hash) {
                Some(hot) => hot.pinned = true,
                None => self.hot.push(Hot {
                    hash,
                    key: key.as_slice().into(),
                    share: 0.0,
                    rate: 0.0,
                    cool: 0,
                    pinned: true,
                }),
            }
        }
    }

    /// A read of a key is to be forwarded; whether it is a hot one.
    pub(crate) fn touch(&mut self, key: &[u8]) -> bool {
        let hash = hash(key);
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(SAMPLE) {
            self.count(key, hash);
        }
        self.hot.iter().any(|hot| hot.hash == hash && *hot.key == *key)
    }

    fn count(&mut self, key: &[u8], hash: u64) {
        self.seen += 1;
        if let Some(known) = self.counted.iter_mut().find(|known| known.hash == hash) {
            known.count += 1;
        } else if self.counted.len() < COUNTED {
            self.counted.push(Counted { hash, key: key.into(), count: 1 });
        } else if let Some(least) = self.counted.iter_mut().min_by_key(|known| known.count) {
            *least = Counted { hash, key: key.into(), count: least.count + 1 };
        }
    }

    /// The hot keys, if a window has ended since it was asked last and there are or were any; `now` in
    /// milliseconds.
    pub(crate) fn review(&mut self, now: u64) -> Option<&[Hot]> {
        if now < self.until {
            return None;
        }
        let late = now - self.until;
        let windows = late / WINDOW + 1;
        self.until = now + WINDOW;
        let had = !self.hot.is_empty();
        let (seen, counted) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.counted));
        // What was counted before a long silence says nothing of now.
        let seen = if windows > COOL { 0 } else { seen };
        let share =
            |count: u32| if seen < LEAST { 0.0 } else { f64::from(count) / f64::from(seen) };
        let seconds = (WINDOW + late) as f64 / 1000.0;
        let rate = |count: u32| f64::from(count * SAMPLE) / seconds;
        for hot in &mut self.hot {
            let known = counted.iter().find(|known| known.hash == hot.hash);
            let count = known.map_or(0, |known| known.count);
            (hot.share, hot.rate) = (share(count), rate(count));
            hot.cool = if hot.share < LEAVE { hot.cool + windows } else { 0 };
        }
        self.hot.retain(|hot| hot.pinned || hot.cool < COOL);
        for Counted { hash, key, count } in counted {
            let share = share(count);
            if share >= ENTER && self.hot.iter().all(|hot| hot.hash != hash) {
                let rate = rate(count);
                self.hot.push(Hot { hash, key, share, rate, cool: 0, pinned: false });
            }
        }
        (had || !self.hot.is_empty()).then_some(&self.hot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads of one second, a share of which is of one key; what is hot then.
    fn second(heat: &mut Heat, from: u64, share: u64) -> Vec<String> {
        for at in 0..4_000u64 {
            let hot = at * 7919 % 1000 < share;
            let key = if hot { "front-page".into() } else { format!("user:{}", at * 31 % 997) };
            heat.touch(key.as_bytes());
            heat.review(from + at / 4);
        }
        heat.hot.iter().map(|hot| String::from_utf8_lossy(&hot.key).into_owned()).collect()
    }

    #[test]
    fn a_key_is_hot_while_it_has_a_large_share_and_cools_down_slowly() {
        let mut heat = Heat::default();
        assert!(second(&mut heat, 1_000, 0).is_empty());
        assert_eq!(second(&mut heat, 2_000, 300), ["front-page"]);
        assert!(heat.touch(b"front-page") && !heat.touch(b"user:1"));
        let share = heat.hot[0].share;
        assert!((0.25..0.35).contains(&share), "{share}");
        // Between the two bounds it stays what it is.
        assert_eq!(second(&mut heat, 3_000, 35), ["front-page"]);
        assert_eq!(second(&mut heat, 4_000, 0), ["front-page"], "it has not cooled down yet");
        assert!(second(&mut heat, 5_000, 0).is_empty() || second(&mut heat, 6_000, 0).is_empty());
        assert!(second(&mut heat, 7_000, 35).is_empty(), "it would have to have more to be hot");
    }

    #[test]
    fn a_pinned_key_is_hot_from_the_first_read_until_it_is_pinned_no_more() {
        let mut heat = Heat::default();
        heat.pin(&[b"pinned".to_vec()]);
        assert!(heat.touch(b"pinned") && !heat.touch(b"user:1"));
        assert_eq!(second(&mut heat, 1_000, 0), ["pinned"]);
        assert_eq!(second(&mut heat, 60_000, 300), ["pinned", "front-page"]);
        // Three tenths of the 4,000 reads of that second.
        let rate = heat.hot[1].rate;
        assert!((900.0..1_500.0).contains(&rate), "{rate}");
        heat.pin(&[b"front-page".to_vec()]);
        second(&mut heat, 61_000, 0);
        second(&mut heat, 62_000, 0);
        assert_eq!(second(&mut heat, 63_000, 0), ["front-page"]);
        heat.pin(&[]);
        assert!(second(&mut heat, 90_000, 0).is_empty());
    }

    #[test]
    fn few_reads_make_nothing_hot_and_none_make_nothing_stay_so() {
        let mut heat = Heat::default();
        for at in 0..50 {
            heat.touch(b"a");
            assert_eq!(heat.review(1_000 + at * 100), None);
        }
        assert_eq!(second(&mut heat, 10_000, 300), ["front-page"]);
        assert_eq!(heat.review(60_000), Some(&[][..]));
        assert_eq!(heat.review(61_000), None);
    }
}
