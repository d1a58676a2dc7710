//! The sections of `INFO` that speak of the node itself. Where a store stands behind it they follow
//! what the store says.

use super::config::policy;
use crate::hooks::{HookKind, KindCounts};
use crate::shared::{HotKey, RefusalReason, Router};
use crate::sight::{CommandClass, Latencies};
use breakwater_resp::Args;
use std::fmt::Write;

/// Lines of a section: fields, or whatever has one line each.
type Lines = Vec<(String, String)>;
type Section = (&'static str, fn(&Router) -> Lines);

/// Where the node answers for itself, others say what `Node` does.
const OF_STORE: [Section; 4] =
    [("Node", node), ("Upstream", upstream), ("Routes", routes), ("Hotkeys", hot_keys)];

/// Appends the sections of the node that the words of a request ask for.
pub(crate) fn write_node(text: &mut String, args: Args<'_>, router: &Router) {
    let own: [Section; 6] = [
        ("Cache", cache),
        ("Latency", latency),
        ("Load", load),
        ("Refusals", refusals),
        ("Hooks", hooks),
        ("Reload", reloads),
    ];
    let behind = if router.setup.upstream.is_some() { &OF_STORE[..] } else { &[] };
    for (name, section) in own.iter().chain(behind).filter(|(name, _)| wants(args, name)) {
        begin(text, name);
        for (field, value) in section(router) {
            let _ = write!(text, "{field}:{value}\r\n");
        }
    }
}

/// Whether the words of a request ask for a section.
pub(super) fn wants(args: Args<'_>, name: &str) -> bool {
    let asked = args.from(1);
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let any = ["all", "default", "everything"];
    asked.is_empty()
        || asked.iter().any(|word| is(word, name) || any.iter().any(|any| is(word, any)))
}

/// Appends the head of a section.
pub(super) fn begin(text: &mut String, name: &str) {
    let gap = if text.is_empty() { "" } else { "\r\n" };
    let _ = write!(text, "{gap}# {name}\r\n");
}

fn lines<const N: usize>(fields: [(&str, String); N]) -> Lines {
    fields.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The node and its clients, under the names of `stats()`.
fn node(router: &Router) -> Lines {
    let counts = router.counts();
    lines([
        ("node_version", router.setup.version.clone()),
        ("node_process_id", router.setup.process.to_string()),
        ("node_threads", router.rules().threads.to_string()),
        ("node_clients", counts.clients.to_string()),
        ("node_connections", counts.connections.to_string()),
        ("node_refused", counts.refused.to_string()),
        ("node_commands", counts.commands.to_string()),
        ("node_bytes_received", counts.received.to_string()),
        ("node_bytes_sent", counts.sent.to_string()),
        ("node_faults", counts.faults.to_string()),
    ])
}

/// What the node refused by itself, by the reason.
fn refusals(router: &Router) -> Lines {
    let of = |((_, name), count): ((RefusalReason, &str), u64)| {
        let snake = name.replace('F', "_f");
        (format!("refused_{snake}"), count.to_string())
    };
    RefusalReason::ALL.into_iter().zip(router.refusals()).map(of).collect()
}

/// What hooks were asked, a line for each kind that was.
fn hooks(router: &Router) -> Lines {
    let kinds = HookKind::ALL.into_iter().zip(router.hook_counts().kinds);
    let line = |(kind, of): (HookKind, KindCounts)| {
        let KindCounts { asked, failed, late, nanoseconds } = of;
        let usec = nanoseconds / 1_000;
        let counts = format!("calls={asked},failed={failed},late={late},usec={usec}");
        (format!("hook_{}", kind.name()), counts)
    };
    kinds.filter(|(_, of)| of.asked > 0).map(line).collect()
}

/// How long requests take, in microseconds: those that the node answers itself, those that wait for the
/// reply to another one, and those that each server answers. What did not happen has no line.
fn latency(router: &Router) -> Lines {
    let mut all = vec![];
    let mut add = |name: String, of: &Latencies| {
        let at = |share| of.quantile(share).map(|time| time * 1e3);
        if let (Some(p50), Some(p99), Some(p999)) = (at(0.5), at(0.99), at(0.999)) {
            let line = format!("p50={p50:.3},p99={p99:.3},p99.9={p999:.3}");
            all.push((format!("latency_percentiles_usec_{name}"), line));
        }
    };
    let seen = router.sight();
    for ((_, class), of) in CommandClass::ALL.iter().zip(&seen.answered) {
        add(format!("answered_{class}"), of);
    }
    add("waited".into(), &seen.waited);
    for (at, server) in router.server_counts().iter().enumerate() {
        for ((_, class), of) in CommandClass::ALL.iter().zip(&server.latencies) {
            add(format!("upstream{at}_{class}"), of);
        }
    }
    all
}

/// What clients ask, how evenly threads work, and what went wrong.
fn load(router: &Router) -> Lines {
    let seen = router.sight();
    let requests = CommandClass::ALL.iter().zip(seen.requests);
    let mut all: Lines = requests
        .map(|((_, class), count)| (format!("requests_{class}"), count.to_string()))
        .collect();
    let (crowding, skew, cold) = (seen.crowding, seen.skew, seen.cold);
    let buffers = router.buffers();
    all.extend(lines([
        ("total_error_replies", seen.errors.to_string()),
        ("error_replies_of_one_client", seen.errors_of_one.to_string()),
        ("buffer_bytes", buffers.used.to_string()),
        ("buffer_max_bytes", buffers.most.to_string()),
        ("clients_cut_for_buffers", buffers.cut.to_string()),
        ("clients_cut_by_user", buffers.cut_by_user.to_string()),
        ("clients_cut_for_slowness", buffers.cut_slow.to_string()),
        ("herds", crowding.herds.to_string()),
        ("largest_herd", crowding.largest_herd.to_string()),
        ("stale_given_unreachable", crowding.stale_unreachable.to_string()),
        ("stale_given_failed", crowding.stale_failed.to_string()),
        ("stale_given_busy", crowding.stale_busy.to_string()),
        ("stale_given_open", crowding.stale_open.to_string()),
        ("handshakes", crowding.handshakes.to_string()),
        ("handshakes_failed", crowding.handshakes_failed.to_string()),
        ("held_back_by_rate", crowding.held_back_by_rate.to_string()),
        ("held_back_by_handshakes", crowding.held_back_by_handshakes.to_string()),
        ("cold_hits", cold.hits.to_string()),
        ("cold_misses", cold.misses.to_string()),
        ("skew_top1", format!("{:.4}", skew.top1)),
        ("skew_top10", format!("{:.4}", skew.top10)),
        ("skew_top100", format!("{:.4}", skew.top100)),
    ]));
    for (at, thread) in seen.threads.iter().enumerate() {
        let line = format!(
            "requests={},queue={},busy_ms={:.0}",
            thread.requests, thread.queue, thread.busy
        );
        all.push((format!("thread{at}"), line));
    }
    all
}

/// The hot keys, the hottest first. What is no plain character of a key is escaped.
fn hot_keys(router: &Router) -> Lines {
    let line = |(at, hot): (usize, HotKey)| {
        let key = hot.key.escape_ascii().to_string().replace(',', "\\x2c");
        let (store, pinned) = (hot.store.unwrap_or_default(), u8::from(hot.pinned));
        let route = hot.route.escape_default().to_string().replace(',', "\\x2c");
        let text = format!(
            "key={key},share={:.2},reads_per_second={:.0},pinned={pinned},route={route},store={store},copies={}",
            hot.share, hot.rate, hot.copies
        );
        (format!("hotkey_{at}"), text)
    };
    router.hot_keys().into_iter().enumerate().map(line).collect()
}

/// How often the configuration was read anew: times are in Unix seconds, 0 for never.
fn reloads(router: &Router) -> Lines {
    let reloads = router.reloads();
    let seconds = |at: Option<u64>| (at.unwrap_or(0) / 1000).to_string();
    let (refused, why) = reloads.refused.map_or((None, String::new()), |(at, why)| (Some(at), why));
    lines([
        ("reload_count", reloads.count.to_string()),
        ("reload_last_time", seconds(reloads.at)),
        ("reload_refused_time", seconds(refused)),
        ("reload_refusal", why),
    ])
}

/// What the node's memory holds, under the names of `stats()`.
fn cache(router: &Router) -> Lines {
    let stats = router.cache().stats();
    let most = router.cache().bounds().1.map_or_else(|| "none".into(), |most| most.to_string());
    lines([
        ("cache_entries", stats.entries.to_string()),
        ("cache_bytes", stats.bytes.to_string()),
        ("cache_max_bytes", most),
        ("cache_policy", policy(router).into()),
        ("cache_hits", stats.hits.to_string()),
        ("cache_misses", stats.misses.to_string()),
        ("cache_evictions", stats.evictions.to_string()),
        ("cache_expirations", stats.expirations.to_string()),
    ])
}

/// A name of `stats()` as `INFO` spells it.
fn spelled(name: &str) -> String {
    let spell = |letter: char| match letter.is_ascii_uppercase() {
        true => format!("_{}", letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    name.chars().map(spell).collect()
}

/// The servers behind the node.
fn upstream(router: &Router) -> Lines {
    let Some(store) = &router.setup.upstream else { return vec![] };
    let kind = if store.unix { "unix" } else { ["tcp", "tls"][usize::from(store.tls)] };
    let mut all = lines([("upstream_address", store.place()), ("upstream_kind", kind.into())]);
    for (at, server) in router.server_counts().into_iter().enumerate() {
        let role = if server.leads { "primary" } else { "replica" };
        let mut line = format!("address={},role={role},state={}", server.address, server.state);
        if let Some(lag) = server.lag {
            let _ = write!(line, ",lag={lag}");
        }
        let _ = write!(line, ",breaker={}", server.breaker);
        for (name, count) in server.counts {
            let _ = write!(line, ",{}={count}", spelled(name));
        }
        all.push((format!("upstream{at}"), line));
    }
    all
}

/// A line for each route, with the counts of `stats().routes`.
fn routes(router: &Router) -> Lines {
    let all = router.route_counts().into_iter().enumerate();
    all.map(|(at, (pattern, counts))| {
        let counts = format!(
            "match={pattern},hits={},misses={},joined={},stored={},dropped={},passed={},\
             shadowed={},stale_given={},refreshed={},warmed={},left_out={},verified={}",
            counts.hits,
            counts.misses,
            counts.joined,
            counts.stored,
            counts.dropped,
            counts.passed,
            counts.shadowed,
            counts.stale_given,
            counts.refreshed,
            counts.warmed,
            counts.left_out,
            counts.verified,
        );
        (format!("route{at}"), counts)
    })
    .collect()
}
