// Chance that can be repeated: the same seed, the same draws.

/** Draws from 0 up to, not including, 1. */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** Draws one of a list. */
export type Draw = <T>(list: readonly T[]) => T

/** Draws from lists: the same seed, the same draws. */
export function chance(seed: number): Draw {
  const next = random(seed)
  return list => list[Math.floor(next() * list.length)] as never
}
