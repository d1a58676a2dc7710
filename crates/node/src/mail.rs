//! Letters to those who take part in flights: what a load that somebody else did came to, or that
//! it is their turn. Owners are numbers of the engine; here is where they live.

use crate::outbox::Outbox;
use breakwater_engine::Lease;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value, or the text of an error, that any number of letters share.
#[derive(Clone)]
pub struct Enclosure {
    /// The value's format.
    pub format: u8,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// What a letter says; src/native/mail.ts knows the numbers as well.
pub enum News {
    /// A value was loaded.
    Value(Enclosure),
    /// The load gave nothing: `undefined` (4) or `null` (5).
    Nothing(u8),
    /// The load failed, with this text: it is remembered (6) or not (7).
    Failed(u8, Enclosure),
    /// Lead from now on.
    Lead(Lease),
    /// Nobody waits any more.
    Alone,
    /// Another one leads: wait.
    Overtaken,
    /// The flight ended and brought nothing.
    Gone,
}

impl News {
    /// The number by which JavaScript knows it.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Value(_) => 1,
            Self::Nothing(kind) | Self::Failed(kind, _) => *kind,
            Self::Lead(_) => 8,
            Self::Alone => 9,
            Self::Overtaken => 10,
            Self::Gone => 11,
        }
    }
}

/// A letter to one instance.
pub struct Letter {
    /// Whom it is for.
    pub owner: u64,
    /// The number of the instance in its environment.
    pub instance: usize,
    /// The flight.
    pub flight: u64,
    /// What it says.
    pub news: News,
}

struct Address {
    outbox: Arc<Outbox>,
    instance: usize,
}

static ADDRESSES: Mutex<Option<HashMap<u64, Address>>> = Mutex::new(None);

/// A number for an instance, unique in the process.
pub fn new_owner() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    // Relaxed: the numbers only have to differ.
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// An instance takes part in flights from now on.
pub fn move_in(owner: u64, outbox: Arc<Outbox>, instance: usize) {
    let address = Address { outbox, instance };
    ADDRESSES.lock().get_or_insert_default().insert(owner, address);
}

/// It does no more.
pub fn move_out(owner: u64) {
    if let Some(addresses) = &mut *ADDRESSES.lock() {
        addresses.remove(&owner);
    }
}

/// Sends a letter. Who has moved out gets none: the engine knows that it is gone, or will soon.
pub fn send(owner: u64, flight: u64, news: News) {
    let address = ADDRESSES.lock().as_ref().and_then(|addresses| {
        let address = addresses.get(&owner)?;
        Some((address.outbox.clone(), address.instance))
    });
    if let Some((outbox, instance)) = address {
        outbox.post(Letter { owner, instance, flight, news });
    }
}
