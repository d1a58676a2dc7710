//! The clients of all threads: what `CLIENT LIST` shows and `CLIENT KILL` ends.

use crate::catalog::Permissions;
use crate::news::{ClientId, Mailbox, Recipient, TrackingMode};
use crate::policy::{DEFAULT, ShownCertificate, User, Users};
use crate::shared::tracked::Tracker;
use crate::topology::ServerId;
use breakwater_resp::Protocol;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The two ends of a connection, as `host:port`, and who is at the other one.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client's end: `host:port`, or the path of a socket of this machine and `:0`.
    pub address: String,
    /// Our end.
    pub local: String,
    /// The certificate that the client has shown, if it did.
    pub certificate: Option<ShownCertificate>,
}

/// What other clients may know of one.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) peer: Peer,
    /// When it connected, in Unix milliseconds.
    pub(crate) created: u64,
    killed: AtomicBool,
    /// Bytes of it and for it that wait: see `buffers`.
    pub(super) buffered: AtomicU64,
    /// How many these were when it was cut for them.
    pub(super) doomed: AtomicU64,
    /// When it last sent something, in Unix milliseconds.
    active: AtomicU64,
    /// Replies to it that were errors.
    pub(crate) errors: AtomicU64,
    /// Until when it may stay, in Unix milliseconds: as long as its token counts.
    until: AtomicI64,
    /// The number of the relay of its thread, once it has said something.
    pub(crate) home: AtomicU64,
    pub(crate) profile: Mutex<Profile>,
    /// What a hook calls it.
    label: OnceLock<String>,
    /// Where news of changes and messages reach it.
    pub(crate) recipient: Arc<Recipient>,
}

/// The part of it that changes, brought up to date after each chunk that changed it.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) name: Vec<u8>,
    pub(crate) library: Vec<u8>,
    pub(crate) library_version: Vec<u8>,
    pub(crate) user: String,
    /// What it may do: who has authenticated, or need not.
    pub(crate) known: Option<Arc<User>>,
    /// What its user has to be permitted for what it hears without asking.
    pub(crate) needs: Permissions,
    pub(crate) db: u8,
    pub(crate) protocol: Protocol,
    /// Its last command, in lower case; none if it was no command.
    pub(crate) command: Cow<'static, str>,
    /// Bytes of it that wait to be understood.
    pub(crate) input: usize,
    /// Bytes for it in the chunk of replies being made.
    pub(crate) output: usize,
    pub(crate) no_evict: bool,
    pub(crate) no_touch: bool,
    pub(crate) engagement: Engagement,
    /// The server that it has a connection of its own to over which it may block, and the number that
    /// the store knows it by.
    pub(crate) own: Option<(ServerId, i64)>,
}

/// What a client is in the middle of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engagement {
    /// How many commands it has queued, if it has begun a transaction.
    pub(crate) queued: Option<u32>,
    /// Whether it waits for a command that blocks, or for the end of a pause.
    pub(crate) blocks: bool,
    /// Whether it is told of all that the store does.
    pub(crate) monitors: bool,
    /// To how many channels, patterns and channels of shards it subscribes.
    pub(crate) topics: [u32; 3],
}

impl Engagement {
    /// Whether it subscribes to anything.
    pub(crate) fn subscribes(&self) -> bool {
        self.topics != [0; 3]
    }
}

impl Profile {
    /// Whether its connection has to end if these are the users: its own is gone, or may not hear
    /// what it hears.
    pub(crate) fn is_lost(&self, users: &Users, now: u64) -> bool {
        self.known.as_ref().is_some_and(|known| {
            users.again(known, now as i64).is_none_or(|user| {
                !user.permissions.contains(self.needs) || user.lost(known).intersects(self.needs)
            })
        })
    }
}

impl Client {
    /// Whether somebody ended it. Relaxed: nothing else is published with it.
    #[inline]
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    /// A hook calls it this, if none has called it anything before.
    pub(crate) fn label(&self, label: &str) {
        let _ = self.label.set(label.to_owned());
    }

    /// Whether it was ended for what waits of it.
    pub(crate) fn is_cut(&self) -> bool {
        self.doomed.load(Ordering::Relaxed) > 0
    }

    /// It has sent something. Relaxed: a number by itself, for people.
    #[inline]
    pub(crate) fn act(&self, now: u64) {
        self.active.store(now, Ordering::Relaxed);
    }

    /// One line of `CLIENT LIST`, without its end. What does not exist here has the value that an
    /// idle client of Redis shows. `tracker` is what it tracks of a store behind the node.
    pub(crate) fn describe(&self, now: u64, tracker: Option<&Tracker>) -> String {
        let profile = self.profile.lock().clone();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (flags, redirect) = self.flags(&profile, tracker);
        let Engagement { queued, topics: [channels, patterns, shards], .. } = profile.engagement;
        let queued = queued.map_or(-1, i64::from);
        format!(
            "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={flags} db={} sub={channels} \
             psub={patterns} ssub={shards} multi={queued} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 \
             omem=0 tot-mem={} events=r cmd={} user={} redir={redirect} resp={} lib-name={} lib-ver={}",
            self.id,
            self.peer.address,
            self.peer.local,
            text(&profile.name),
            now.saturating_sub(self.created) / 1000,
            now.saturating_sub(self.active.load(Ordering::Relaxed)) / 1000,
            profile.db,
            profile.input,
            profile.output,
            profile.input + profile.output,
            if profile.command.is_empty() { "NULL" } else { &*profile.command },
            profile.user,
            profile.protocol as u8,
            text(&profile.library),
            text(&profile.library_version),
        )
    }

