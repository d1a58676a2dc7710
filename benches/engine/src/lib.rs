//! What the engine's benchmarks and the trace replay share.

pub mod args;
pub mod load;
pub mod phases;
pub mod reference;
pub mod sides;
pub mod trace;
