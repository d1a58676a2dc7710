// How values are stored: what `set` does when there is more to it than a key and a value.
import type { Core } from './core.ts'
import type { SetOptions, Status } from './interface.ts'
import type { RunningFetch } from './running-fetch.ts'
import { isPositive, refuseSize, sizeOf } from './sizes.ts'
import type { Size } from './types.ts'

type Some = NonNullable<unknown>

/** Stores a value; `undefined` deletes. `fetch`: the one that the value comes from. */
export function store<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  value: V | undefined,
  options: SetOptions<K, V, FC>,
  fetch?: RunningFetch<V>,
): void {
  const { cache } = core
  const { status, noDisposeOnSet = cache.noDisposeOnSet } = options
  if (value === undefined) {
    if (status) status.set = 'deleted'
    core.delete(key, 'delete')
    return
  }
  if (status) status.value = value
  const { sizeCalculation = cache.sizeCalculation } = options
  let size = 0
  if (core.sizes === undefined) refuseSize(options.size, sizeCalculation)
  else size = sizeOf(key, value, options.size, sizeCalculation)
  if (!fits(core, key, size, status)) return
  core.counts.sets++
  let slot = find(core, key)
  const added = slot === 0
  if (added) {
    slot = core.insert(key, value)
    core.weigh(slot, size, status)
    if (status) status.set = 'add'
    core.hooks.came(value, key, 'add')
  } else {
    core.use(slot)
    change(core, slot, key, value, size, { noDisposeOnSet, status, fetch })
  }
  age(core, slot, options, added)
  if (!noDisposeOnSet) core.hooks.settle()
}

/** Puts a first fetch where its value will be. */
export function reserve<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  options: SetOptions<K, V, FC>,
): number {
  const { cache } = core
  const { noDisposeOnSet = cache.noDisposeOnSet } = options
  const { sizeCalculation = cache.sizeCalculation } = options
  let size = 0
  if (core.sizes === undefined) {
    refuseSize(options.size, sizeCalculation)
  } else {
    size = isPositive(options.size) ? options.size : cache.backgroundFetchSize
  }
  if (!fits(core, key, size, undefined)) return 0
  let slot = find(core, key)
  const added = slot === 0
  if (added) {
    slot = core.insert(key, undefined)
  } else {
    // The fetch method itself has stored something.
    core.use(slot)
    leave(core, slot, key, undefined, noDisposeOnSet, undefined)
    core.sizes?.remove(slot)
    core.values[slot] = undefined
  }
  core.weigh(slot, size, undefined)
  age(core, slot, options, added)
  if (!noDisposeOnSet) core.hooks.settle()
  return slot
}

/** Whether an entry is not too large to be stored. If it is, the key's old one leaves. */
function fits<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  size: Size,
  status: Status<K, V, FC> | undefined,
): boolean {
  const { maxEntrySize } = core.cache
  const tooLarge = (maxEntrySize && size > maxEntrySize) || (core.maxSize && size > core.maxSize)
  if (!tooLarge) return true
  core.counts.rejected++
  core.delete(key, 'set')
  if (status) {
    status.set = 'miss'
    status.maxEntrySizeExceeded = true
  }
  return false
}

/** The slot of a key, or 0, and then there is room for it. */
function find<K extends Some, V extends Some, FC>(core: Core<K, V, FC>, key: K): number {
  for (;;) {
    const slot = core.keys.find(key)
    if (slot !== 0 || !core.full) return slot
    core.makeRoom()
    // Those who were told of it may have stored the key, or looked for another.
    if (core.plain) return slot
  }
}

interface Change<K, V, FC> {
  noDisposeOnSet: boolean
  status: Status<K, V, FC> | undefined
  fetch: RunningFetch<V> | undefined
}

/** A value takes the place of another. */
function change<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  slot: number,
  key: K,
  value: V,
  size: Size,
  { noDisposeOnSet, status, fetch }: Change<K, V, FC>,
): void {
  const old = core.values[slot]
  if (old === value && !core.fetching(slot)) {
    if (status) status.set = 'update'
    core.hooks.came(value, key, 'update')
    return
  }
  leave(core, slot, key, value, noDisposeOnSet, fetch)
  core.fetches?.forget(slot)
  core.sizes?.remove(slot)
  core.weigh(slot, size, status)
  core.values[slot] = value
  const reason = old === undefined ? 'add' : old === value ? 'update' : 'replace'
  if (status) {
    status.set = reason
    if (old !== undefined) status.oldValue = old
  }
  core.hooks.came(value, key, reason)
}

/** Tells of a value, or of a fetch, whose place another takes. */
function leave<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  slot: number,
  key: K,
  value: V | undefined,
  noDisposeOnSet: boolean,
  fetch: RunningFetch<V> | undefined,
): void {
  if (noDisposeOnSet) return
  const old = core.values[slot]
  const replaced = core.fetches?.of(slot)
  if (replaced !== fetch) replaced?.abort('replaced')
  if (old !== undefined && old !== value && core.hooks.leaving) core.hooks.leaves(old, key, 'set')
}

/** An entry's life begins. */
function age<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  slot: number,
  options: SetOptions<K, V, FC>,
  added: boolean,
): void {
  const { cache } = core
  const { ttl = cache.ttl, noUpdateTTL = cache.noUpdateTTL, status } = options
  if (core.ages === undefined && ttl === 0) return
  const ages = core.aging()
  if (added || !noUpdateTTL) ages.begin(slot, core.draw(ttl, options.jitter), options.start)
  if (status) ages.report(slot, status)
}
