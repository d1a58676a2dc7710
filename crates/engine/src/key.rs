//! Keys: bytes and the kind of thing that they spell.

/// The longest key that the engine takes, in bytes.
pub const MAX_KEY_LEN: usize = 65_535;

/// What a key's bytes spell. Two keys of different kinds are never equal, whatever their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// A string all of whose UTF-16 units are below 0x100, one byte a unit.
    OneByte = 0,
    /// Any other string, two bytes (native order) a UTF-16 unit.
    TwoByte = 1,
    /// The eight bytes (native order) of an IEEE 754 double. The caller settles -0 and NaN.
    Number = 2,
    /// Bytes as they are.
    Bytes = 3,
}

/// How many kinds there are.
pub(crate) const KINDS: usize = 4;

impl KeyKind {
    /// The kind whose discriminant is the low two bits of `bits`.
    #[inline]
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::OneByte,
            1 => Self::TwoByte,
            2 => Self::Number,
            _ => Self::Bytes,
        }
    }
}

/// A borrowed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// What the bytes spell.
    pub kind: KeyKind,
    /// At most [`MAX_KEY_LEN`] bytes.
    pub bytes: &'a [u8],
}

impl<'a> Key<'a> {
    /// A key of kind [`KeyKind::Bytes`].
    #[inline]
    pub const fn bytes(bytes: &'a [u8]) -> Self {
        Self { kind: KeyKind::Bytes, bytes }
    }

    /// A key of kind [`KeyKind::OneByte`]; the caller holds Latin-1 text, as ASCII is.
    #[inline]
    pub const fn text(bytes: &'a [u8]) -> Self {
        Self { kind: KeyKind::OneByte, bytes }
    }
}