    /// The letters of what it does, and whom it redirects to.
    fn flags(&self, profile: &Profile, tracker: Option<&Tracker>) -> (String, i64) {
        let engagement = &profile.engagement;
        let own = self.recipient.tracking().as_ref().map(|tracking| {
            let broadcasts = tracking.mode == TrackingMode::Broadcast;
            (tracking.target(), tracking.broken, broadcasts)
        });
        let tracks = own.or_else(|| tracker.map(Tracker::shown));
        let (redirect, broken, broadcasts) = tracks.unwrap_or((-1, false, false));
        let letters = [
            (engagement.monitors, 'O'),
            (engagement.subscribes(), 'P'),
            (engagement.queued.is_some(), 'x'),
            (engagement.blocks, 'b'),
            (tracks.is_some(), 't'),
            (broken, 'R'),
            (broadcasts, 'B'),
            (self.peer.address.starts_with('/'), 'U'),
            (profile.no_evict, 'e'),
            (profile.no_touch, 'T'),
        ];
        let flags: String = letters.iter().filter(|one| one.0).map(|one| one.1).collect();
        (if flags.is_empty() { "N".into() } else { flags }, redirect)
    }
}

/// What a hook may know of a client.
#[derive(Clone, Debug)]
pub struct ShownClient {
    /// Its connection.
    pub peer: Peer,
    /// What it calls itself.
    pub name: String,
    /// What a hook has called it.
    pub label: Option<String>,
}

impl ShownClient {
    pub(super) fn of(client: &Client) -> Self {
        let name = String::from_utf8_lossy(&client.profile.lock().name).into_owned();
        Self { peer: client.peer.clone(), name, label: client.label.get().cloned() }
    }
}

/// All clients, by their numbers.
pub(crate) struct Registry {
    last: AtomicU64,
    /// No client has to leave before, in Unix milliseconds.
    earliest: AtomicI64,
    clients: Mutex<BTreeMap<ClientId, Arc<Client>>>,
}

impl Default for Registry {
    fn default() -> Self {
        let earliest = AtomicI64::new(i64::MAX);
        Self { last: AtomicU64::new(0), earliest, clients: Mutex::default() }
    }
}

impl Registry {
    /// Takes in a client, unless there are `max` already.
    pub(crate) fn join(
        &self,
        peer: Peer,
        now: u64,
        max: usize,
        mail: &Arc<Mailbox>,
    ) -> Option<Arc<Client>> {
        let mut clients = self.clients.lock();
        if clients.len() >= max {
            return None;
        }
        // Relaxed: only the number itself has to be unique.
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(Client {
            id,
            recipient: Arc::new(Recipient::new(id, mail.clone())),
            peer,
            created: now,
            killed: AtomicBool::new(false),
            buffered: AtomicU64::new(0),
            doomed: AtomicU64::new(0),
            active: AtomicU64::new(now),
            errors: AtomicU64::new(0),
            until: AtomicI64::new(i64::MAX),
            home: AtomicU64::new(0),
            label: OnceLock::new(),
            profile: Mutex::new(Profile {
                name: vec![],
                library: vec![],
                library_version: vec![],
                user: DEFAULT.into(),
                known: None,
                needs: Permissions::empty(),
                db: 0,
                protocol: Protocol::Resp2,
                command: Cow::Borrowed(""),
                input: 0,
                output: 0,
                no_evict: false,
                no_touch: false,
                engagement: Engagement::default(),
                own: None,
            }),
        });
        clients.insert(client.id, client.clone());
        Some(client)
    }

    /// A client may stay until this time, in Unix milliseconds.
    pub(crate) fn limit(&self, client: &Client, until: i64) {
        client.until.store(until, Ordering::Relaxed);
        // Release: whoever finds this time in `overdue` finds the client's.
        self.earliest.fetch_min(until, Ordering::Release);
    }

    /// The clients whose time is over at `now`, in Unix milliseconds. Looks at none before one is.
    pub(crate) fn overdue(&self, now: i64) -> Vec<Arc<Client>> {
        if self.earliest.load(Ordering::Relaxed) > now {
            return vec![];
        }
        // Acquire: with `limit`. Those that come meanwhile set it again.
        self.earliest.swap(i64::MAX, Ordering::Acquire);
        let (mut next, mut over) = (i64::MAX, vec![]);
        for client in self.clients.lock().values() {
            match client.until.load(Ordering::Relaxed) {
                until if until <= now => {
                    if !client.is_killed() {
                        over.push(client.clone());
                    }
                }
                until => next = next.min(until),
            }
        }
        self.earliest.fetch_min(next, Ordering::Relaxed);
        over
    }

    pub(crate) fn leave(&self, id: ClientId) {
        self.clients.lock().remove(&id);
    }

    pub(crate) fn count(&self) -> usize {
        self.clients.lock().len()
    }

    /// How many ever joined.
    pub(crate) fn total(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    pub(crate) fn find(&self, id: ClientId) -> Option<Arc<Client>> {
        self.clients.lock().get(&id).cloned()
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.clients.lock().values().cloned().collect()
    }
}
