//! Who may do what: users, their passwords and tokens, and the rules that their requests are held against.

mod certificates;
mod commands;
mod grant;
mod pass;
mod password;
mod patterns;
mod rules;
mod tokens;
mod user;
mod users;

pub use certificates::{CertificateName, CertificateRules};
pub(crate) use grant::Denial;
pub use pass::ShownCertificate;
pub use password::hash_password;
pub use tokens::{Template, TokenKey, TokenRules};
pub use user::User;
pub(crate) use users::DEFAULT;
pub use users::Users;
