//! The drivers of one router, one in each thread that serves, and what they tell each other.

use breakwater_router::{ClientId, Letter};
use mio::Waker;
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;

/// What one driver is told by the others.
#[derive(Default)]
struct Inbox {
    kills: Vec<ClientId>,
    letters: Vec<Letter>,
}

/// A driver as the others see it.
struct Member {
    /// The number of its relay; 0 if it has none.
    number: u64,
    inbox: Mutex<Inbox>,
    waker: Arc<Waker>,
}

/// The drivers of one router.
#[derive(Default)]
pub struct Group {
    members: Mutex<Vec<Arc<Member>>>,
}

impl Group {
    /// Takes a driver in, whose relay has this number, and which `waker` wakes.
    pub(crate) fn join(self: &Arc<Self>, number: u64, waker: Arc<Waker>) -> Membership {
        let member = Arc::new(Member { number, inbox: Mutex::default(), waker });
        self.members.lock().push(member.clone());
        Membership { group: self.clone(), member }
    }

    /// Ends clients, whichever driver has them.
    pub fn kill(&self, clients: &[ClientId]) {
        for member in &*self.members.lock() {
            member.inbox.lock().kills.extend_from_slice(clients);
            // A driver that cannot be woken is about to end.
            let _ = member.waker.wake();
        }
    }
}

impl Group {
    /// Brings letters to the relays that they are for, and wakes each driver once. Those for a relay
    /// that is gone are dropped: nobody waits there.
    fn post(&self, mut letters: Vec<Letter>) {
        letters.sort_by_key(|letter| letter.to);
        let members = self.members.lock();
        let mut letters = letters.into_iter().peekable();
        while let Some(to) = letters.peek().map(|letter| letter.to) {
            let batch: Vec<_> =
                std::iter::from_fn(|| letters.next_if(|letter| letter.to == to)).collect();
            if let Some(member) = members.iter().find(|member| member.number == to) {
                member.inbox.lock().letters.extend(batch);
                let _ = member.waker.wake();
            }
        }
    }
}

/// A driver's place in its group, which it leaves with its end.
pub(crate) struct Membership {
    group: Arc<Group>,
    member: Arc<Member>,
}

impl Membership {
    /// Ends clients, whichever driver has them.
    pub(crate) fn kill(&self, clients: &[ClientId]) {
        self.group.kill(clients);
    }

    /// Brings letters to the relays of other drivers.
    pub(crate) fn post(&self, letters: Vec<Letter>) {
        self.group.post(letters);
    }

    /// The clients that this driver is to end if it has them, and what its relay is told.
    pub(crate) fn take(&self) -> (Vec<ClientId>, Vec<Letter>) {
        let mut inbox = self.member.inbox.lock();
        (mem::take(&mut inbox.kills), mem::take(&mut inbox.letters))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.members.lock().retain(|member| !Arc::ptr_eq(member, &self.member));
    }
}
