// A model of what flights promise, and programs that try it: callers of several instances of one
// cache who ask, leave, lose patience and write, while their loads end, fail, hang or are killed.
// Many keys go through programs of their own at once; time and the ends of instances are common.
import { setImmediate as turn } from 'node:timers/promises'
import { Cache, type FetchOptions, type Load } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import type { Tier, TierHost, TierValue } from '../../src/tier/contract.ts'

/** How the caches of a batch are. */
export interface Setting {
  readonly instances: number
  readonly tagged: boolean
  readonly leaderError: 'share' | 'next'
  /** Whether stale values are given instead of errors. */
  readonly stale: boolean
  readonly tier: boolean
}

const LOCK = 10_000
const GRACE = 3_600_000

interface Pending {
  readonly key: string
  readonly instance: number
  /** Since when it has its turn, at the earliest. */
  readonly begun: number
  /** Writes that were told before it began. */
  readonly kills: number
  /** What it read at its origin. */
  read: number
  hangs: boolean
  isOver: boolean
  readonly signal: AbortSignal
  end(value: number): void
  fail(error: Error): void
}

interface Caller {
  readonly asked: number
  readonly told: number
  readonly kills: number
  readonly instance: number
  readonly timeout: number | undefined
  readonly softTimeout: number | undefined
  readonly controller: AbortController | undefined
  isDone: boolean
  doneAt: number
}

/** One key, and what is known of it. */
class Key {
  origin = 1
  /** What all who ask from now on see at least. */
  told = 0
  kills = 0
  failures = 0
  readonly loads: Pending[] = []
  readonly callers: Caller[] = []
  readonly steps: string[] = []
  /** Those whose tags share a place in the table of tags with its own: see docs/loading.md. */
  sharing: readonly Key[] = []
  constructor(readonly name: string) {}
}

/** A second tier that answers when the program says so, and loses what it is told to. */
class SlowTier implements Tier {
  readonly values = new Map<unknown, TierValue>()
  readonly asked: (() => void)[] = []
  loses = false

  open(_: TierHost) {
    const done = Promise.resolve()
    return {
      ready: done,
      get: (key: unknown) => {
        const answer = () => (this.loses ? undefined : this.values.get(key))
        return new Promise<TierValue | undefined>(resolve =>
          this.asked.push(() => resolve(answer())),
        )
      },
      set: async (key: unknown, value: TierValue) => {
        // As a store does with a value that was loaded before the key was removed.
        if (value.since === undefined || value.since === 0) this.values.set(key, value)
        return true
      },
      delete: async (keys: readonly unknown[]) => {
        for (const key of keys) this.values.delete(key)
      },
      invalidateTag: async () => this.values.clear(),
      clear: async () => this.values.clear(),
      lease: async () => ({ release: async () => {} }),
      written: async () => {},
      publishHot: async () => {},
      fleetHot: async () => [],
      close: async () => {},
    }
  }

  answer(): void {
    for (const give of this.asked.splice(0)) give()
  }
}

let names = 0

/** A batch of programs. Throws at what breaks a promise. */
export class Batch {
  readonly #clock = new ManualClock()
  readonly #setting: Setting
  readonly #random: () => number
  readonly #keys: Key[]
  readonly #name = `model ${process.pid} ${++names}`
  readonly #tier = new SlowTier()
  readonly #caches: Cache<string, number>[] = []
  #isStepping = false
  /** When time last began to pass. */
  #passedFrom = 0
  constructor(setting: Setting, keys: number, random: () => number) {
    this.#setting = setting
    this.#random = random
    this.#keys = Array.from({ length: keys }, (_, n) => new Key(`k${n}`))
    for (let i = 0; i < setting.instances; i++) this.#caches.push(this.#open(i))
  }

