//! Making a router, finding it from other threads, and keeping its cache in order.

use super::driver::{instance, now};
use super::given::{number, quota, texts};
use super::routes::routes;
use super::tokens::token_rules;
use super::{list, memory};
use crate::env::{Call, Env, Returns};
use crate::js::{Fail, Js, Val};
use breakwater_engine::{Cache, Config, ConfigError};
use breakwater_router::{
    AuditKeys, CertificateName, CertificateRules, ClusterOptions, Concern, Limits, Options,
    Permissions, RingNode, RingOptions, Router, Rules, StoreAddress, User, Users, awaits_reply,
};
use std::ffi::CStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// `createRouter(options)`: a router with a cache of its own. The facade has checked the options.
pub fn create<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let (js, options) = (call.js, call.arg::<0>());
    let policy = js.to_text(js.prop(options, c"policy")?).unwrap_or_default();
    let rules = rules(js, options)?;
    let servers = servers(js, js.prop(options, c"servers")?)?;
    let cache = Cache::new(Config {
        max_bytes: number(js, options, c"maxBytes")?,
        policy: policy.parse()?,
        // Without a store, entries are what clients have set.
        awaited: (!servers.is_empty()).then_some(awaits_reply),
        grace: rules.routes.grace(),
        ..Config::default()
    })?;
    let cluster = cluster(js, js.prop(options, c"announce")?, &servers)?;
    let ring = ring(js, js.prop(options, c"ring")?, &servers)?;
    let alone = cluster.is_none() && ring.is_none();
    let mut servers = servers.into_iter();
    let options = Options {
        rules,
        version: js.to_text(js.prop(options, c"version")?).unwrap_or_default(),
        process: std::process::id(),
        upstream: servers.next(),
        replicas: if alone { servers.collect() } else { vec![] },
        cluster,
        ring,
        max_lag: number(js, options, c"maxLag")?.unwrap_or(0),
        seed: RandomState::new().build_hasher().finish(),
    };
    let router = Arc::new(Router::new(Arc::new(cache), options, now()));
    let id = list::add(router.clone());
    maintain(Arc::downgrade(&router));
    instance(call, id, router, Some(id), memory::METHODS)
}

/// `attachRouter(id)`: the router of this number, for another thread's driver.
pub fn attach<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let id = call.js.to_number(call.arg::<0>()).ok_or_else(Fail::handle)? as u64;
    let (router, _) = list::find(id).ok_or_else(Fail::handle)?;
    instance(call, id, router, None, memory::METHODS)
}

/// The part of the options of `createRouter` that may change while the router runs.
pub fn rules<'s>(js: Js<'s>, options: Val<'s>) -> Result<Rules, Fail> {
    let usual = Limits::default();
    let bound = |name: &CStr, usual: usize| {
        Ok::<_, Fail>(number(js, options, name)?.map_or(usual, |most| most as usize))
    };
    Ok(Rules {
        users: all_users(js, options)?,
        limits: Limits {
            buffers: number(js, options, c"maxBuffers")?.unwrap_or(u64::MAX),
            value: bound(c"maxValueBytes", usual.value)?,
            slow_reader: number(js, options, c"slowReaderTimeout")?.unwrap_or(usual.slow_reader),
            clients: bound(c"maxClients", usual.clients)?,
            accepts: bound(c"acceptRate", usual.accepts)?,
            handshakes: bound(c"maxHandshakes", usual.handshakes)?,
            tracked_keys: bound(c"trackedKeys", usual.tracked_keys)?,
            tracked_keys_by_client: bound(c"trackedKeysPerClient", usual.tracked_keys_by_client)?,
            misses: bound(c"maxMisses", usual.misses)?,
            waiting_misses: bound(c"queuedMisses", usual.waiting_misses)?,
            wait: number(js, options, c"missWait")?.unwrap_or(usual.wait),
            breaker_failures: bound(c"breakerFailures", usual.breaker_failures as usize)? as u32,
            breaker_pause: number(js, options, c"breakerPause")?.unwrap_or(usual.breaker_pause),
            store_timeout: number(js, options, c"storeTimeout")?.unwrap_or(usual.store_timeout),
            store_retry: number(js, options, c"storeRetry")?.unwrap_or(usual.store_retry),
            ..usual
        },
        routes: routes(js, js.prop(options, c"routes")?)?,
        pinned: texts(js, js.prop(options, c"pinned")?)?,
        audit: js.to_text(js.prop(options, c"audit")?).and_then(|name| AuditKeys::parse(&name)),
        journal: number(js, options, c"journal")?.is_some_and(|flag| flag > 0),
        threads: number(js, options, c"threads")?.unwrap_or(1) as u32,
    })
}

