//! What the model checker puts in place of the primitives of the flight table.

pub(super) use loom::sync::MutexGuard;
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};

use loom::sync::atomic::fence;

/// Loom's mutex, without the poison.
#[derive(Debug)]
pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(super) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model that panics is over")
    }
}

/// Loom takes a sequentially consistent access for an acquire or a release: fences give back what
/// it promises.
#[derive(Debug)]
pub(super) struct AtomicUsize(loom::sync::atomic::AtomicUsize);

impl AtomicUsize {
    pub(super) fn new(value: usize) -> Self {
        Self(loom::sync::atomic::AtomicUsize::new(value))
    }

    pub(super) fn load(&self, order: Ordering) -> usize {
        fence(Ordering::SeqCst);
        self.0.load(order)
    }

    pub(super) fn fetch_add(&self, n: usize, order: Ordering) -> usize {
        let before = self.0.fetch_add(n, order);
        fence(Ordering::SeqCst);
        before
    }

    pub(super) fn fetch_sub(&self, n: usize, order: Ordering) -> usize {
        let before = self.0.fetch_sub(n, order);
        fence(Ordering::SeqCst);
        before
    }
}
