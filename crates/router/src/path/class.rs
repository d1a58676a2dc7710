//! What a command of the store means for the node.

/// How the node treats a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The node answers it: it speaks of the client's own connection.
    Local,
    /// It changes nothing.
    Read,
    /// It changes its keys.
    Write,
    /// It changes the keys that it declares: how many is said by the word at this place, and they
    /// follow it.
    Script(usize),
    /// It may change any key.
    Scope,
    /// It concerns no key's value.
    Other,
    /// It changes what its connection is, or waits: from it on the client has one of its own.
    Pinned,
    /// As `Pinned` if one of its words is `BLOCK`, else as `Write`.
    MayBlock,
    /// It is for servers, not for clients.
    Refused,
}
