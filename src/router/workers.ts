// The workers of a router, threads or processes: started, replaced when one fails, restarted one by one,
// stopped.
import { clearTimeout, now, setTimeout } from '../base/runtime.ts'
import type { Drain } from './drain.ts'
import type { Entrance } from './entrances.ts'
import { type HookModule, type Refusal, refused } from './hooks/module.ts'
import type { Edition, News, Order } from './messages.ts'
import { faultError } from './sockets.ts'
import type { Mode, WorkerCounts } from './status.ts'

/** How long a worker may take to end beyond the time that its clients have, in milliseconds. */
export const LEEWAY = 5000
/** A worker that fails this long after the last one is replaced at once. */
const CALM = 10_000
/** Otherwise it is replaced after so long, twice as long each time, up to the longest. */
const SHORTEST = 25
const LONGEST = 500

/** How workers of one kind are started. */
export interface Kind {
  readonly mode: Mode
  /** Starts one. */
  start(heard: Heard): Member
  /** Has those to come go by another edition. */
  take(edition: Edition): void
}

/** Who hears of a worker. */
export interface Heard {
  /** Its place among the others, from 0 on: who takes over from it has the same. */
  seat: number
  news(news: News): void
  /** It is gone. */
  ended(failure: Error): void
}

/** A thread or a process. */
export interface Member {
  tell(order: Order): void
  /** Ends it at once. */
  kill(): void
  /** The number of its process, if that is its own. */
  process?: number | undefined
}

/** What workers need to know of their router. */
export interface Serving {
  kind: Kind
  entrances: readonly Entrance[]
  /** How connections are ended, as it is now. */
  drain: () => Drain
  /**
   * Hears of each worker that fails, whose connections are lost and which is replaced, and of each bug
   * that cost less.
   */
  failed: (error: Error) => void
  /** Hears that another worker serves in the place of one that failed. */
  replaced: () => void
  /** Hears of hooks that fail. */
  hookFailed: (message: string) => void
}

/** A worker that was started. */
interface Worker {
  seat: number
  member: Member
  /** It accepts clients. */
  serves: boolean
  /** Done when it is gone. */
  gone: Promise<void>
  /** Those who wait until it goes by another edition, in their order. */
  reloads: (() => void)[]
  /** Those who wait until it has read hooks, or cannot. */
  prepares: ((refusal?: Refusal) => void)[]
  /** Those who wait until it is warm, and hear whether it has read all. */
  warms: ((whole: boolean) => void)[]
}

/** Workers that accept from the same entrances. */
export class Workers {
  /** Those that are to serve. */
  readonly #workers = new Set<Worker>()
  /** All that have not ended. */
  readonly #living = new Set<Worker>()
  /** Done when those end that are to end. */
  readonly #ending = new Set<Promise<void>>()
  readonly #serving: Serving
  #driver: 'native' | 'net' | undefined
  #meets = false
  #stopping = false
  #restarting = false
  /** How many there are to be. */
  #wanted = 0
  /** Workers that were replaced since they failed. */
  #replaced = 0
  /** How many failed soon after each other, and when the last one did. */
  #failures = 0
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(serving: Serving) {
    this.#serving = serving
  }

  /** Which driver they use; `undefined` before one of them listens. */
  get driver(): 'native' | 'net' | undefined {
    return this.#driver
  }

