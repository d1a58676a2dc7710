//! What a command of the store means for the node.

/// How the node treats a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The node answers it: it speaks of the client's own connection.
    Local,
    /// It changes nothing.
    Read,
    /// It changes keys that it names.
    Write,
    /// It runs a program, which changes the keys that it names; any key, if it names none.
    Script,
    /// It may change any key.
    Scope,
    /// It concerns no key's value.
    Other,
    /// It changes keys, and may wait for them: over a connection of its own, until its reply.
    Blocks,
    /// As `Blocks` if one of its options is `BLOCK`, else as `Write`.
    MayBlock,
    /// It waits until what was written before is safe elsewhere: over a connection of its own.
    Waits,
    /// `WATCH`: from it on, until the transaction is over, the client has a connection of its own.
    Watch,
    /// `UNWATCH`.
    Unwatch,
    /// `MULTI`.
    Multi,
    /// `EXEC`.
    Exec,
    /// `DISCARD`.
    Discard,
    /// It begins or ends subscriptions.
    Subscribes,
    /// It makes its connection one that is told of everything, to its end.
    Monitors,
    /// It is nothing for clients of a node; the error says why.
    Refused(&'static str),
}

/// What a command changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// The keys that stand at these places among its words.
    Keys(Vec<usize>),
    /// Any key, perhaps.
    Everything,
}
