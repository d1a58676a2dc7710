//! What the tests of allocators share: blocks that some threads take and others give back.

use parking_lot::Mutex;
use std::ptr::{self, NonNull};
use std::sync::mpsc::sync_channel;

/// Two threads have `take` hand them blocks, so many turns each, and write to all of their bytes; two
/// others look whether what was written is there still, and have `give` take them back. Both are told
/// the turn.
pub(super) fn cross(
    turns: usize,
    take: impl Fn(usize, &mut dyn FnMut(NonNull<u8>, usize)) + Sync,
    give: impl Fn(usize, NonNull<u8>, usize) + Sync,
) {
    let (send, receive) = sync_channel::<(usize, usize, u8)>(64);
    let receive = Mutex::new(receive);
    let (take, give, receive) = (&take, &give, &receive);
    std::thread::scope(|scope| {
        for n in 0..2u8 {
            let send = send.clone();
            scope.spawn(move || {
                for turn in 0..turns {
                    let byte = (turn as u8) ^ n;
                    take(turn, &mut |block, size| {
                        // SAFETY: it was just taken, and is as long.
                        unsafe { block.write_bytes(byte, size) };
                        send.send((block.expose_provenance().get(), size, byte)).unwrap();
                    });
                }
            });
        }
        drop(send);
        for _ in 0..2 {
            scope.spawn(move || {
                for turn in 0.. {
                    let next = receive.lock().recv();
                    let Ok((address, size, byte)) = next else { break };
                    let block = NonNull::new(ptr::with_exposed_provenance_mut::<u8>(address));
                    let block = block.unwrap();
                    // SAFETY: it is in use, and as long as this.
                    let held = unsafe { std::slice::from_raw_parts(block.as_ptr(), size) };
                    assert!(held.iter().all(|&held| held == byte));
                    give(turn, block, size);
                }
            });
        }
    });
}
