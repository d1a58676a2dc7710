//! Caches as the instances of an environment use them: what the process shares, what an instance has
//! beside it, and how their values come and go.

pub mod beat;
pub mod flights;
mod handle;
mod instances;
mod letters;
pub mod maintenance;
mod method;
pub mod note;
mod port;
pub mod process;
pub mod registry;
mod shared;
mod values;

pub use handle::Handle;
pub use instances::Instances;
pub use method::enter_cache;
pub(crate) use method::method;
pub use port::Port;
pub use shared::{Description, Shared};
pub use values::{Copied, ValueBuf, raw_bytes};
