//! Reading and writing what Redis spells as text: numbers, patterns.

pub(crate) mod glob;
pub(crate) mod long_double;
pub(crate) mod number;