/// The store and its replicas, in an array of `{ kind: 'tcp' | 'tls' | 'unix', host, port, user?,
/// password? }`; none, if there is no array.
pub(super) fn servers<'s>(js: Js<'s>, array: Val<'s>) -> Result<Vec<StoreAddress>, Fail> {
    let server = |at: usize| {
        let server = js.at(array, at)?;
        let kind = js.to_text(js.prop(server, c"kind")?).unwrap_or_default();
        Ok(StoreAddress {
            host: js.to_text(js.prop(server, c"host")?).unwrap_or_default(),
            port: number(js, server, c"port")?.unwrap_or(0) as u16,
            unix: kind == "unix",
            tls: kind == "tls",
            user: js.to_text(js.prop(server, c"user")?),
            password: js.to_text(js.prop(server, c"password")?),
        })
    };
    (0..js.len(array).unwrap_or(0)).map(server).collect()
}

/// The cluster that these servers are of: what is reached under other addresses than it says, in an
/// array of `{ said: [host, port], reached: [host, port] }`; none, if there is no array.
fn cluster<'s>(
    js: Js<'s>,
    array: Val<'s>,
    seeds: &[StoreAddress],
) -> Result<Option<ClusterOptions>, Fail> {
    let Some(len) = js.len(array) else { return Ok(None) };
    let place = |pair: Val<'s>| {
        let host = js.to_text(js.at(pair, 0)?).unwrap_or_default();
        Ok::<_, Fail>((host, js.to_whole(js.at(pair, 1)?).unwrap_or(0) as u16))
    };
    let entry = |at: usize| {
        let entry = js.at(array, at)?;
        Ok((place(js.prop(entry, c"said")?)?, place(js.prop(entry, c"reached")?)?))
    };
    let announce = (0..len).map(entry).collect::<Result<_, Fail>>()?;
    Ok(Some(ClusterOptions { seeds: seeds.to_vec(), announce }))
}

/// How independent stores share keys, in `{ nodes: [{ name, weight }], whenDown, hashTags }`; `None`,
/// if there is none.
pub(super) fn ring<'s>(
    js: Js<'s>,
    given: Val<'s>,
    stores: &[StoreAddress],
) -> Result<Option<RingOptions>, Fail> {
    if js.type_name(given) != "object" {
        return Ok(None);
    }
    let nodes = js.prop(given, c"nodes")?;
    let Some(len) = js.len(nodes) else { return Ok(None) };
    let node = |at: usize| {
        let node = js.at(nodes, at)?;
        let name = js.to_text(js.prop(node, c"name")?).unwrap_or_default();
        let weight = js.to_number(js.prop(node, c"weight")?).unwrap_or(1.0);
        Ok(RingNode { name, weight })
    };
    Ok(Some(RingOptions {
        stores: stores.to_vec(),
        nodes: (0..len).map(node).collect::<Result<_, Fail>>()?,
        take_over: js.to_text(js.prop(given, c"whenDown")?).as_deref() == Some("next"),
        hash_tags: number(js, given, c"hashTags")? != Some(0),
    }))
}

fn by_rules(name: &str, rules: &str) -> Result<User, ConfigError> {
    let allowed = "rules of Redis, as in '~user:* &news:* +@read -keys'";
    User::by_rules(name, rules).map_err(|value| ConfigError { option: "acl", value, allowed })
}

/// `wrongRule(rules)`: the first of these rules of a user that is none, without what may be a secret.
pub fn wrong_rule<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let rules = call.js.to_text(call.arg::<0>()).unwrap_or_default();
    match User::by_rules("", &rules) {
        Ok(_) => call.js.undefined(),
        Err(wrong) => call.js.text(&wrong),
    }
}

/// `hashPassword(password)`: its Argon2id hash.
pub fn hash_password<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let password = call.js.to_text(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Fail::internal(&error.to_string()))?;
    call.js.text(&breakwater_router::hash_password(password.as_bytes(), salt))
}

/// Who may connect: users, and those who come by tokens and certificates.
fn all_users<'s>(js: Js<'s>, options: Val<'s>) -> Result<Users, Fail> {
    let mut users = users(js, js.prop(options, c"users")?)?;
    if let Some(tokens) = token_rules(js, js.prop(options, c"tokens")?)? {
        users = users.with_tokens(tokens);
    }
    if let Some(certificates) = certificate_rules(js, js.prop(options, c"identity")?)? {
        users = users.with_certificates(certificates);
    }
    Ok(users)
}

/// How certificates of clients say who they are, in `{ name, map? }`, whose `map` is pairs, flat; none,
/// if there is no such object.
fn certificate_rules<'s>(js: Js<'s>, given: Val<'s>) -> Result<Option<CertificateRules>, Fail> {
    if js.type_name(given) != "object" {
        return Ok(None);
    }
    let name = js.to_text(js.prop(given, c"name")?).unwrap_or_default();
    let name = CertificateName::parse(&name).ok_or_else(|| ConfigError {
        option: "identity.certificate",
        value: name.clone(),
        allowed: "one of CN, SAN-URI, SAN-DNS",
    })?;
    let map = js.prop(given, c"map")?;
    let pairs = match js.len(map) {
        None => None,
        Some(_) => Some(texts(js, map)?),
    };
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let users = pairs
        .map(|pairs| pairs.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect());
    Ok(Some(CertificateRules { name, users }))
}