  /** Invalidating a tag may take entries of another one with it: a new cache shows which. */
  #findSharing(): void {
    const cache = new Cache({ name: this.#name, max: 100_000, codec: 'number', clock: this.#clock })
    for (const key of this.#keys) key.sharing = []
    for (const { name } of this.#keys) cache.set(name, 0, { tags: [name] })
    for (const key of this.#keys) {
      if (!cache.has(key.name)) continue
      cache.invalidateTag(key.name)
      const gone = this.#keys.filter(
        ({ name, sharing }) => sharing.length === 0 && !cache.has(name),
      )
      for (const other of gone) other.sharing = gone
    }
    for (const key of this.#keys) key.sharing = key.sharing.filter(other => other !== key)
    void cache.close()
  }

  async run(rounds: number): Promise<void> {
    try {
      await this.#go(rounds)
    } finally {
      for (const cache of this.#caches) await cache.close()
    }
  }

  async #go(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      this.#isStepping = true
      for (const key of this.#keys) this.#step(key)
      this.#isStepping = false
      if (this.#chance(0.5)) await this.#settle()
      // What has not landed yet may be overtaken.
      else this.#kept = []
      await this.#common()
      await this.#settle()
      for (const key of this.#keys) this.#check(key)
    }
    await this.#drain()
  }

  #open(instance: number): Cache<string, number> {
    const { leaderError, stale, tier } = this.#setting
    const cache = new Cache<string, number>({
      name: this.#name,
      max: 100_000,
      codec: 'number',
      clock: this.#clock,
      lockTimeout: LOCK,
      leaderError,
      ...(stale && { staleIfError: GRACE }),
      ...(tier && { tier: this.#tier }),
      loader: (key, load) => this.#load(key, load, instance),
    })
    // It is the first of its cache.
    if (this.#setting.tagged && this.#caches.length <= 1) this.#findSharing()
    return cache
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)]
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  #keyOf(name: string): Key {
    return this.#keys[Number(name.slice(1))]!
  }

  #load(name: string, load: Load<number>, instance: number): Promise<number> {
    const key = this.#keyOf(name)
    this.#mayLoad(key)
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        key: name,
        instance,
        // `lockTimeout` counts from when it is an instance's turn. It hears of that in the next turn of
        // its event loop, and here time passes within one.
        begun: this.#isStepping ? this.#clock.now : this.#passedFrom,
        kills: key.kills,
        read: key.origin,
        hangs: this.#chance(0.1),
        isOver: false,
        signal: load.signal,
        end: value => {
          pending.isOver = true
          resolve(value)
        },
        fail: error => {
          pending.isOver = true
          key.failures++
          reject(error)
        },
      }
      key.loads.push(pending)
      key.steps.push(`load ${key.loads.length - 1} begins by ${instance}, reads ${key.origin}`)
    })
  }

  /** No key is loaded twice at once, but after a write, after `lockTimeout`, and in place of the dead. */
  #mayLoad(key: Key): void {
    // With a tier a load begins before its loader is called.
    if (this.#setting.tier) return
    const now = this.#clock.now
    const pending = key.loads.filter(load => !load.isOver)
    // Who waited for such a load loads in its place.
    if (pending.some(load => now - load.begun >= LOCK || load.instance < 0)) return
    const current = pending.filter(load => this.#isCurrent(key, load))
    if (current.length === 0) return
    this.#failure ??= () => this.#broken(key, 'a second load of what is being loaded')
  }

  /**
   * Whether a slow load is certain to have its right to store: nobody but one caller of its instance
   * has waited since `lockTimeout` was over, to whom that right might have been offered.
   */
  #isItsOwn({ begun, instance }: Pending, key: Key): boolean {
    const end = begun + LOCK
    if (this.#clock.now < end) return true
    const waited = key.callers.filter(({ isDone, doneAt }) => !isDone || doneAt >= end)
    return waited.length <= 1 && waited.every(caller => caller.instance === instance)
  }

  /** Whether nothing took its right to store. */
  #isCurrent(key: Key, load: Pending): boolean {
    return load.kills === key.kills && !load.signal.aborted && load.instance >= 0
  }

  #broken(key: Key, what: string): never {
    const setting = JSON.stringify(this.#setting)
    throw new Error(`${what}: ${key.name} of ${setting}\n  ${key.steps.join('\n  ')}`)
  }

  /** One step of one key's program. */
  #step(key: Key): void {
    const draw = this.#random()
    if (draw < 0.4) this.#ask(key)
    else if (draw < 0.62) this.#endLoad(key)
    else if (draw < 0.68) {
      const load = this.#pick(key.loads.filter(load => !load.isOver))
      if (load !== undefined) {
        load.read = key.origin
        key.steps.push(`load ${key.loads.indexOf(load)} reads ${load.read}`)
      }
    } else if (draw < 0.74) {
      key.origin++
      key.steps.push(`the origin has ${key.origin}`)
    } else if (draw < 0.84) this.#write(key)
    else if (draw < 0.92) this.#leave(key)
  }

