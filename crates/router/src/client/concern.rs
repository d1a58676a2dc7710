//! `BW READCONCERN`: a client says where its reads are answered from.

use crate::cache::Concern;
use crate::command::State;
use crate::failure::Failure;
use breakwater_resp::Args;

/// Whether it is a command of this family.
#[inline]
pub(super) fn is_one(args: Args<'_>) -> bool {
    args.word(0).len() == 2 && args.is(0, "bw")
}

/// Takes `BW READCONCERN consistent|balanced|default`.
pub(super) fn take(args: Args<'_>, state: &mut State) -> Result<(), Failure> {
    if state.user.is_none() {
        return Err("NOAUTH Authentication required.".into());
    }
    if args.len() != 3 || !args.is(1, "readconcern") {
        return Err("ERR write BW READCONCERN consistent, balanced or default".into());
    }
    state.concern = match Concern::parse(args.word(2)) {
        None if !args.is(2, "default") => {
            return Err("ERR a read concern is consistent, balanced or default".into());
        }
        concern => concern,
    };
    Ok(())
}
