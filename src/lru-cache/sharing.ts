// Caches that workers share: who asks for one, and where it comes from. Their class stands on the
// native module, which a program that shares nothing never loads.
import { createRequire } from 'node:module'
import { OptionCombinationError } from '../base/errors.ts'
import type { LRUCache, SharedOptions } from './interface.ts'

type Some = NonNullable<unknown>

/** Makes a shared cache. */
export type OpenShared = <K extends Some, V extends Some, FC>(
  options: SharedOptions<K, V, FC>,
) => LRUCache<K, V, FC>

/** Marks shared caches, whichever copy of this package made them. */
export const SHARED: unique symbol = Symbol.for('breakwater.lru-cache.shared') as never

/** Where who makes shared caches is found, whichever copy of this package was imported. */
const OPENER = Symbol.for('breakwater.lru-cache.open')

const realm = globalThis as { [OPENER]?: OpenShared }

/** Says how shared caches are made: `breakwater/lru-cache/shared` does when it is imported. */
export function offer(open: OpenShared): void {
  realm[OPENER] = open
}

/** A shared cache. */
export const openShared: OpenShared = options => {
  const open = realm[OPENER] ?? load(options.shared)
  return open(options)
}

/** Whether a value is a shared cache. */
export function isShared(value: unknown): boolean {
  return typeof value === 'object' && value !== null && SHARED in value
}

/** The CommonJS file, since only such can be loaded at once. */
function load(name: string): OpenShared {
  let require: NodeJS.Require
  try {
    require = createRequire(import.meta.url)
    require.resolve('#shared')
  } catch {
    const hint = "import 'breakwater/lru-cache/shared' in the bundle as well"
    throw new OptionCombinationError('shared', name, 'a bundle that lacks its class', hint)
  }
  return require('#shared').openShared
}

/** Whether options are those of a shared cache. `direct`: they are not a subclass's. */
export function shareable<K, V, FC>(
  options: object,
  direct: boolean,
): options is SharedOptions<K, V, FC> {
  const { shared, codec, maxBytes, near } = (options ?? {}) as Partial<SharedOptions<K, V, FC>>
  for (const [option, value] of Object.entries({ codec, maxBytes, near })) {
    if (value === undefined || shared !== undefined) continue
    throw new OptionCombinationError(option, value, 'a cache of one worker', 'give shared as well')
  }
  if (shared !== undefined && !direct) {
    throw new OptionCombinationError('shared', shared, 'a subclass', 'wrap the cache instead')
  }
  return shared !== undefined
}