  #ask(key: Key): void {
    const instance = Math.floor(this.#random() * this.#caches.length)
    const controller = this.#chance(0.2) ? new AbortController() : undefined
    const timeout = this.#chance(0.15) ? 3_000 + Math.floor(this.#random() * 12_000) : undefined
    const softTimeout = this.#chance(0.15) ? 4_000 : undefined
    const options: FetchOptions<string, number> = {
      ...(controller && { signal: controller.signal }),
      ...(timeout !== undefined && { timeout }),
      ...(softTimeout !== undefined && { softTimeout }),
      ...(this.#setting.tagged && { tags: [key.name] }),
      ...(this.#chance(0.1) && { fresh: true }),
    }
    const number = key.callers.length
    key.steps.push(
      `${number} asks ${instance} ${JSON.stringify({ ...options, signal: undefined })}`,
    )
    const caller: Caller = {
      asked: this.#clock.now,
      told: key.told,
      kills: key.kills,
      instance,
      timeout,
      softTimeout,
      controller,
      isDone: false,
      doneAt: 0,
    }
    key.callers.push(caller)
    const failures = key.failures
    const plain = Object.keys(options).length === 0
    this.#caches[instance]!.fetch(key.name, plain ? undefined : options).then(
      value => {
        caller.isDone = true
        caller.doneAt = this.#clock.now
        key.steps.push(`${number} gets ${value}`)
        if (value === undefined || value >= caller.told || this.#setting.stale) return
        this.#failure ??= () =>
          this.#broken(key, `${number} asked when ${caller.told} was told and got ${value}`)
      },
      error => {
        caller.isDone = true
        caller.doneAt = this.#clock.now
        key.steps.push(`${number} gets ${error.code ?? error.message}`)
        const now = this.#clock.now
        const late = caller.timeout !== undefined && now - caller.asked >= caller.timeout
        const isRight =
          (error.code === 'ERR_LOAD_TIMEOUT' && late) ||
          (error.message === 'left' && caller.controller?.signal.aborted === true) ||
          (error.code === 'ERR_CACHE_CLOSED' && this.#ended.has(caller)) ||
          (error.message === 'failed' && key.failures > failures)
        if (!isRight) this.#failure ??= () => this.#broken(key, `${number} got ${error}`)
      },
    )
  }

  /** What a caller found to be wrong, thrown at the next check. */
  #failure: (() => never) | undefined
  /** Callers whose instance was closed while they waited. */
  readonly #ended = new Set<Caller>()

  #endLoad(key: Key): void {
    const load = this.#pick(key.loads.filter(load => !load.isOver && !load.hangs))
    if (load === undefined) return
    const number = key.loads.indexOf(load)
    if (this.#chance(0.2)) {
      key.steps.push(`load ${number} fails`)
      load.fail(new Error('failed'))
    } else {
      key.steps.push(`load ${number} ends with ${load.read}`)
      // It is kept if it had the right to be: with a tier a load begins before its loader is called.
      const isCurrent = this.#isCurrent(key, load) && load.read >= key.told
      const isAlone = key.loads.every(({ isOver }, i) => isOver || i === number)
      const isKept = isCurrent && isAlone && this.#isItsOwn(load, key) && key.loads.at(-1) === load
      if (isKept && !this.#setting.tier) {
        this.#kept.push([key, key.kills, key.loads.length])
      }
      load.end(load.read)
    }
  }

  /** Keys that must have a value at the next check, if nothing was written since. */
  #kept: [key: Key, kills: number, loads: number][] = []

  #write(key: Key): void {
    const cache = this.#pick(this.#caches)!
    const draw = this.#random()
    key.kills++
    if (draw < 0.3) {
      key.origin++
      key.told = key.origin
      key.steps.push(`set ${key.origin}`)
      cache.set(key.name, key.origin, this.#setting.tagged ? { tags: [key.name] } : undefined)
    } else if (this.#setting.tagged && draw < 0.7) {
      key.told = key.origin
      const stale = this.#chance(0.5)
      key.steps.push(`invalidate, ${stale}`)
      for (const other of key.sharing) {
        other.kills++
        other.steps.push(`invalidate the tag of ${key.name}, ${stale}`)
      }
      cache.invalidateTag(key.name, { stale })
    } else {
      key.told = key.origin
      key.steps.push('delete')
      cache.delete(key.name)
    }
  }

  #leave(key: Key): void {
    const caller = this.#pick(key.callers.filter(({ isDone, controller }) => !isDone && controller))
    if (caller === undefined) return
    key.steps.push(`${key.callers.indexOf(caller)} leaves`)
    caller.controller?.abort(new Error('left'))
  }

  /** What happens to all keys at once. */
  async #common(): Promise<void> {
    const draw = this.#random()
    if (draw < 0.45) this.#advance(this.#pick([1, 2_000, 5_000, LOCK - 1, LOCK, LOCK + 1])!)
    else if (draw < 0.53) {
      const instance = Math.floor(this.#random() * this.#caches.length)
      for (const key of this.#keys) {
        key.steps.push(`${instance} is closed`)
        for (const caller of key.callers) if (caller.instance === instance) this.#ended.add(caller)
        for (const load of key.loads) {
          if (load.instance === instance) (load as { instance: number }).instance = -1
        }
      }
      // The cache may be gone with it.
      this.#kept = []
      const closing = this.#caches[instance]!.close()
      this.#caches[instance] = this.#open(instance)
      await closing
    } else if (draw < 0.56) {
      for (const key of this.#keys) {
        key.kills++
        key.told = key.origin
        key.steps.push('clear')
      }
      this.#caches[0]!.clear()
    }
    this.#tier.loses = this.#chance(0.2)
    if (this.#chance(0.8)) this.#tier.answer()
  }

  #advance(ms: number): void {
    for (const key of this.#keys) key.steps.push(`${ms} ms pass`)
    this.#passedFrom = this.#clock.now
    this.#clock.advance(ms)
  }

  /** Until all news have been read. */
  async #settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await turn()
  }

  #check(key: Key): void {
    this.#failure?.()
    const value = this.#caches[0]!.peek(key.name)
    if (value !== undefined && value < key.told) {
      this.#broken(key, `${value} is kept though ${key.told} was told`)
    }
    const now = this.#clock.now
    for (const [number, { isDone, timeout, asked }] of key.callers.entries()) {
      if (!isDone && timeout !== undefined && now - asked >= timeout) {
        this.#broken(key, `${number} waits for longer than its timeout`)
      }
    }
    const kept = this.#kept
    this.#kept = []
    for (const [key, kills, loads] of kept) {
      const isLast = key.kills === kills && key.loads.length === loads
      if (isLast && this.#caches[0]!.peek(key.name) === undefined) {
        this.#broken(key, 'what was loaded last, and not written since, is not kept')
      }
    }
  }

  /** Ends what goes on: all who wait are answered, at last those whose loads hung. */
  async #drain(): Promise<void> {
    this.#tier.loses = false
    for (let round = 0; round < 12; round++) {
      const hang = round < 6
      this.#tier.answer()
      for (const key of this.#keys) {
        for (const load of key.loads) {
          if (load.isOver || (load.hangs && hang)) continue
          key.steps.push(`load ${key.loads.indexOf(load)} ends with ${key.origin} at last`)
          load.end(key.origin)
        }
      }
      await this.#settle()
      if (round % 2 === 1) this.#advance(LOCK)
      await this.#settle()
    }
    this.#kept = []
    for (const key of this.#keys) {
      this.#check(key)
      const waits = key.callers.findIndex(({ isDone }) => !isDone)
      if (waits >= 0) this.#broken(key, `${waits} is never answered`)
    }
  }
}
