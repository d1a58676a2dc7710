//! Certificates that clients show: whose they are. That they are good is seen to by TLS.

use super::pass::ShownCertificate;
use super::user::User;
use std::collections::HashMap;
use std::sync::Arc;

/// Which name in a certificate tells the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// `CN` of its subject.
    Common,
    /// An alternative name that is a URI.
    Uri,
    /// One that is a name of a host.
    Dns,
}

impl CertificateName {
    /// By its name: `CN`, `SAN-URI`, `SAN-DNS`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "CN" => Self::Common,
            "SAN-URI" => Self::Uri,
            "SAN-DNS" => Self::Dns,
            _ => return None,
        })
    }
}

/// How the name in a certificate becomes a user.
#[derive(Debug)]
pub struct CertificateRules {
    /// Which name counts.
    pub name: CertificateName,
    /// The users by these names; without it, a user has the name itself.
    pub users: Option<HashMap<String, String>>,
}

impl CertificateRules {
    /// Whose a certificate is; nobody's, if its names are those of several users or of none.
    pub(super) fn user<'a>(
        &self,
        shown: &ShownCertificate,
        find: impl Fn(&str) -> Option<&'a Arc<User>>,
    ) -> Option<&'a Arc<User>> {
        let names = match self.name {
            CertificateName::Common => &shown.common,
            CertificateName::Uri => &shown.uris,
            CertificateName::Dns => &shown.dns,
        };
        let mut users = names.iter().filter_map(|name| match &self.users {
            None => find(name),
            Some(users) => find(users.get(name)?),
        });
        let first = users.next()?;
        users.all(|other| Arc::ptr_eq(first, other)).then_some(first)
    }
}
