//! How connections are let in: so many a second, and so many at once that have yet to agree on keys.
//! Those beyond wait where the system keeps them that have not been accepted.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The bounds of one thread; 0 for any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Connections a second.
    pub rate: usize,
    /// Handshakes of TLS at once.
    pub handshakes: usize,
}

impl Bounds {
    /// One thread's share of these bounds.
    pub fn share(self, threads: u32) -> Self {
        let share = |most: usize| most.div_ceil((threads as usize).max(1));
        Self { rate: share(self.rate), handshakes: share(self.handshakes) }
    }
}

/// The place of a connection among those that agree on keys: free again when it is dropped.
pub struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Lets connections in.
#[derive(Default)]
pub struct Gate {
    /// When the next one may come in, if as many have as may in a second.
    next: Option<Instant>,
    handshakes: Rc<Cell<usize>>,
}

impl Gate {
    /// Lets a connection in; how long it has to wait, if it has to. A second's worth may come at once.
    pub fn pass(&mut self, rate: usize, now: Instant) -> Result<(), Duration> {
        if rate == 0 {
            self.next = None;
            return Ok(());
        }
        let each = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
        // As if the last second had passed unused, if it has.
        let full = now.checked_sub(each * (rate as u32 - 1)).unwrap_or(now);
        let next = self.next.map_or(full, |next| next.max(full));
        if next > now {
            return Err(next - now);
        }
        self.next = Some(next + each);
        Ok(())
    }

    /// Nobody came in who was let in last.
    pub fn give_back(&mut self, rate: usize) {
        let each = Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX);
        self.next = self.next.and_then(|next| next.checked_sub(each));
    }

    /// A place for one more that agrees on keys, if there is any.
    pub fn place(&self, most: usize) -> Option<Place> {
        let taken = self.handshakes.get();
        if most != 0 && taken >= most {
            return None;
        }
        self.handshakes.set(taken + 1);
        Some(Place(self.handshakes.clone()))
    }

    /// Whether there is room for one more that agrees on keys.
    pub fn has_place(&self, most: usize) -> bool {
        most == 0 || self.handshakes.get() < most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_comes_in_at_once_and_then_one_after_the_other() {
        let (mut gate, begun) = (Gate::default(), Instant::now() + Duration::from_secs(60));
        for _ in 0..10 {
            assert_eq!(gate.pass(10, begun), Ok(()));
        }
        assert_eq!(gate.pass(10, begun), Err(Duration::from_millis(100)));
        let later = begun + Duration::from_millis(250);
        assert_eq!([gate.pass(10, later), gate.pass(10, later)], [Ok(()), Ok(())]);
        assert_eq!(gate.pass(10, later), Err(Duration::from_millis(50)));
        // What was not used for long is no more than a second's worth.
        let much_later = begun + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| gate.pass(10, much_later).is_ok()).count(), 10);
    }

    #[test]
    fn no_more_come_in_a_second_than_may_whenever_they_come() {
        let (mut gate, begun) = (Gate::default(), Instant::now() + Duration::from_secs(60));
        let came: Vec<u64> = (0..5_000u64)
            .filter(|ms| gate.pass(40, begun + Duration::from_millis(*ms)).is_ok())
            .collect();
        assert!(came.len() >= 40 * 5 && came.len() <= 40 * 6, "{}", came.len());
        let second =
            |from: u64| came.iter().filter(|ms| (from..from + 1_000).contains(*ms)).count();
        assert!(came.iter().skip(40).all(|from| second(*from) <= 41));
    }

    #[test]
    fn any_number_comes_in_where_there_is_no_bound() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        assert!((0..100_000).all(|_| gate.pass(0, now).is_ok()));
        let places: Vec<_> = (0..10_000).map(|_| gate.place(0)).collect();
        assert!(places.iter().all(Option::is_some));
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_has_agreed_or_is_gone() {
        let gate = Gate::default();
        let one = gate.place(2).unwrap();
        let _other = gate.place(2).unwrap();
        assert!(gate.place(2).is_none() && !gate.has_place(2));
        drop(one);
        assert!(gate.has_place(2) && gate.place(2).is_some());
    }

    #[test]
    fn threads_share_a_bound_and_each_has_some_of_it() {
        let bounds = Bounds { rate: 10, handshakes: 0 };
        assert_eq!(bounds.share(4), Bounds { rate: 3, handshakes: 0 });
        assert_eq!(bounds.share(0), bounds);
        assert_eq!(Bounds { rate: 1, handshakes: 1 }.share(64), Bounds { rate: 1, handshakes: 1 });
    }
}