  /** How many there are. */
  counts(): WorkerCounts {
    const serving = [...this.#workers].filter(({ serves }) => serves)
    return {
      mode: this.#serving.kind.mode,
      wanted: this.#wanted,
      serving: serving.length,
      ending: this.#ending.size,
      replaced: this.#replaced,
      restarting: this.#restarting,
      processes: serving.flatMap(({ member }) => member.process ?? []),
    }
  }

  /** Has so many workers serve; done when all of them listen, and ends those that are too many. */
  async resize(count: number): Promise<void> {
    this.#wanted = count
    const missing = Math.max(0, count - this.#workers.size)
    await Promise.all(Array.from({ length: missing }, () => this.#start()))
    for (const worker of [...this.#workers].slice(count)) this.#end(worker)
  }

  /** Puts a new worker in the place of each, one after the other: the old one ends once the new one serves. */
  async restart(): Promise<void> {
    this.#restarting = true
    try {
      await this.#restart()
    } finally {
      this.#restarting = false
    }
  }

  async #restart(): Promise<void> {
    for (const worker of [...this.#workers]) {
      // One that failed meanwhile has been replaced.
      if (this.#stopping || !this.#workers.has(worker)) continue
      try {
        await this.#start(worker.seat)
      } catch (error) {
        this.#fill()
        throw error
      }
      await this.#end(worker)
    }
  }

  /** Has every worker answer what it received and end. */
  async stop(): Promise<void> {
    this.#stopping = true
    // Whoever comes now is refused, rather than left to wait for nobody.
    for (const entrance of this.#serving.entrances) entrance.close()
    for (const worker of [...this.#workers]) this.#end(worker)
    await Promise.all(this.#ending)
  }

  /** Has all workers read hooks; rejects with why one cannot. */
  async prepare(hooks: HookModule | undefined): Promise<void> {
    if (hooks === undefined) return
    const prepared = [...this.#living].map(({ member, prepares }) => {
      member.tell({ kind: 'prepare', hooks })
      return new Promise<void>((resolve, reject) => {
        prepares.push(refusal => (refusal === undefined ? resolve() : reject(refused(refusal))))
      })
    })
    await Promise.all(prepared)
  }

  /**
   * Has all workers, and those to come, go by another edition; done when all do that live. Those too
   * that end: their clients are served until then.
   */
  async reload(edition: Edition): Promise<void> {
    this.#serving.kind.take(edition)
    const reloaded = [...this.#living].map(({ member, reloads }) => {
      member.tell({ kind: 'reload', edition })
      return new Promise<void>(resolve => void reloads.push(resolve))
    })
    await Promise.all(reloaded)
  }

  /** Has all workers, and those to come, meet the store before a client needs that. */
  meet(): void {
    this.#meets = true
    for (const { member } of this.#workers) member.tell({ kind: 'meet' })
  }

  /** Has workers read what is read most: one of those that share a memory, all of the others. Whether they could. */
  async warm(hot: Uint8Array, within: number): Promise<boolean> {
    const isShared = this.#serving.kind.mode === 'threads'
    const warmed = [...this.#workers].slice(0, isShared ? 1 : undefined).map(each => {
      each.member.tell({ kind: 'warm', hot, within, behind: 0 })
      return new Promise<boolean>(resolve => void each.warms.push(resolve))
    })
    return (await Promise.all(warmed)).every(whole => whole)
  }

  /** Starts a worker; done when it listens. */
  async #start(seat = this.#freeSeat()): Promise<void> {
    let end = () => {}
    const gone = new Promise<void>(resolve => {
      end = resolve
    })
    const [reloads, warms]: [Worker['reloads'], Worker['warms']] = [[], []]
    const prepares: Worker['prepares'] = []
    let why: Error | undefined
    await new Promise<void>((resolve, reject) => {
      const news = (told: News) => {
        if (told.kind === 'fault') this.#serving.failed(faultError(told.fault))
        else if (told.kind === 'hook') this.#serving.hookFailed(told.message)
        else if (told.kind === 'refused') why = refused(told.refusal)
        else if (told.kind === 'prepared') prepares.shift()?.(told.refusal)
        else if (told.kind === 'reloaded') reloads.shift()?.()
        else if (told.kind === 'warmed') warms.shift()?.(told.whole)
        else if (told.kind === 'listening') {
          worker.serves = true
          this.#driver = told.driver
          resolve()
        }
      }
      const ended = (failure: Error) => {
        const isWanted = this.#workers.delete(worker)
        this.#living.delete(worker)
        end()
        for (const done of [reloads, prepares].flatMap(all => all.splice(0))) done()
        for (const done of warms.splice(0)) done(false)
        // Before it listened, whoever started it decides what to do.
        if (!worker.serves) reject(why ?? failure)
        else if (isWanted) this.#replace(failure)
      }
      const member = this.#serving.kind.start({ seat, news, ended })
      const worker: Worker = { seat, member, serves: false, gone, reloads, prepares, warms }
      this.#workers.add(worker)
      this.#living.add(worker)
      if (this.#meets) member.tell({ kind: 'meet' })
    })
  }

  /** The first seat that is nobody's. */
  #freeSeat(): number {
    const taken = new Set([...this.#workers].map(({ seat }) => seat))
    let seat = 0
    while (taken.has(seat)) seat++
    return seat
  }

  #replace(failure: Error): void {
    this.#serving.failed(failure)
    if (this.#stopping) return
    this.#replaced++
    setTimeout(() => this.#fill(), this.#pause())
  }

  /** Starts a worker if one is missing: a restart may have done so already. */
  #fill(): void {
    if (this.#stopping || this.#workers.size >= this.#wanted) return
    this.#start().then(this.#serving.replaced, error => {
      this.#hangUp()
      this.#replace(error as Error)
    })
  }

  /** Whoever waits to be accepted may go elsewhere, if there is no worker and none could be started. */
  #hangUp(): void {
    if ([...this.#living].some(({ serves }) => serves)) return
    for (const entrance of this.#serving.entrances) entrance.hangUp()
  }

  /** How long to wait before a worker that failed is replaced. */
  #pause(): number {
    const calm = now() - this.#failedAt > CALM
    this.#failedAt = now()
    this.#failures = calm ? 0 : this.#failures + 1
    return calm ? 0 : Math.min(SHORTEST * 2 ** (this.#failures - 1), LONGEST)
  }

  /** Has a worker answer what it received and end, and ends it if it takes too long. */
  #end(worker: Worker): Promise<void> {
    if (!this.#workers.delete(worker)) return Promise.resolve()
    const { member, gone } = worker
    const drain = this.#serving.drain()
    const timer = setTimeout(() => member.kill(), drain.over + drain.within + LEEWAY)
    member.tell({ kind: 'stop', drain })
    const ended = gone.then(() => {
      clearTimeout(timer)
      this.#ending.delete(ended)
    })
    this.#ending.add(ended)
    return ended
  }
}
