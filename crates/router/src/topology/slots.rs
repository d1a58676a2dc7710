//! The slot of a key in a Redis Cluster: CRC16 (XMODEM) of what stands in its first braces, or of
//! all of it, modulo 16,384.

use super::tag::tag_of;

/// How many slots a cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// What a byte comes to that stands in front of so many others, from 0 to 7: words of 8 bytes are done
/// at once.
static TABLES: [[u16; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[behind - 1][byte];
            tables[behind][byte] = crc << 8 ^ tables[0][(crc >> 8) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
};

/// The slot of a key.
pub(crate) fn slot(key: &[u8]) -> u16 {
    let (words, rest) = tag_of(key).as_chunks::<8>();
    let crc = words.iter().fold(0, |crc: u16, word| {
        let [a, b] = crc.to_be_bytes();
        let word = [word[0] ^ a, word[1] ^ b, word[2], word[3], word[4], word[5], word[6], word[7]];
        let each = word.into_iter().zip(TABLES.iter().rev());
        each.fold(0, |crc, (byte, table)| crc ^ table[usize::from(byte)])
    });
    let step = |crc: u16, byte: &u8| crc << 8 ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    rest.iter().fold(crc, step) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, slot};
    use proptest::prelude::*;

    /// The values that a server's `CLUSTER KEYSLOT` gives.
    #[test]
    fn keys_have_the_slots_that_a_server_gives_them() {
        for (key, expected) in [
            ("", 0),
            ("123456789", 12739),
            ("foo", 12182),
            ("bar", 5061),
            ("hello", 866),
            ("{user1000}.following", 3443),
            ("{user1000}.followers", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
            ("{", 4092),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    proptest! {
        /// Bit by bit, as the polynomial is defined.
        #[test]
        fn words_of_eight_bytes_come_to_the_same_as_their_bits(key in "[^{]{0,70}") {
            let crc = key.bytes().fold(0u16, |crc, byte| {
                (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                    crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
                })
            });
            prop_assert_eq!(slot(key.as_bytes()), crc % SLOTS);
        }
    }
}
