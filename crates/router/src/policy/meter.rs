//! What those have used whom limits bind: one meter for each identity, which all its connections in all
//! threads share.

use super::bucket::Bucket;
use super::quota::{Over, Quota};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What one identity has used. Its counts are numbers by themselves: Relaxed throughout.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: Bucket,
    bytes: Bucket,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    buffered: AtomicU64,
}

impl Meter {
    /// One more connection, unless there are as many as there may be.
    fn connect(&self, most: Option<usize>) -> Result<(), Over> {
        let most = most.unwrap_or(usize::MAX);
        let more = |count| (count < most).then_some(count + 1);
        let count = self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        count.map(|_| ()).map_err(|_| Over::Connections(most))
    }
}

/// Meters of identities that are made as they come, by their names. One lasts as long as somebody has it.
#[derive(Debug, Default)]
pub(super) struct Meters {
    by_name: Mutex<HashMap<String, Weak<Meter>>>,
}

impl Meters {
    /// That of this identity.
    pub(super) fn of(&self, name: &str) -> Arc<Meter> {
        let mut meters = self.by_name.lock();
        if let Some(meter) = meters.get(name).and_then(Weak::upgrade) {
            return meter;
        }
        if meters.len() == meters.capacity() {
            // Before it grows: those that are gone make room.
            meters.retain(|_, meter| meter.strong_count() > 0);
        }
        let meter = Arc::<Meter>::default();
        meters.insert(name.into(), Arc::downgrade(&meter));
        meter
    }
}

/// How much an identity may use, and what it has used.
#[derive(Clone, Debug)]
pub(crate) struct Metered {
    pub(super) quota: Quota,
    pub(super) meter: Arc<Meter>,
}

/// A connection of somebody whom limits bind, for as long as it is that one's.
#[derive(Debug)]
pub(crate) struct Stay {
    of: Metered,
    /// Its requests that have no reply yet, as far as the meter knows.
    in_flight: usize,
    /// The bytes of it and for it that wait, as far as the meter knows.
    buffered: u64,
    /// The request that comes next was admitted, and has had to wait.
    admitted: bool,
}

impl Stay {
    /// A connection becomes that of this identity, whatever it was before; `Err` if there are as many as
    /// there may be, and nothing has changed. `None` is anybody whom no limits bind.
    pub(crate) fn enter(before: &mut Option<Self>, of: Option<&Metered>) -> Result<(), Over> {
        Self::follow(before, of, of.and_then(|of| of.quota.connections))
    }

    /// Other rules are in force: who is there already stays, however many there are.
    pub(crate) fn go_on(before: &mut Option<Self>, of: Option<&Metered>) {
        let _ = Self::follow(before, of, None);
    }

    fn follow(
        before: &mut Option<Self>,
        of: Option<&Metered>,
        most: Option<usize>,
    ) -> Result<(), Over> {
        match (before.as_mut(), of) {
            (_, None) => *before = None,
            (Some(stay), Some(of)) if Arc::ptr_eq(&stay.of.meter, &of.meter) => {
                stay.of.quota = of.quota;
            }
            (_, Some(of)) => {
                of.meter.connect(most)?;
                *before = Some(Self { of: of.clone(), in_flight: 0, buffered: 0, admitted: false });
            }
        }
        Ok(())
    }

    /// Lets a request of so many bytes in, or says which limit is reached. `in_flight` requests of this
    /// connection have no reply yet; `now` in nanoseconds of a clock that never goes back.
    pub(crate) fn admit(&mut self, bytes: usize, in_flight: usize, now: u64) -> Result<(), Over> {
        if self.admitted {
            return Ok(());
        }
        self.settle(in_flight);
        if let Some(most) = self.of.quota.in_flight
            && self.of.meter.in_flight.load(Ordering::Relaxed) >= most
        {
            return Err(Over::InFlight(most));
        }
        if let Some(rate) = self.of.quota.bytes {
            let wait = self.of.meter.bytes.look(now);
            wait.map_err(|wait| Over::Bytes(rate, Duration::from_nanos(wait)))?;
        }
        if let Some(rate) = self.of.quota.requests {
            let wait = self.of.meter.requests.take(rate, now);
            wait.map_err(|wait| Over::Requests(rate, Duration::from_nanos(wait)))?;
        }
        self.pay(bytes, now);
        self.admitted = true;
        Ok(())
    }

    /// The request that was let in was taken: another one comes next.
    pub(crate) fn taken(&mut self) {
        self.admitted = false;
    }

    /// So many bytes were received or sent.
    pub(crate) fn pay(&self, bytes: usize, now: u64) {
        if let Some(rate) = self.of.quota.bytes
            && bytes > 0
        {
            self.of.meter.bytes.charge(bytes as u64, rate, now);
        }
    }

    /// So many requests of the connection have no reply yet.
    pub(crate) fn settle(&mut self, in_flight: usize) {
        if self.in_flight == in_flight {
            return;
        }
        // Wraps where there are fewer: the sum of all is right.
        let more = in_flight.wrapping_sub(self.in_flight);
        self.of.meter.in_flight.fetch_add(more, Ordering::Relaxed);
        self.in_flight = in_flight;
    }

    /// So many bytes of the connection and for it wait; how many may of its identity, if these have become
    /// more and all are too many.
    pub(crate) fn keep(&mut self, bytes: u64) -> Option<u64> {
        // Wraps where there are fewer: the sum of all is right.
        let more = bytes.wrapping_sub(self.buffered);
        let before = self.of.meter.buffered.fetch_add(more, Ordering::Relaxed);
        let grows = bytes > self.buffered;
        self.buffered = bytes;
        self.of.quota.buffered.filter(|most| grows && before.wrapping_add(more) > *most)
    }

    /// Whether it is of the same identity.
    pub(crate) fn is_of(&self, other: &Metered) -> bool {
        Arc::ptr_eq(&other.meter, &self.of.meter)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.settle(0);
        self.keep(0);
        self.of.meter.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_meter_while_anybody_has_it_and_those_that_are_gone_take_no_room() {
        let meters = Meters::default();
        let first = meters.of("ada");
        for number in 0..100_000 {
            let other = meters.of(&format!("guest {number}"));
            assert!(!Arc::ptr_eq(&other, &first));
        }
        assert!(Arc::ptr_eq(&meters.of("ada"), &first));
        let kept = meters.by_name.lock().capacity();
        assert!(kept < 100, "there is room for {kept} meters");
    }
}
