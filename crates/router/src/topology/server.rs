//! How the servers behind the node are numbered, and which of them a read may go to.

/// The number of a server. An address that has one keeps it for as long as the process lives.
pub type ServerId = u16;

/// The server that takes writes, where there is only one that does; the first that was named.
pub(crate) const PRIMARY: ServerId = 0;

/// The most replicas of a store that is named with them: cursors of scans have room for so many.
pub const MOST_REPLICAS: usize = 31;

/// The most addresses that a cluster may have had while the process lives.
pub(super) const MOST_SERVERS: usize = 4096;

/// Which server a read goes to that the node does not answer by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// The primary.
    #[default]
    Primary,
    /// A replica; the read fails while none is in service.
    Replica,
    /// A replica; the primary while none is in service.
    PreferReplica,
}

impl ReadFrom {
    /// The one of a name: `primary`, `replica` or `preferReplica`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "primary" => Some(Self::Primary),
            "replica" => Some(Self::Replica),
            "preferReplica" => Some(Self::PreferReplica),
            _ => None,
        }
    }
}
