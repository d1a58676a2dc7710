// Random programs: the settings of a cache, and what is done with it.
import { flagsAt } from './flags.ts'
import { keys, values } from './pools.ts'

/** Numbers from 0 up to, not including, 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What options are given. Functions stand as `true`: the machine has its own. */
export type Settings = Record<string, unknown>

/** One call. Keys and values are places in the pools. */
export interface Step {
  readonly do: string
  readonly key?: number
  readonly value?: number
  readonly with?: Settings
  readonly n?: number
  readonly which?: string
  /** Whether the options are given as they are. */
  readonly raw?: boolean
}

/** What to do with which cache. */
export interface Program {
  readonly settings: Settings
  readonly steps: readonly Step[]
}

/** Each with the values that it may have. */
export const choices: Record<string, readonly (number | boolean)[]> = {
  max: [1, 2, 3, 5, 8],
  maxSize: [6, 12, 30],
  maxEntrySize: [4, 6],
  sizeCalculation: [true],
  ttl: [5, 20],
  ttlResolution: [1, 3],
  ttlAutopurge: [true],
  updateAgeOnGet: [true],
  updateAgeOnHas: [true],
  noUpdateTTL: [true],
  allowStale: [true],
  noDeleteOnStaleGet: [true],
  dispose: [true],
  disposeAfter: [true],
  onInsert: [true],
  noDisposeOnSet: [true],
  memoMethod: [true],
  fetchMethod: [true],
  noDeleteOnFetchRejection: [true],
  allowStaleOnFetchRejection: [true],
  allowStaleOnFetchAbort: [true],
  ignoreFetchAbort: [true],
  backgroundFetchSize: [2, 4],
}

/** What may be given to each call. */
const perCall: Record<string, Record<string, readonly (number | boolean)[]>> = {
  set: {
    ttl: [0, 3, 10, 50],
    size: [1, 2, 5, 9, 0, -1, 1.5],
    start: [-30, -4, 4, 0],
    sizeCalculation: [true],
    noDisposeOnSet: [true, false],
    noUpdateTTL: [true, false],
    status: [true],
  },
  get: {
    allowStale: [true, false],
    updateAgeOnGet: [true, false],
    noDeleteOnStaleGet: [true, false],
    status: [true],
  },
  has: { updateAgeOnHas: [true, false], status: [true] },
  peek: { allowStale: [true, false], status: [true] },
  memo: {
    allowStale: [true, false],
    noDeleteOnStaleGet: [true],
    ttl: [0, 10],
    forceRefresh: [true, false],
    context: [7],
    status: [true],
  },
  find: { allowStale: [true, false], updateAgeOnGet: [true] },
  fetch: {
    allowStale: [true, false],
    updateAgeOnGet: [true, false],
    noDeleteOnStaleGet: [true, false],
    ttl: [0, 10],
    size: [1, 3, 9],
    noDisposeOnSet: [true],
    noUpdateTTL: [true],
    noDeleteOnFetchRejection: [true, false],
    allowStaleOnFetchRejection: [true, false],
    allowStaleOnFetchAbort: [true, false],
    ignoreFetchAbort: [true, false],
    forceRefresh: [true],
    context: [7],
    signal: [true],
    status: [true],
  },
}

/** What nobody means, and strangers give. */
const odd: readonly unknown[] = [
  ...[0, -0, -1, 0.5, 1e21, 2 ** 31, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY],
  ...['', '5', null, undefined, true, false],
]

/** What a field of a cache may be set to: lru-cache adds up what it is given, text as text. */
const oddFields: Record<string, readonly unknown[]> = {
  ttl: odd,
  ttlResolution: [0, -1, 0.5, Number.NaN, null, undefined, '', false],
  // What is no bound lets lru-cache store more than `maxSize`.
  maxEntrySize: [0.5, 3],
  ...flagsAt(odd),
}

/** Those that are given to a call as well as they are: anything else is no function and no signal. */
const oddCalls: Record<string, readonly unknown[]> = {
  sizeCalculation: [null, undefined, '', 0, 'text', {}],
  signal: [null, undefined, '', 0, 'text', {}, true],
  status: [null, undefined, '', 0, 'text', true],
}

/** Fields that may be changed while the cache is used. */
const fields: Record<string, readonly (number | boolean)[]> = {
  ttl: [0, 5, 20],
  allowStale: [true, false],
  updateAgeOnGet: [true, false],
  updateAgeOnHas: [true, false],
  noDeleteOnStaleGet: [true, false],
  noDisposeOnSet: [true, false],
  noUpdateTTL: [true, false],
}

/** How often each thing is done, in proportion. */
const common: Record<string, number> = {
  set: 30,
  get: 20,
  peek: 4,
  has: 6,
  delete: 5,
  pop: 2,
  clear: 0.4,
  remaining: 2,
  info: 2,
  memo: 3,
  find: 1,
  iterate: 3,
  forEach: 2,
  deleteWhile: 1,
  dump: 1,
  load: 0.4,
  reload: 0.5,
  purgeStale: 1,
  advance: 8,
  change: 1.5,
}

const flying: Record<string, number> = {
  ...common,
  // lru-cache gives no falsy value that is being fetched anew.
  pop: 0,
  fetch: 25,
  forceFetch: 3,
  resolve: 18,
  reject: 5,
  abort: 4,
}

const walks = ['keys', 'rkeys', 'values', 'rvalues', 'entries', 'rentries', 'iterator']

/** Whether lru-cache can bear an option at any value. */
function isOddFor(option: string, settings: Settings): boolean {
  // With both, it stores a late value or not by which of its places is free.
  if (option === (settings.ignoreFetchAbort ? 'allowStaleOnFetchAbort' : 'ignoreFetchAbort')) {
    return false
  }
  // Its timers add 1 to a ttl, text included, and count from the call, not from the start.
  return !settings.ttlAutopurge || !['ttl', 'start', 'ttlResolution'].includes(option)
}

