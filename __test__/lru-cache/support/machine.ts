// Runs the steps of a program on a cache and tells all that can be seen of it.
import type { LRUCache as Cache } from 'lru-cache'
import type { Any, LRUCacheClass } from './implementations.ts'
import { keys, sizeOf, values } from './pools.ts'
import type { Settings, Step } from './programs.ts'
import { deferred } from './time.ts'

/** The clock of all machines: it moves with the timers of the test. */
export const perf = { now: () => Date.now() - EPOCH }
export const EPOCH = 1_700_000_000_000

interface Call extends ReturnType<typeof deferred<unknown>> {
  signal: AbortSignal
  done: boolean
}

export class Machine {
  readonly cache: Cache<Any, Any>
  #told: unknown[] = []
  #settled: [number, unknown][] = []
  #fetches = 0
  #memos = 0
  readonly #calls: Call[] = []
  readonly #controllers: AbortController[] = []
  readonly #statuses: object[] = []

  constructor(LRUCache: LRUCacheClass, settings: Settings) {
    const options: Record<string, unknown> = { ...settings, perf }
    for (const hook of ['dispose', 'disposeAfter', 'onInsert']) {
      if (settings[hook]) options[hook] = (...args: unknown[]) => this.#told.push([hook, ...args])
    }
    if (settings.sizeCalculation) options.sizeCalculation = this.#size
    if (settings.memoMethod) options.memoMethod = this.#memo
    if (settings.fetchMethod) options.fetchMethod = this.#fetch
    this.cache = new LRUCache(options as never)
  }

