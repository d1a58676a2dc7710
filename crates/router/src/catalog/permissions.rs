//! The kinds of commands that a user may be permitted.

use bitflags::bitflags;

bitflags! {
    /// What a user may do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Permissions: u8 {
        /// Commands that read keys.
        const READ = 1;
        /// Commands that write keys.
        const WRITE = 2;
        /// `CONFIG`, `CLIENT LIST`, `CLIENT KILL`, and together with `WRITE` the flushes.
        const ADMIN = 4;
    }
}

impl Permissions {
    /// Reads names separated by commas: `read`, `write`, `admin` and `all`; `None` for another.
    ///
    /// ```
    /// use breakwater_router::Permissions;
    /// assert_eq!(Permissions::parse("read,write"), Some(Permissions::READ | Permissions::WRITE));
    /// assert_eq!(Permissions::parse("reed"), None);
    /// ```
    pub fn parse(names: &str) -> Option<Self> {
        names.split(',').try_fold(Self::empty(), |all, name| {
            Some(all.union(match name {
                "read" => Self::READ,
                "write" => Self::WRITE,
                "admin" => Self::ADMIN,
                "all" => Self::all(),
                _ => return None,
            }))
        })
    }
}
