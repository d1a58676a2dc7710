//! The drivers of one router, one in each thread that serves, and what they tell each other.

use breakwater_router::ClientId;
use mio::Waker;
use parking_lot::Mutex;
use std::mem;
use std::sync::Arc;

/// What one driver is told by the others.
#[derive(Default)]
struct Inbox {
    kills: Vec<ClientId>,
}

/// A driver as the others see it.
struct Member {
    inbox: Mutex<Inbox>,
    waker: Arc<Waker>,
}

/// The drivers of one router.
#[derive(Default)]
pub struct Group {
    members: Mutex<Vec<Arc<Member>>>,
}

impl Group {
    /// Takes a driver in, which `waker` wakes.
    pub(crate) fn join(self: &Arc<Self>, waker: Arc<Waker>) -> Membership {
        let member = Arc::new(Member { inbox: Mutex::default(), waker });
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

    /// The clients that this driver is to end if it has them.
    pub(crate) fn kills(&self) -> Vec<ClientId> {
        mem::take(&mut self.member.inbox.lock().kills)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.members.lock().retain(|member| !Arc::ptr_eq(member, &self.member));
    }
}
