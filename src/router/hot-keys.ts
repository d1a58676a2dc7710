// Hot keys: which are pinned, and who is told when a key turns hot or cools down.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'

/** Which keys are hot. */
export interface HotKeysOptions {
  /**
   * Keys that are hot whatever is counted: their reads are shared from the first one on, where their
   * routes do not remember them. At most 1,000.
   */
  pinned?: string[] | undefined
}

/** A hot key. */
export interface HotKeyStats {
  /** The key, as text. */
  key: string
  /** Its share of the reads that go to the store since routes do not remember them, from 0 to 1. */
  share: number
  /** How many of these reads it has a second, in all threads. */
  readsPerSecond: number
  /** Whether it is hot by {@link HotKeysOptions.pinned}. */
  pinned: boolean
  /** Its route: see {@link RouterRoute.match}. */
  route: string
  /** The store that takes its writes; `undefined` while none is known. */
  store: string | undefined
  /** How many other stores have copies of what was read of it: see {@link RouterRoute.copies}. */
  copies: number
}

/** A key has turned hot, or has cooled down. */
export interface HotKeyEvent extends HotKeyStats {
  /** `'cool'` has the figures that the key had last. */
  kind: 'hot' | 'cool'
}

const KNOWN: readonly string[] = ['pinned'] satisfies (keyof HotKeysOptions)[]
/** The most keys that are pinned, and how long each may be, in bytes. */
const MOST = 1000
const LONGEST = 4096

/** The pinned keys. Throws {@link InvalidOptionError}. */
export function checkHotKeys(given: HotKeysOptions = {}): string[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError('hotKeys', given, "an object, as { pinned: ['front-page'] }")
  }
  checkKnown('hotKeys.', given, KNOWN)
  const { pinned = [] } = given
  if (!Array.isArray(pinned)) {
    throw new InvalidOptionError('hotKeys.pinned', pinned, "a list of keys, as ['front-page']")
  }
  if (pinned.length > MOST) {
    throw new InvalidOptionError('hotKeys.pinned', `${pinned.length} keys`, `at most ${MOST} keys`)
  }
  for (const [at, key] of pinned.entries()) {
    const fits = typeof key === 'string' && key !== '' && Buffer.byteLength(key) <= LONGEST
    if (!fits) {
      const shown = typeof key === 'string' ? `${key.slice(0, 32)}` : key
      const allowed = `a key: a text of 1 to ${LONGEST} bytes`
      throw new InvalidOptionError(`hotKeys.pinned[${at}]`, shown, allowed)
    }
  }
  return [...new Set(pinned)]
}

/** Which keys have turned hot or cooled down since it was called last. */
export function hotKeyChanges(read: () => HotKeyStats[]): () => HotKeyEvent[] {
  let hot = new Map<string, HotKeyStats>()
  return () => {
    const [before, now] = [hot, new Map(read().map(hot => [hot.key, hot]))]
    hot = now
    const came = [...now.values()].filter(({ key }) => !before.has(key))
    const left = [...before.values()].filter(({ key }) => !now.has(key))
    return [
      ...came.map(hot => ({ kind: 'hot' as const, ...hot })),
      ...left.map(hot => ({ kind: 'cool' as const, ...hot })),
    ]
  }
}
