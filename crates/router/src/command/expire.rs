//! When keys end.

use super::call::Call;
use super::deadline::{MILLIS, Measure, SECONDS, UNIX_MILLIS, UNIX_SECONDS};
use super::spec::flag::{FAST, KEYSPACE, READONLY, WRITE};
use super::spec::{Command, KeySpec};
use crate::failure::Failure;
use breakwater_engine::{Edit, Expiry};
use breakwater_resp::Args;

const WRITES: u32 = WRITE | FAST | KEYSPACE;
const READS: u32 = READONLY | FAST | KEYSPACE;
const UPDATED: &[KeySpec] = &[KeySpec::one(1, &["RW", "update"])];
const READ: &[KeySpec] = &[KeySpec::one(1, &["RO", "access"])];

pub(super) static COMMANDS: &[Command] =
    &[
        Command::new("expire", -3, WRITES, |call| expire(call, SECONDS, "expire"))
            .keys(UPDATED)
            .about("generic", "1.0.0", "Ends a key in so many seconds."),
        Command::new("pexpire", -3, WRITES, |call| expire(call, MILLIS, "pexpire"))
            .keys(UPDATED)
            .about("generic", "2.6.0", "Ends a key in so many milliseconds."),
        Command::new("expireat", -3, WRITES, |call| expire(call, UNIX_SECONDS, "expireat"))
            .keys(UPDATED)
            .about("generic", "1.2.0", "Ends a key at a Unix second."),
        Command::new("pexpireat", -3, WRITES, |call| expire(call, UNIX_MILLIS, "pexpireat"))
            .keys(UPDATED)
            .about("generic", "2.6.0", "Ends a key at a Unix millisecond."),
        Command::new("persist", 2, WRITES, persist).keys(UPDATED).about(
            "generic",
            "2.2.0",
            "Lets a key live for ever.",
        ),
        Command::new("ttl", 2, READS, |call| tell(call, SECONDS))
            .keys(READ)
            .tips(&["nondeterministic_output"])
            .about("generic", "1.0.0", "Says in how many seconds a key ends."),
        Command::new("pttl", 2, READS, |call| tell(call, MILLIS))
            .keys(READ)
            .tips(&["nondeterministic_output"])
            .about("generic", "2.6.0", "Says in how many milliseconds a key ends."),
        Command::new("expiretime", 2, READS, |call| tell(call, UNIX_SECONDS)).keys(READ).about(
            "generic",
            "7.0.0",
            "Says at which Unix second a key ends.",
        ),
        Command::new("pexpiretime", 2, READS, |call| tell(call, UNIX_MILLIS)).keys(READ).about(
            "generic",
            "7.0.0",
            "Says at which Unix millisecond a key ends.",
        ),
    ];

/// Which present end of a key lets a new one take its place.
#[derive(Default)]
struct Conditions {
    none: bool,
    some: bool,
    earlier: bool,
    later: bool,
}

impl Conditions {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut conditions = Self::default();
        for word in args.iter() {
            let flag = match &word.to_ascii_lowercase()[..] {
                b"nx" => &mut conditions.none,
                b"xx" => &mut conditions.some,
                b"gt" => &mut conditions.earlier,
                b"lt" => &mut conditions.later,
                _ => return Err(Failure::new([b"ERR Unsupported option ", word].concat())),
            };
            *flag = true;
        }
        let Self { none, some, earlier, later } = conditions;
        if none && (some || earlier || later) {
            return Err(
                "ERR NX and XX, GT or LT options at the same time are not compatible".into()
            );
        }
        if earlier && later {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(conditions)
    }

    fn allow(&self, current: Option<i64>, new: i64) -> bool {
        match current {
            Some(_) if self.none => false,
            Some(current) => (!self.earlier || new > current) && (!self.later || new < current),
            // No end is later than any.
            None => !self.some && !self.earlier,
        }
    }
}

fn expire(call: &mut Call<'_>, measure: Measure, name: &str) -> Result<(), Failure> {
    let conditions = Conditions::parse(call.args.from(3))?;
    let ends = measure.moment(call.args.word(2), call.now, name)?;
    let (store, key, past) = (call.store(), call.key(1), ends <= call.now);
    let done = if call.args.len() > 3 {
        store.update(&key, |old, out| {
            let Some(entry) = old else { return (Edit::Keep, false) };
            if !conditions.allow(store.last_moment(entry), ends) {
                return (Edit::Keep, false);
            }
            if past {
                return (Edit::Remove, true);
            }
            out.extend_from_slice(entry.value().bytes);
            (Edit::Put { format: entry.value().format, expiry: store.until(ends) }, true)
        })?
    } else if past {
        store.delete(&key)
    } else {
        store.expire(&key, store.until(ends))?
    };
    call.reply.integer(done.into());
    Ok(())
}

fn persist(call: &mut Call<'_>) -> Result<(), Failure> {
    let done = call.store().update(&call.key(1), |old, out| match old {
        Some(entry) if entry.deadline().is_some() => {
            out.extend_from_slice(entry.value().bytes);
            (Edit::Put { format: entry.value().format, expiry: Expiry::Never }, true)
        }
        _ => (Edit::Keep, false),
    })?;
    call.reply.integer(done.into());
    Ok(())
}

/// Replies with when a key ends: -1 if it does not, -2 if there is none.
fn tell(call: &mut Call<'_>, measure: Measure) -> Result<(), Failure> {
    let store = call.store();
    let millis = match store.peek(&call.key(1), |entry| store.last_moment(entry)) {
        Some(Some(moment)) if measure.absolute => moment,
        Some(Some(moment)) => (moment - call.now).max(0),
        endless => {
            call.reply.integer(if endless.is_some() { -1 } else { -2 });
            return Ok(());
        }
    };
    call.reply.integer(if measure.seconds { millis.saturating_add(500) / 1000 } else { millis });
    Ok(())
}
