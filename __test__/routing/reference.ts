// XXH64 once more, by the letter of its specification and with numbers of 64 bits.

const MASK = 2n ** 64n - 1n
const PRIMES = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const
const [P1, P2, P3, P4, P5] = PRIMES

const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK
const round = (lane: bigint, word: bigint) => (rotate((lane + word * P2) & MASK, 31n) * P1) & MASK

/** The hash of a text's UTF-8 bytes, with seed 0. */
export function xxh64(text: string): bigint {
  const bytes = Buffer.from(text)
  let at = 0
  let hash: bigint = P5
  if (bytes.length >= 32) {
    let lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK]
    for (; at + 32 <= bytes.length; at += 32) {
      const from = at
      lanes = lanes.map((lane, i) => round(lane, bytes.readBigUInt64LE(from + 8 * i)))
    }
    const turns = [1n, 7n, 12n, 18n]
    hash = lanes.reduce((sum, lane, i) => sum + rotate(lane, turns[i] as bigint), 0n) & MASK
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK
  }
  hash = (hash + BigInt(bytes.length)) & MASK
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & MASK
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK
    at += 4
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes[at] as number) * P5) & MASK), 11n) * P1) & MASK
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK
  return hash ^ (hash >> 32n)
}

/** The node of a key, by looking at all points. */
export function placed(nodes: ReadonlyMap<string, number>, key: string): string {
  const points = [...nodes].flatMap(([name, count]) =>
    Array.from({ length: count }, (_, i) => ({ name, at: xxh64(`${name}_${i}`) })),
  )
  points.sort((a, b) => (a.at < b.at ? -1 : 1))
  const hash = xxh64(key)
  return (points.find(({ at }) => at >= hash) ?? points[0])?.name as string
}
