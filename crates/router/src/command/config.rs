//! `CONFIG`: settings, under the names that Redis has for them.

use super::call::Call;
use super::help::help;
use super::spec::Command;
use super::spec::flag::{ADMIN, DANGEROUS, LOADING, NOSCRIPT, STALE};
use crate::failure::Failure;
use crate::glob;
use crate::shared::Router;
use crate::store::DATABASES;
use breakwater_engine::Policy;
use breakwater_resp::limits::MAX_BULK;

const FLAGS: u32 = ADMIN | NOSCRIPT | LOADING | STALE | DANGEROUS;

pub(super) static COMMANDS: &[Command] = &[Command::new("config", -2, 0, |_| Ok(()))
    .about("server", "2.0.0", "Holds the commands about settings.")
    .subcommands(&[
        Command::new("config|get", -3, FLAGS, get).about(
            "server",
            "2.0.0",
            "Tells the settings that match a pattern.",
        ),
        Command::new("config|resetstat", 2, FLAGS, resetstat).about(
            "server",
            "2.0.0",
            "Sets the counts of INFO back to zero.",
        ),
        Command::new("config|help", 2, LOADING | STALE, |call| help(call, &COMMANDS[0])).about(
            "server",
            "5.0.0",
            "Lists these subcommands.",
        ),
    ])];

/// The settings that clients ask for, and what they are here.
fn settings(router: &Router) -> Vec<(&'static str, String)> {
    let (host, port) = router.address.lock().clone();
    vec![
        ("appendonly", "no".into()),
        ("bind", host),
        ("client-query-buffer-limit", router.rules().limits.input.to_string()),
        ("databases", DATABASES.to_string()),
        ("maxclients", router.rules().limits.clients.to_string()),
        ("maxmemory", router.cache().bounds().1.unwrap_or(0).to_string()),
        ("maxmemory-policy", policy(router).into()),
        ("port", port.to_string()),
        ("proto-max-bulk-len", MAX_BULK.to_string()),
        ("save", String::new()),
        ("timeout", "0".into()),
    ]
}

/// The name that Redis has for the eviction policy.
pub(super) fn policy(router: &Router) -> &'static str {
    match router.cache().policy() {
        Policy::Lru => "allkeys-lru",
        Policy::Lfu | Policy::Auto => "allkeys-lfu",
        Policy::Random => "allkeys-random",
        Policy::None => "noeviction",
    }
}

fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let mut settings = settings(call.router);
    let patterns = call.args.from(2);
    settings.retain(|(name, _)| {
        patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes(), true))
    });
    call.reply.map(settings.len());
    for (name, value) in settings {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value.as_bytes());
    }
    Ok(())
}

fn resetstat(call: &mut Call<'_>) -> Result<(), Failure> {
    call.router.reset_counts();
    call.reply.ok();
    Ok(())
}
