//! Who may do what.

mod users;

pub(crate) use users::DEFAULT;
pub use users::{Permissions, User, Users};