  readonly #size = (value: unknown, key: unknown): number => {
    this.#told.push(['size', value, key])
    // The failure of a fetch that nobody waits for would end the process.
    return this.cache?.fetchMethod === undefined ? sizeOf(value) : sizeOf(value) || 1
  }

  readonly #memo = (key: unknown, stale: unknown, given: { context: unknown }): unknown => {
    this.#told.push(['memo', key, stale, given.context])
    return values[this.#memos++ % values.length]
  }

  readonly #fetch = (
    key: unknown,
    stale: unknown,
    given: { signal: AbortSignal; context: unknown },
  ) => {
    this.#told.push(['fetch', key, stale, given.context])
    const call = { ...deferred<unknown>(), signal: given.signal, done: false }
    this.#calls.push(call)
    return call.promise
  }

  /** What a step gave, and whom it told what. */
  run(step: Step): unknown {
    this.#told = []
    let result: unknown
    try {
      result = this.#do(step)
    } catch (error) {
      result = ['throws', error instanceof TypeError ? 'TypeError' : error instanceof Error]
    }
    if (result === this.cache) result = 'the cache'
    return [result, this.#told, this.cache.size, this.cache.calculatedSize]
  }

  /** Whom the last step told what, in an order of its own: timers that are due together have none. */
  told(): unknown {
    const line = ([hook, ...args]: unknown[]) => `${hook} ${args.map(arg => placeOf(arg)).join()}`
    return (this.#told as unknown[][]).map(line).sort()
  }

  /** What happened since the step, when promises have settled. */
  after(inOrder: boolean): unknown {
    const settled = this.#settled.splice(0).sort(([a], [b]) => a - b)
    const signals = this.#calls.map(({ signal }) => signal.aborted && reasonOf(signal.reason))
    const statuses = this.#statuses.map(status => this.#status(status))
    const told = inOrder ? this.#told : this.told()
    return [settled, told, signals, statuses, this.cache.size, this.cache.calculatedSize]
  }

  /** All that can be read without a change. */
  state(): unknown {
    const { cache } = this
    const every = keys.map(key => [
      cache.peek(key),
      cache.peek(key, { allowStale: true }),
      cache.has(key, { updateAgeOnHas: false }),
      cache.getRemainingTTL(key),
      cache.info(key),
    ])
    return [this.#dump(), [...cache], [...cache.rkeys()], every]
  }

  /** What an entry without ttl has as start means nothing; lru-cache may give NaN. */
  #dump(): unknown {
    return this.cache
      .dump()
      .map(([key, { ttl, start, ...entry }]) => [
        key,
        entry,
        Number(ttl) ? [Number(ttl), start] : 'no ttl',
      ])
  }

  #do(step: Step): unknown {
    const { cache } = this
    const key = keys[step.key ?? 0] as Any
    const given = step.with === undefined ? undefined : this.#options(step.with, step.raw)
    switch (step.do) {
      case 'set':
        return this.#with(given, cache.set(key, values[step.value!] as Any, given))
      case 'get':
        return this.#with(given, cache.get(key, given))
      case 'peek':
        return this.#with(given, cache.peek(key, given))
      case 'has':
        return this.#with(given, cache.has(key, given))
      case 'memo':
        return this.#with(given, cache.memo(key, given))
      case 'find':
        return cache.find(value => value === values[step.value!], given)
      case 'delete':
        return cache.delete(key)
      case 'pop':
        return cache.pop()
      case 'clear':
        return cache.clear()
      case 'remaining':
        return cache.getRemainingTTL(key)
      case 'info':
        return cache.info(key)
      case 'iterate':
        return step.which === 'iterator' ? [...cache] : [...cache[step.which as 'keys']()]
      case 'forEach':
      case 'rforEach': {
        const seen: unknown[] = []
        cache[step.do]((value, key, self) => seen.push([value, key, self === cache]))
        return seen
      }
      case 'deleteWhile':
        return this.#deleteWhile(step.which as 'keys', step.n!)
      case 'dump':
        return this.#dump()
      case 'load':
        return cache.load([
          [key, { value: values[step.value!] as Any, size: 2 }],
          [
            'loaded',
            { value: 1, ttl: 10, start: Date.now() - (cache.ttlAutopurge ? 0 : 4), size: 1 },
          ],
        ])
      case 'reload':
        // Without max lru-cache may have forgotten there that an entry has no ttl.
        // A timer of lru-cache counts from the load, not from the start.
        return cache.max === 0 || cache.ttlAutopurge ? undefined : cache.load(cache.dump())
      case 'purgeStale':
        return cache.purgeStale()
      case 'change':
        return void Object.assign(cache, step.with)
      case 'fetch':
      case 'forceFetch':
        return this.#follow(cache[step.do as 'fetch'](key, given as never))
      case 'resolve':
        return this.#resolve(step.n!, values[step.value!])
      case 'reject':
        return this.#pending(step.n!)?.reject(new Error('rejected'))
      case 'abort':
        return this.#controllers.at(-1 - step.n!)?.abort(new Error('aborted'))
      default:
        throw new Error(`no such step: ${step.do}`)
    }
  }

  /** Deletes the n-th entry as it is shown, unless it is the last: lru-cache would lose its way. */
  #deleteWhile(which: 'keys' | 'rkeys', n: number): unknown[] {
    const seen: unknown[] = []
    const last = [...this.cache[which]()].length - 1
    for (const key of this.cache[which]()) {
      if (seen.length === n && n < last) this.cache.delete(key)
      seen.push(key)
      if (seen.length > last) break
    }
    return seen
  }

  /** The options of a call, whose functions, signal and status are its own. */
  #options(settings: Settings, raw = false): Record<string, never> {
    const options: Record<string, unknown> = { ...settings }
    if (raw) return options as never
    if (options.start) options.start = perf.now() + (options.start as number)
    if (options.sizeCalculation) options.sizeCalculation = this.#size
    if (options.status) options.status = {}
    if (options.signal) {
      const controller = new AbortController()
      this.#controllers.push(controller)
      options.signal = controller.signal
    }
    return options as never
  }

  #with(given: { status?: object } | undefined, result: unknown): unknown {
    if (given?.status === undefined) return result === this.cache ? 'the cache' : result
    return [result === this.cache ? 'the cache' : result, this.#status(given.status)]
  }

  #status(status: object): unknown {
    const { cache, fetchError, ...rest } = status as Record<string, unknown>
    return {
      ...rest,
      cache: cache === undefined ? undefined : cache === this.cache,
      fetchError: fetchError && reasonOf(fetchError),
    }
  }

  #follow(promise: Promise<unknown>): string {
    const id = this.#fetches++
    promise.then(
      value => this.#settled.push([id, value]),
      error => this.#settled.push([id, ['rejects', reasonOf(error)]]),
    )
    return `fetch ${id}`
  }

  #resolve(n: number, value: unknown): void {
    const call = this.#pending(n)
    // lru-cache may keep the key of an aborted fetch that gives nothing.
    call?.resolve(call.signal.aborted ? (value ?? 1) : value)
  }

  #pending(n: number): Call | undefined {
    const pending = this.#calls.filter(({ done }) => !done)
    const call = pending[n % pending.length]
    if (call !== undefined) call.done = true
    return call
  }
}

/** Where in the pools a key or value is, or itself. */
function placeOf(thing: unknown): string {
  const key = keys.indexOf(thing as Any)
  const value = values.indexOf(thing)
  return key < 0 && value < 0 ? String(thing) : `#${key}/${value}`
}

/** What an error says, where the text is part of the contract. */
function reasonOf(error: unknown): unknown {
  if (error instanceof TypeError) return 'TypeError'
  return error instanceof Error ? error.message : error
}
