//! What a client has said of tracking: which of its reads it wants to hear of, and who is told.

use crate::failure::Failure;
use crate::shared::{ClientId, Tracker};
use breakwater_resp::{Args, ReplyWriter, number};
use std::sync::Arc;

const NOBODY: &str = "ERR The client ID you want redirect to does not exist";
const SWITCHES: &str = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this \
                        client, and then re-enabling it with a different mode.";
const SWITCHES_BROADCAST: &str = "ERR You can't switch BCAST mode on/off before disabling tracking \
                                  for this client, and then re-enabling it with a different mode.";

/// What `CLIENT TRACKING ON` asks for.
#[derive(Default)]
pub(super) struct TrackingOptions {
    /// The number of the client that is told; 0 if it is the client itself.
    pub(super) redirect: i64,
    pub(super) broadcasts: bool,
    pub(super) opts_in: bool,
    pub(super) opts_out: bool,
    pub(super) no_loop: bool,
    pub(super) prefixes: Vec<Vec<u8>>,
}

/// What a client tracks.
#[derive(Default)]
pub(super) struct ClientTracking {
    options: TrackingOptions,
    /// As whom; nobody, if it does not track.
    tracker: Option<Arc<Tracker>>,
    /// Whether `CLIENT CACHING` speaks of the next request.
    caching: bool,
    /// The lane of a client that hears of prefixes but not of what it writes itself.
    lane: Option<PrefixLane>,
}

/// Which connections some clients of a thread share for what they write: what the store tells over them,
/// others have written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PrefixLane {
    pub(super) db: u8,
    /// Of changes of keys that begin so the store tells.
    pub(super) prefixes: Arc<[Vec<u8>]>,
}

impl ClientTracking {
    /// As whom the client tracks, if it does.
    pub(super) fn tracker(&self) -> Option<&Arc<Tracker>> {
        self.tracker.as_ref()
    }

    /// Whether the next request is one whose keys it wants to hear of.
    pub(super) fn wants(&self) -> bool {
        self.tracker.is_some()
            && !self.options.broadcasts
            && match (self.options.opts_in, self.options.opts_out) {
                (true, _) => self.caching,
                (_, true) => !self.caching,
                _ => true,
            }
    }

    /// Whether it is told of changes of what it reads, but not of its own.
    pub(super) fn is_quiet(&self) -> bool {
        self.tracker.is_some() && self.options.no_loop && !self.options.broadcasts
    }

    /// Whether it is not told of its own changes.
    pub(super) fn has_no_loop(&self) -> bool {
        self.options.no_loop && self.tracker.is_some()
    }

    /// The lane of its requests of a database, if they have one.
    pub(super) fn lane(&self, db: u8) -> Option<&PrefixLane> {
        self.lane.as_ref().filter(|lane| lane.db == db)
    }

    /// It has this lane from now on, or none.
    pub(super) fn take_lane(&mut self, lane: Option<PrefixLane>) {
        self.lane = lane;
    }

    /// The prefixes of the keys that it hears of.
    pub(super) fn prefixes(&self) -> &[Vec<u8>] {
        &self.options.prefixes
    }

    /// A request is done that is no `CLIENT`, outside a transaction: what was said of it is over.
    pub(super) fn forget_caching(&mut self) {
        self.caching = false;
    }

    pub(super) fn redirect(&self) -> i64 {
        if self.tracker.is_some() { self.options.redirect } else { -1 }
    }

    pub(super) fn begin(&mut self, mut options: TrackingOptions, tracker: Arc<Tracker>) {
        let mut prefixes = std::mem::take(&mut self.options.prefixes);
        prefixes.append(&mut options.prefixes);
        prefixes.sort_unstable();
        prefixes.dedup();
        options.prefixes = prefixes;
        (self.options, self.tracker) = (options, Some(tracker));
    }

    /// Nothing is tracked any more; whether something was.
    pub(super) fn end(&mut self) -> bool {
        std::mem::take(self).tracker.is_some()
    }

    /// `CLIENT CACHING`.
    pub(super) fn allow(&mut self, word: &[u8]) -> Result<(), Failure> {
        let TrackingOptions { opts_in, opts_out, .. } = self.options;
        if self.tracker.is_none() {
            return Err(
                "ERR CLIENT CACHING can be called only when the client is in tracking mode \
                        with OPTIN or OPTOUT mode enabled"
                    .into(),
            );
        }
        match () {
            () if word.eq_ignore_ascii_case(b"yes") && !opts_in => {
                Err("ERR CLIENT CACHING YES is \
                only valid when tracking is enabled in OPTIN mode."
                    .into())
            }
            () if word.eq_ignore_ascii_case(b"no") && !opts_out => Err("ERR CLIENT CACHING NO is \
                only valid when tracking is enabled in OPTOUT mode."
                .into()),
            () if word.eq_ignore_ascii_case(b"yes") || word.eq_ignore_ascii_case(b"no") => {
                self.caching = true;
                Ok(())
            }
            () => Err("ERR syntax error".into()),
        }
    }