/// The users in an array of `{ name, password?, passwordHashes?, permissions, acl?,
/// byToken?, limits? }`; everybody, if there is no array.
fn users<'s>(js: Js<'s>, array: Val<'s>) -> Result<Users, Fail> {
    let Some(len) = js.len(array) else { return Ok(Users::open()) };
    let mut users = vec![];
    for at in 0..len {
        let user = js.at(array, at)?;
        let name = js.to_text(js.prop(user, c"name")?).unwrap_or_default();
        let password = js.to_text(js.prop(user, c"password")?);
        let by_token = number(js, user, c"byToken")? == Some(1);
        let limits = quota(js, js.prop(user, c"limits")?)?;
        let hashes = js.prop(user, c"passwordHashes")?;
        let names = js.to_text(js.prop(user, c"permissions")?).unwrap_or_default();
        let permissions = Permissions::parse(&names).ok_or_else(|| ConfigError {
            option: "permissions",
            value: names.clone(),
            allowed: "read, write, admin or all, separated by commas",
        })?;
        let concern = js.to_text(js.prop(user, c"readConcern")?);
        let concern = concern.and_then(|name| Concern::parse(name.as_bytes()));
        let password = password.as_ref().map(|text| text.as_bytes());
        let mut user = match js.to_text(js.prop(user, c"acl")?) {
            None => User::new(name, password, permissions),
            Some(rules) => {
                let mut user = by_rules(&name, &rules)?;
                password.iter().for_each(|password| user.add_password(password));
                user
            }
        };
        for hash in texts(js, hashes)? {
            user.add_hash(&String::from_utf8_lossy(&hash));
        }
        users.push(user.reads(concern).named_by_tokens(by_token).limited(limits));
    }
    Ok(Users::new(users))
}

/// Starts a thread that does what time asks of the cache and of clients, until the router is gone.
fn maintain(router: Weak<Router>) {
    let run = move || {
        loop {
            let Some(router) = router.upgrade() else { return };
            let due = catch_unwind(AssertUnwindSafe(|| {
                router.expire(now());
                router.cache().maintain()
            }));
            drop(router);
            // Asleep, this thread reads nothing: what others remove is freed without asking it.
            breakwater_engine::rest();
            // Reads never wait for this: they look at deadlines themselves.
            let due = due.ok().flatten().unwrap_or(u64::MAX).clamp(50, 500);
            thread::sleep(Duration::from_millis(due));
        }
    };
    // Without a thread, what expired waits for the reads and writes that find it.
    let _ = thread::Builder::new().name("breakwater-router".to_owned()).spawn(run);
}

/// `listenUnix(path, mode)`: the descriptor of a socket of this machine that is listened on; its file
/// has these permissions.
#[cfg(unix)]
pub fn listen_unix<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    use std::os::fd::IntoRawFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;
    let js = call.js;
    let path = js.to_text(call.arg::<0>()).ok_or_else(Fail::argument)?;
    let mode = js.to_whole(call.arg::<1>()).ok_or_else(Fail::argument)? as u32;
    let listener = UnixListener::bind(&path).and_then(|listener| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        Ok(listener)
    });
    let listener = listener.map_err(|error| Fail::internal(&error.to_string()))?;
    js.number(f64::from(listener.into_raw_fd()))
}

/// `duplicateFd(fd)`: another descriptor of the same socket, -1 where there is none.
pub fn duplicate_fd<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    let fd = call.js.to_number(call.arg::<0>()).unwrap_or(-1.0) as i32;
    call.js.number(f64::from(duplicate(fd)))
}

#[cfg(unix)]
fn duplicate(fd: i32) -> i32 {
    // SAFETY: a call on two integers; a descriptor that is not open is an error, not a fault.
    unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }
}

#[cfg(not(unix))]
fn duplicate(_fd: i32) -> i32 {
    -1
}

/// `closeFd(fd)`: closes a descriptor that was given here, and that nobody else was given.
pub fn close_fd<'s>(call: &Call<'s, Env>) -> Returns<'s> {
    close(call.js.to_number(call.arg::<0>()).unwrap_or(-1.0) as i32);
    call.js.undefined()
}

#[cfg(unix)]
fn close(fd: i32) {
    // SAFETY: a call on an integer; a descriptor that is not open is an error, not a fault. It is the
    // caller's own: nothing of Rust has it.
    unsafe { libc::close(fd) };
}

#[cfg(not(unix))]
fn close(_fd: i32) {}
