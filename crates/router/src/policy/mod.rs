//! Who may do what: users, their passwords, and the rules that their requests are held against.

mod commands;
mod grant;
mod password;
mod patterns;
mod rules;
mod users;

pub(crate) use grant::Denial;
pub use password::hash_password;
pub(crate) use users::DEFAULT;
pub use users::{User, Users};
