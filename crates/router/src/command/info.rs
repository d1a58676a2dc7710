//! `INFO`: the state of the node, in the sections and under the names that Redis has.

use super::call::Call;
use super::config::policy;
use super::connection::COMPATIBLE;
use super::node_info::{begin, wants, write_node};
use super::spec::Command;
use super::spec::flag::{DANGEROUS, LOADING, STALE};
use crate::failure::Failure;
use crate::shared::Router;
use crate::store::Lives;
use std::fmt::Write;

pub(super) static COMMANDS: &[Command] =
    &[Command::new("info", -1, LOADING | STALE | DANGEROUS, info)
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .about("server", "1.0.0", "Describes the node and how it is.")];

type Fields = Vec<(&'static str, String)>;
type Section = (&'static str, fn(&Router, u64) -> Fields);

const SECTIONS: [Section; 7] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Cluster", |_, _| vec![("cluster_enabled", "0".into())]),
];

fn info(call: &mut Call<'_>) -> Result<(), Failure> {
    let (args, router, now) = (call.args, call.router, call.now as u64);
    let mut text = String::new();
    for (name, section) in SECTIONS.iter().filter(|(name, _)| wants(args, name)) {
        begin(&mut text, name);
        for (field, value) in section(router, now) {
            let _ = write!(text, "{field}:{value}\r\n");
        }
    }
    if wants(args, "keyspace") {
        begin(&mut text, "Keyspace");
        for (db, lives) in call.store().lives().into_iter().enumerate() {
            let Lives { keys, ending, left } = lives;
            if keys > 0 {
                let _ = write!(text, "db{db}:keys={keys},expires={ending},avg_ttl={left}\r\n");
            }
        }
    }
    write_node(&mut text, args, router);
    call.reply.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

fn server(router: &Router, now: u64) -> Fields {
    // Of a store that does not answer now: what it last said.
    let version = router.store_version().map_or_else(|| COMPATIBLE.into(), |store| store.version);
    let uptime = now.saturating_sub(router.started) / 1000;
    vec![
        ("redis_version", version),
        ("breakwater_version", router.setup.version.clone()),
        ("redis_mode", "standalone".into()),
        ("os", std::env::consts::OS.into()),
        ("arch_bits", usize::BITS.to_string()),
        ("process_id", router.setup.process.to_string()),
        ("io_threads_active", router.rules().threads.to_string()),
        ("tcp_port", router.address.lock().1.to_string()),
        ("server_time_usec", (now * 1000).to_string()),
        ("uptime_in_seconds", uptime.to_string()),
        ("uptime_in_days", (uptime / 86_400).to_string()),
    ]
}

fn clients(router: &Router, _: u64) -> Fields {
    vec![
        ("connected_clients", router.counts().clients.to_string()),
        ("maxclients", router.rules().limits.clients.to_string()),
        ("blocked_clients", "0".into()),
        ("tracking_clients", router.news.counts().0.to_string()),
    ]
}

fn memory(router: &Router, _: u64) -> Fields {
    let stats = router.cache().stats();
    let max = router.cache().bounds().1.unwrap_or(0);
    vec![
        ("used_memory", stats.bytes.to_string()),
        ("used_memory_human", human(stats.bytes)),
        ("used_memory_overhead", stats.overhead.to_string()),
        ("used_memory_dataset", stats.bytes.saturating_sub(stats.overhead).to_string()),
        ("maxmemory", max.to_string()),
        ("maxmemory_human", human(max)),
        ("maxmemory_policy", policy(router).into()),
    ]
}

/// Bytes in the largest unit of which there is at least one.
fn human(bytes: u64) -> String {
    let units = [(1u64 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}

/// Nothing is ever loading or being saved; clients wait for these fields before they begin.
fn persistence(_: &Router, _: u64) -> Fields {
    let no = String::from("0");
    vec![
        ("loading", no.clone()),
        ("async_loading", no.clone()),
        ("rdb_bgsave_in_progress", no.clone()),
        ("aof_enabled", no),
    ]
}

fn stats(router: &Router, _: u64) -> Fields {
    let (_, keys, prefixes) = router.news.counts();
    let (counts, cache) = (router.counts(), router.cache().stats());
    vec![
        ("total_connections_received", counts.connections.to_string()),
        ("total_commands_processed", counts.commands.to_string()),
        ("total_net_input_bytes", counts.received.to_string()),
        ("total_net_output_bytes", counts.sent.to_string()),
        ("rejected_connections", counts.refused.to_string()),
        ("expired_keys", cache.expirations.to_string()),
        ("evicted_keys", cache.evictions.to_string()),
        ("keyspace_hits", cache.hits.to_string()),
        ("keyspace_misses", cache.misses.to_string()),
        ("pubsub_channels", router.channels.names(|_| true).len().to_string()),
        ("pubsub_patterns", router.channels.patterns().to_string()),
        ("tracking_total_keys", keys.to_string()),
        ("tracking_total_prefixes", prefixes.to_string()),
    ]
}

fn replication(_: &Router, _: u64) -> Fields {
    vec![("role", "master".into()), ("connected_slaves", "0".into())]
}
