//! Why a command is refused.

use std::borrow::Cow;

/// Why a command was refused, as the client reads it.
pub(crate) struct Failure(pub(crate) Cow<'static, [u8]>);

impl Failure {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

/// A command has no part of this name.
pub(crate) fn unknown_part(command: &str, name: &[u8]) -> Failure {
    let name = &name[..name.len().min(128)];
    let own = command.to_uppercase();
    Failure::new(
        [b"ERR unknown subcommand '", name, b"'. Try ", own.as_bytes(), b" HELP."].concat(),
    )
}

/// A command of this name has too few or too many words.
pub(crate) fn wrong_arity(name: &str) -> Failure {
    Failure::new(format!("ERR wrong number of arguments for '{name}' command"))
}
