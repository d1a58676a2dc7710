//! Letters to those who take part in flights: what a load that somebody else did came to, or that
//! it is their turn. Owners are numbers of the engine; here is where they live.

use super::letter::{Letter, News};
use super::outbox::Outbox;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
