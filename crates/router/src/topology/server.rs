//! How the servers behind the node are numbered, and which of them a read may go to.

/// The number of a server: 0 is the primary, the others its replicas.
pub type ServerId = u8;

/// The server that takes writes.
pub(crate) const PRIMARY: ServerId = 0;

/// The most replicas: cursors of scans have room for so many.
pub const MOST_REPLICAS: usize = 31;

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
