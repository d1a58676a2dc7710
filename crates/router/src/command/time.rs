//! `TIME`.

use super::call::Call;
use super::spec::Command;
use super::spec::flag::{FAST, LOADING, STALE};
use crate::failure::Failure;

pub(super) static COMMANDS: &[Command] = &[Command::new("time", 1, LOADING | STALE | FAST, time)
    .tips(&["nondeterministic_output"])
    .about("server", "2.6.0", "Tells the time: Unix seconds, and microseconds of the second.")];

/// Two calls are never answered alike, and the later one, on any thread, has the later time.
fn time(call: &mut Call<'_>) -> Result<(), Failure> {
    let moment = call.store().moment();
    let mut buffer = itoa::Buffer::new();
    call.reply.array(2);
    call.reply.bulk(buffer.format(moment / 1_000_000).as_bytes());
    call.reply.bulk(buffer.format(moment % 1_000_000).as_bytes());
    Ok(())
}
