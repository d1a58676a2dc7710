//! Who may do what and how much: users, their passwords and tokens, the rules that their requests are
//! held against, and what they have used.

mod attempt;
mod bucket;
mod certificates;
mod commands;
mod grant;
mod meter;
mod pass;
mod password;
mod patterns;
mod quota;
mod rules;
mod tokens;
mod user;
mod users;

pub(crate) use bucket::Bucket;
pub use certificates::{CertificateName, CertificateRules};
pub(crate) use grant::Denial;
pub(crate) use meter::{Metered, Stay};
pub use pass::ShownCertificate;
pub use password::hash_password;
pub(crate) use quota::Over;
pub use quota::Quota;
pub use tokens::{Template, TokenKey, TokenRules};
pub use user::User;
pub(crate) use users::DEFAULT;
pub use users::Users;
