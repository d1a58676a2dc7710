//! Why a command is refused.

use std::borrow::Cow;

/// Why a command was refused, as the client reads it.
pub(crate) struct Failure(pub(crate) Cow<'static, [u8]>);

impl Failure {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// For this reason: in the node's words, or in those of the store.
    pub(crate) fn because(why: &str) -> Self {
        Self::new(if has_code(why) { why.to_owned() } else { format!("ERR {why}") })
    }
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

/// The reply that gives a reason, as [`Failure::because`].
pub(crate) fn error_line(why: &str) -> Vec<u8> {
    [b"-", &*Failure::because(why).0, b"\r\n"].concat()
}

/// Whether a reason begins with a code, as errors of the store do.
pub(crate) fn has_code(why: &str) -> bool {
    let code = why.split(' ').next().unwrap_or_default();
    code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase())
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