/** Writes programs with the numbers of one seed. */
export class Writer {
  readonly #random: () => number
  readonly #isOdd: boolean

  /** @param isOdd - whether options are given what nobody means, too. */
  constructor(seed: number, isOdd = false) {
    this.#random = seeded(seed)
    this.#isOdd = isOdd
  }

  /** A program of `length` steps. `fixed` settings are given in any case. */
  program(length: number, flights: boolean, fixed: readonly string[] = []): Program {
    const settings = this.#settings(flights, fixed)
    // Few keys meet often.
    const some = this.#several(keys.length, 2 + this.#below(9))
    const steps = Array.from({ length }, () =>
      this.#step(flights ? flying : common, settings, some),
    )
    return { settings, steps }
  }

  #settings(flights: boolean, fixed: readonly string[]): Settings {
    const settings: Settings = { ttlResolution: 0 }
    const share = this.#random() * 0.5
    for (const [name, allowed] of Object.entries(choices)) {
      const likely = name === 'max' ? 0.75 : share
      if (fixed.includes(name) || this.#random() < likely) settings[name] = this.#pick(allowed)
    }
    if (flights) settings.fetchMethod = true
    const bounded = settings.max || settings.maxSize || (settings.ttl && settings.ttlAutopurge)
    if (!bounded && this.#random() < 0.98) settings.max = 3
    // lru-cache never ends when an entry may be larger than the whole cache.
    if (settings.maxSize && settings.maxEntrySize) settings.maxEntrySize = 4
    const sized = settings.maxSize || settings.maxEntrySize
    if (sized && (flights || this.#random() < 0.7)) settings.sizeCalculation = true
    if (!sized && this.#random() < 0.97) delete settings.sizeCalculation
    // With both, lru-cache stores a late value or not by which of its places is free.
    if (settings.ignoreFetchAbort) delete settings.allowStaleOnFetchAbort
    // Its timers look at the clock when they want to, not when lru-cache's do.
    if (settings.ttlAutopurge) settings.ttlResolution = 0
    return settings
  }

  #step(weights: Record<string, number>, settings: Settings, some: readonly number[]): Step {
    const name = this.#weighted(weights)
    const key = this.#pick(some)
    const value = this.#below(values.length)
    switch (name) {
      case 'advance':
        return { do: name, n: this.#random() < 0.2 ? 20 + this.#below(20) : this.#below(7) }
      case 'iterate':
        return { do: name, which: this.#pick(walks) }
      case 'forEach':
        return { do: this.#pick(['forEach', 'rforEach']) }
      case 'deleteWhile':
        return { do: name, which: this.#pick(['keys', 'rkeys']), n: this.#below(4) }
      case 'change': {
        if (this.#isOdd) return this.#oddChange(settings)
        const which = this.#pick(Object.keys(fields))
        return { do: name, which, with: { [which]: this.#pick(fields[which]!) } }
      }
      case 'resolve':
        return { do: name, n: this.#below(4), value: this.#below(values.length) }
      case 'reject':
      case 'abort':
        return { do: name, n: this.#below(4) }
      case 'clear':
      case 'pop':
      case 'dump':
      case 'purgeStale':
      case 'reload':
        return { do: name }
      default:
        return {
          ...{ do: name, key, value },
          ...(this.#isOdd ? this.#oddOptions(name, settings) : this.#options(name, settings)),
        }
    }
  }

  #oddChange(settings: Settings): Step {
    const names = Object.keys(oddFields).filter(name => isOddFor(name, settings))
    const which = this.#pick(names)
    return { do: 'change', which, with: { [which]: this.#pick(oddFields[which]!) } }
  }

  #oddOptions(name: string, settings: Settings): Partial<Step> {
    const allowed = perCall[name === 'forceFetch' ? 'fetch' : name]
    if (allowed === undefined || this.#random() < 0.2) return {}
    const given: Settings = {}
    for (const option of Object.keys(allowed)) {
      // The failure of a fetch that nobody waits for would end the process.
      const fails = settings.fetchMethod && /^size/.test(option)
      if (fails || !isOddFor(option, settings) || this.#random() < 0.6) continue
      given[option] = this.#pick(oddCalls[option] ?? odd)
    }
    return { with: given, raw: true }
  }

  #options(name: string, settings: Settings): { with?: Settings } {
    const allowed = perCall[name === 'forceFetch' ? 'fetch' : name]
    if (allowed === undefined || this.#random() < 0.4) return {}
    const given: Settings = {}
    const sized = settings.maxSize !== undefined || settings.maxEntrySize !== undefined
    for (const [option, among] of Object.entries(allowed)) {
      if (
        !sized &&
        (option === 'size' || option === 'sizeCalculation') &&
        (name !== 'set' || this.#random() < 0.95)
      )
        continue
      if (option === (settings.ignoreFetchAbort ? 'allowStaleOnFetchAbort' : 'ignoreFetchAbort')) {
        continue
      }
      // A timer of lru-cache counts from the call, not from the start.
      if (settings.ttlAutopurge && option === 'start') continue
      if (this.#random() < 0.25) given[option] = this.#pick(among)
    }
    return { with: given }
  }

  #weighted(weights: Record<string, number>): string {
    const all = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
    let left = this.#random() * all
    for (const [name, weight] of Object.entries(weights)) {
      left -= weight
      if (left < 0) return name
    }
    return 'get'
  }

  #several(among: number, count: number): number[] {
    return Array.from({ length: count }, () => this.#below(among))
  }

  #pick<T>(among: readonly T[]): T {
    return among[this.#below(among.length)]!
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n)
  }
}
