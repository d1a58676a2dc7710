// Cockatiel, loaded when it is needed first: most caches have neither a breaker nor retries, and it
// takes a quarter as long to load as all else.
import { createRequire } from 'node:module'

type Cockatiel = typeof import('cockatiel')

let loaded: Cockatiel | undefined

/** The library. */
export function cockatiel(): Cockatiel {
  loaded ??= createRequire(import.meta.url)('cockatiel') as Cockatiel
  return loaded
}
