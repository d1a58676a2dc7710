// Which part of a cluster has a key. Servers have ranges of its slots, so keys of one part are most
// likely in one server, and what befalls that befalls them together.

/** How many parts are told apart. */
const PARTS = 16
/** Slots of a cluster. */
const SLOTS = 16_384

/** The part of a key, from 0 on. */
export function partOf(key: Uint8Array): number {
  return Math.floor((slotOf(key) * PARTS) / SLOTS)
}

/** The slot of a key: that of what is between its first braces, if anything is. */
export function slotOf(key: Uint8Array): number {
  const open = key.indexOf(0x7b)
  const close = open < 0 ? -1 : key.indexOf(0x7d, open + 1)
  return crc16(close > open + 1 ? key.subarray(open + 1, close) : key) % SLOTS
}

/** The polynomial x^16 + x^12 + x^5 + 1, a byte at a time. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 8
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1
  return sum
})

function crc16(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) {
    sum = ((sum << 8) & 0xffff) ^ (TABLE[(sum >> 8) ^ byte] as number)
  }
  return sum
}
