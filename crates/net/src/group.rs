//! The drivers of one router, one in each thread that serves, and what they tell each other.

use crate::links::Parcel;
use crate::tls::{ServerTls, StoreTls, TlsError, Trust, acceptor};
use breakwater_router::ClientId;
use mio::Waker;
use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

/// What one driver is told by the others.
#[derive(Default)]
struct Inbox {
    kills: Vec<ClientId>,
    parcels: Vec<Parcel>,
}

/// A driver as the others see it.
struct Member {
    /// The number of its relay; 0 if it has none.
    number: u64,
    inbox: Mutex<Inbox>,
    waker: Arc<Waker>,
}

/// How clients are met, ready to be used.
pub struct PreparedTls {
    config: Arc<ServerConfig>,
    trust: Trust,
}

/// The drivers of one router.
pub struct Group {
    /// Since when the clock of its drivers goes: what they hand to each other has times of it.
    begun: Instant,
    members: Mutex<Vec<Arc<Member>>>,
    /// How clients are met from now on.
    tls: RwLock<Option<PreparedTls>>,
    /// How the store is met from now on.
    store: RwLock<Option<StoreTls>>,
}

impl Default for Group {
    fn default() -> Self {
        let (members, tls, store) = Default::default();
        Self { begun: Instant::now(), members, tls, store }
    }
}

impl Group {
    /// Takes a driver in, whose relay has this number, and which `waker` wakes.
    pub(crate) fn join(self: &Arc<Self>, number: u64, waker: Arc<Waker>) -> Membership {
        let member = Arc::new(Member { number, inbox: Mutex::default(), waker });
        self.members.lock().push(member.clone());
        Membership { group: self.clone(), member }
    }

    /// Makes ready how clients are to be met. Sessions are resumed as long as the same clients are
    /// trusted.
    ///
    /// # Errors
    /// A text that is no PEM, or that does not fit another one.
    pub fn prepare_tls(&self, tls: &ServerTls) -> Result<PreparedTls, TlsError> {
        let current = self.tls.read();
        let trust = tls.trust();
        let same = current.as_ref().filter(|ready| ready.trust == trust);
        let config = acceptor(tls, same.map(|ready| &ready.config.ticketer))?;
        Ok(PreparedTls { config: Arc::new(config), trust })
    }

    /// Meets clients this way from now on; connections go on as they are.
    pub fn set_tls(&self, tls: PreparedTls) {
        *self.tls.write() = Some(tls);
    }

    /// Meets the store this way from now on.
    pub fn set_store_tls(&self, tls: StoreTls) {
        *self.store.write() = Some(tls);
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
    fn post(&self, mut parcels: Vec<Parcel>) {
        parcels.sort_by_key(|parcel| parcel.letter.to);
        let members = self.members.lock();
        let mut parcels = parcels.into_iter().peekable();
        while let Some(to) = parcels.peek().map(|parcel| parcel.letter.to) {
            let batch: Vec<_> =
                std::iter::from_fn(|| parcels.next_if(|parcel| parcel.letter.to == to)).collect();
            if let Some(member) = members.iter().find(|member| member.number == to) {
                member.inbox.lock().parcels.extend(batch);
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

    /// How clients are met now.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.group.tls.read().as_ref().map(|ready| ready.config.clone())
    }

    /// How the store is met now.
    pub(crate) fn store_tls(&self) -> Option<StoreTls> {
        self.group.store.read().clone()
    }

    /// Brings letters to the relays of other drivers.
    pub(crate) fn post(&self, parcels: Vec<Parcel>) {
        self.group.post(parcels);
    }

    /// A moment in nanoseconds, by the clock of all drivers.
    pub(crate) fn nanos(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.group.begun).as_nanos() as u64
    }

    /// Milliseconds by the clock of all drivers.
    pub(crate) fn clock(&self) -> u64 {
        self.group.begun.elapsed().as_millis() as u64
    }

    /// From now on its relay is the one of this number; what was for the old one is for nobody.
    pub(crate) fn renew(&mut self, number: u64, waker: Arc<Waker>) {
        *self = self.group.join(number, waker);
    }

    /// The clients that this driver is to end if it has them, and what its relay is told.
    pub(crate) fn take(&self) -> (Vec<ClientId>, Vec<Parcel>) {
        let mut inbox = self.member.inbox.lock();
        (mem::take(&mut inbox.kills), mem::take(&mut inbox.parcels))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.members.lock().retain(|member| !Arc::ptr_eq(member, &self.member));
    }
}
