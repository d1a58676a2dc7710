/** Keys, values and requests, the same in every run and for every side. */

/** A generator of 32-bit numbers (mulberry32), the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let n = Math.imul(state ^ (state >>> 15), state | 1)
    n ^= n + Math.imul(n ^ (n >>> 7), n | 61)
    return (n ^ (n >>> 14)) >>> 0
  }
}

/** `count` ids out of 0..`keys`, id r drawn in proportion to 1 / (r + 1)^0.99, as YCSB has it. */
export function zipf(keys: number, count: number, seed = 1): Uint32Array {
  const sums = new Float64Array(keys)
  let sum = 0
  for (let rank = 0; rank < keys; rank++) {
    sum += (rank + 1) ** -0.99
    sums[rank] = sum
  }
  const next = random(seed)
  return Uint32Array.from({ length: count }, () => {
    const point = (next() / 2 ** 32) * sum
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sums[middle] as number) < point) low = middle + 1
      else high = middle
    }
    return low
  })
}

/** The numbers 0..`keys` in an order that has nothing to do with how often they are asked for. */
export function shuffled(keys: number, seed = 2): Uint32Array {
  const ids = Uint32Array.from({ length: keys }, (_, id) => id)
  const next = random(seed)
  for (let at = keys - 1; at > 0; at--) {
    const other = next() % (at + 1)
    const id = ids[at] as number
    ids[at] = ids[other] as number
    ids[other] = id
  }
  return ids
}

/** The key of an id. Called in a loop it makes a new string each time: a fresh key. */
export const key = (id: number) => `user:${id}`

/** A flat one-byte string: V8 puts off the copying of a concatenated one until somebody reads it. */
const flat = (text: string) => Buffer.from(text, 'latin1').toString('latin1')

/** A string of `length` characters for an id. */
export const text = (id: number, length = 64) => flat(`${id}:`.padEnd(length, 'abcdefghijklmnop'))

/** An object that is about 100 bytes as JSON. */
export const user = (id: number) => ({
  id,
  name: flat(`user number ${id}`),
  mail: flat(`user${id}@example.com`),
  roles: ['reader', 'author'],
  active: true,
})
/** What `user` returns. */
export type User = ReturnType<typeof user>

/** An object that is about 200 bytes as JSON. */
export const profile = (id: number) => ({
  ...user(id),
  since: 1_700_000_000_000 + id,
  address: { street: flat(`Harbour Street ${id}`), city: 'Bremerhaven', country: 'DE' },
})

/** `1000` as `1k`. */
export const short = (n: number) =>
  n >= 1e6 ? `${n / 1e6}M` : n >= 1000 ? `${n / 1000}k` : String(n)
