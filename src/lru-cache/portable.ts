// Entries with all that is known of them: what `info` tells, `dump` writes and `load` reads.
import type { Core } from './core.ts'
import { Cursor } from './cursor.ts'
import { store } from './storing.ts'
import type { Entry } from './types.ts'

type Some = NonNullable<unknown>

/** What `info` does. */
export function info<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
): Entry<V> | undefined {
  const { ages, sizes } = core
  const slot = core.keys.find(key)
  const value = core.values[slot]
  if (value === undefined) return undefined
  const entry: Entry<V> = { value }
  if (ages?.mortal(slot)) {
    entry.ttl = ages.ttl(slot) - (core.cache.perf.now() - ages.start(slot))
    entry.start = Date.now()
  }
  if (sizes !== undefined) entry.size = sizes.of(slot)
  return entry
}

/** What `dump` does. */
export function dump<K extends Some, V extends Some, FC>(core: Core<K, V, FC>): [K, Entry<V>][] {
  const { ages, sizes } = core
  const entries: [K, Entry<V>][] = []
  const cursor = new Cursor(core, true, true)
  for (let slot = cursor.next(); slot !== 0; slot = cursor.next()) {
    const value = core.values[slot]
    const key = core.keys.keyOf(slot)
    // As all that iterates, it passes over the key `undefined`, which callers without types may use.
    if (value === undefined || key === undefined) continue
    const entry: Entry<V> = { value }
    if (ages !== undefined) {
      entry.ttl = ages.ttl(slot)
      entry.start = Math.floor(Date.now() - (core.cache.perf.now() - ages.start(slot)))
    }
    if (sizes !== undefined) entry.size = sizes.of(slot)
    entries.push([key, entry])
  }
  return entries
}

/** What `load` does. */
export function load<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  entries: Iterable<[K, Entry<V>]>,
): void {
  core.clear()
  for (const [key, entry] of entries) {
    const { value, ...options } = entry
    const { start } = options
    if (start) options.start = core.cache.perf.now() - (Date.now() - start)
    store(core, key, value, options)
  }
}