    /// What `CLIENT TRACKING` asks for; `None` if it is to end.
    pub(super) fn parse(
        &self,
        args: Args<'_>,
        exists: impl Fn(ClientId) -> bool,
    ) -> Result<Option<TrackingOptions>, Failure> {
        let mut options = TrackingOptions::default();
        let mut at = 3;
        while at < args.len() {
            let more = at + 1 < args.len();
            match () {
                () if args.is(at, "redirect") && more => {
                    at += 1;
                    if options.redirect != 0 {
                        return Err(
                            "ERR A client can only redirect to a single other client".into()
                        );
                    }
                    options.redirect = number::integer(args.word(at))
                        .ok_or("ERR value is not an integer or out of range")?;
                    if !ClientId::try_from(options.redirect).is_ok_and(&exists) {
                        return Err(NOBODY.into());
                    }
                }
                () if args.is(at, "bcast") => options.broadcasts = true,
                () if args.is(at, "optin") => options.opts_in = true,
                () if args.is(at, "optout") => options.opts_out = true,
                () if args.is(at, "noloop") => options.no_loop = true,
                () if args.is(at, "prefix") && more => {
                    at += 1;
                    options.prefixes.push(args.word(at).to_vec());
                }
                () => return Err("ERR syntax error".into()),
            }
            at += 1;
        }
        match () {
            () if args.is(2, "off") => Ok(None),
            () if args.is(2, "on") => self.check(options).map(Some),
            () => Err("ERR syntax error".into()),
        }
    }

    fn check(&self, mut options: TrackingOptions) -> Result<TrackingOptions, Failure> {
        let (on, now) = (self.tracker.is_some(), &self.options);
        let TrackingOptions { broadcasts, opts_in, opts_out, .. } = options;
        let why = match () {
            () if !broadcasts && !options.prefixes.is_empty() => {
                "ERR PREFIX option requires BCAST mode to be enabled"
            }
            () if on && broadcasts != now.broadcasts => SWITCHES_BROADCAST,
            () if broadcasts && (opts_in || opts_out) => {
                "ERR OPTIN and OPTOUT are not compatible with BCAST"
            }
            () if opts_in && opts_out => "ERR You can't specify both OPTIN mode and OPTOUT mode",
            () if (opts_in && now.opts_out) || (opts_out && now.opts_in) => SWITCHES,
            () => "",
        };
        if !why.is_empty() {
            return Err(why.into());
        }
        self.check_prefixes(&options.prefixes)?;
        if broadcasts && options.prefixes.is_empty() {
            options.prefixes.push(vec![]);
        }
        Ok(options)
    }

    /// No key may have two of a client's prefixes.
    fn check_prefixes(&self, prefixes: &[Vec<u8>]) -> Result<(), Failure> {
        let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
        let error = |prefix: &[u8], kind: &str, other: &[u8]| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            Failure::new(format!(
                "ERR Prefix '{}' overlaps with {kind} prefix '{}'. Prefixes for a single client must \
                 not overlap.",
                text(prefix),
                text(other)
            ))
        };
        for (at, prefix) in prefixes.iter().enumerate() {
            for other in self.options.prefixes.iter().filter(|_| self.tracker.is_some()) {
                if overlap(prefix, other) {
                    return Err(error(prefix, "an existing", other));
                }
            }
            for other in &prefixes[at + 1..] {
                if overlap(prefix, other) {
                    return Err(error(prefix, "another provided", other));
                }
            }
        }
        Ok(())
    }

    /// `CLIENT TRACKINGINFO`.
    pub(super) fn describe(&self, broken: bool, reply: &mut ReplyWriter<'_>) {
        let TrackingOptions { broadcasts, opts_in, opts_out, no_loop, prefixes, .. } =
            &self.options;
        let on = self.tracker.is_some();
        let flags = [
            (on, "on"),
            (!on, "off"),
            (*broadcasts, "bcast"),
            (*opts_in, "optin"),
            (*opts_in && self.caching, "caching-yes"),
            (*opts_out, "optout"),
            (*opts_out && self.caching, "caching-no"),
            (*no_loop, "noloop"),
            (broken, "broken_redirect"),
        ];
        let flags: Vec<_> = flags.iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
        reply.map(3);
        reply.bulk(b"flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
        reply.bulk(b"redirect");
        reply.integer(self.redirect());
        reply.bulk(b"prefixes");
        reply.array(prefixes.len());
        prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    }
}
