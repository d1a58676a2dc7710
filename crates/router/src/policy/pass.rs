//! By what somebody came who gave no password, to be held against other rules.

/// By what somebody came.
#[derive(Debug)]
pub(crate) enum Pass {
    Signed(SignedClaims),
    Shown(ShownCertificate),
}

/// What is kept of a token.
#[derive(Debug)]
pub(crate) struct SignedClaims {
    /// It counts from this time on, in Unix milliseconds, up to the other one.
    pub(super) from: i64,
    pub(super) until: i64,
    /// The key that signed it.
    pub(super) key: [u8; 32],
    /// What it says.
    pub(super) payload: Box<[u8]>,
}

/// The names in a certificate that a client has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownCertificate {
    /// `CN` of its subject.
    pub common: Vec<String>,
    /// Its alternative names that are URIs.
    pub uris: Vec<String>,
    /// Those that are names of hosts.
    pub dns: Vec<String>,
    /// Until when it counts, in Unix milliseconds.
    pub until: i64,
}

impl Pass {
    /// Until when it counts, in Unix milliseconds.
    #[inline]
    pub(super) fn until(&self) -> i64 {
        match self {
            Self::Signed(claims) => claims.until,
            Self::Shown(shown) => shown.until,
        }
    }

    /// Whether it counts at this time.
    pub(super) fn counts(&self, now: i64) -> bool {
        match self {
            Self::Signed(claims) => claims.counts(now),
            Self::Shown(shown) => now < shown.until,
        }
    }
}

impl SignedClaims {
    /// Whether it counts at this time.
    pub(super) fn counts(&self, now: i64) -> bool {
        self.from <= now && now < self.until
    }
}
