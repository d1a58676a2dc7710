// A router: what it opens, watches, reloads and closes, in which order. How it serves meanwhile stands
// in `serving.ts`, the states that it goes through in `state.ts`.
import { checkSignal } from '../base/checks.ts'
import { OptionCombinationError } from '../base/errors.ts'
import { dateNow, now, setTimeout } from '../base/runtime.ts'
import { version } from '../base/version.ts'
import {
  attachRouter,
  createRouter as createNative,
  type NativeRouter,
  refuseReload,
  reloadRouter,
  setStoreTls,
  setTls,
} from '../native/router.ts'
import { AuditLog } from './audit.ts'
import { breakerChanges } from './breaker.ts'
import { partsOf } from './config.ts'
import type { ReloadResult, Router } from './contract.ts'
import { disconnect } from './driver.ts'
import { type ListenOptions, type Plan, plan, type RouterAddress } from './entrances.ts'
import { hotKeyChanges } from './hot-keys.ts'
import { sealed } from './hot-reads.ts'
import { NativeMemory, type RouterMemory } from './memory.ts'
import type { DriverName, RouterOptions } from './options.ts'
import { ProcessMemory } from './process-memory.ts'
import { recordingOf } from './recording.ts'
import { areSame, changesBetween, checkFixed, editionOf, type Running, run } from './reload.ts'
import { Serving } from './serving.ts'
import { after, type State, type Step, stateError } from './state.ts'
import { imbalanceIn, type Report, type RouterStats } from './stats.ts'
import { type DrainProgress, type RouterStatus, unready } from './status.ts'
import { RouterTelling } from './telling.ts'
import { WarmStart } from './warm-start.ts'
import { Watch } from './watch.ts'
import { LEEWAY } from './workers.ts'

/** How often the router looks whether its store has answered, in milliseconds. */
const LOOK = 10

/**
 * Creates a routing node: any Redis client may connect to it.
 *
 * @example
 * ```ts
 * import { createRouter } from 'breakwater/router'
 *
 * const router = createRouter({ maxBytes: '64mb', threads: 1 })
 * const { port } = await router.listen({ port: 0 })
 * // redis-cli -p ${port} set harbour calm
 * await router.close()
 * ```
 *
 * @throws InvalidOptionError an option that cannot be, with its name, value and what is allowed
 */
export function createRouter(options: RouterOptions = {}): Router {
  return new ThreadedRouter(run(options, version()))
}

class ThreadedRouter implements Router {
  readonly #native: NativeRouter
  readonly #wanted: DriverName
  /** What it goes by. */
  #running: Running
  /** Settles when no reload is under way; never rejects. */
  #reloading: Promise<unknown> = Promise.resolve()
  #addresses: RouterAddress[] = []
  #state: State = 'idle'
  /** Settles when it listens or cannot; never rejects. */
  #opening: Promise<unknown> = Promise.resolve()
  #restarting: Promise<void> | undefined
  /** The store was met once. */
  #met = false
  /** When it began to listen: of the wall, and of the clock that only goes forward. */
  #since: { at: number; from: number } | undefined
  /** The drain, once it began. */
  #drain: Omit<DrainProgress, 'left'> | undefined
  readonly #hotKeys = new Watch(
    'onHotKey',
    hotKeyChanges(() => this.stats().hotKeys),
  )
  readonly #stores = new Watch(
    'onStore',
    breakerChanges(() => this.stats().upstream),
  )
  readonly #log = new RouterTelling({
    servers: () => this.stats().upstream,
    came: () => this.#reader().journal(),
  })
  readonly #audit = new AuditLog(
    () => this.#reader().audit(),
    error => this.#log.auditFailed(error),
  )
  readonly #warm = new WarmStart({
    hottest: () => this.#serving.hottest(),
    warm: async (reads, within) => (await this.#serving.warm?.(reads, within)) ?? false,
    began: (from, begun) => this.#log.began(from, begun),
    failed: (path, error) => this.#log.notKept(path, error),
  })
  /** By which the audit and the log read to the end: a driver of this thread lets its own router go. */
  #auditor: NativeRouter | undefined
  #closed: Promise<void> | undefined
  #last: RouterStats | undefined
  /** Its drivers and workers. */
  readonly #serving: Serving
  readonly memory: RouterMemory | undefined

  constructor(running: Running) {
    const { checked, driver, tls, storeTls } = running
    this.#running = running
    this.#native = createNative(checked)
    this.#wanted = driver
    this.#log.use(running.options)
    const { store, mode } = running.options
    let apart: ProcessMemory | undefined
    if (store !== undefined) {
      const own = new NativeMemory(this.#native)
      if (mode === 'processes') apart = new ProcessMemory(() => this.#serving.processes, own)
      this.memory = apart ?? own
    }
    this.#serving = new Serving({
      native: this.#native,
      wanted: driver,
      running: () => this.#running,
      isOpen: () => this.#state === 'open',
      log: this.#log,
      audit: this.#audit,
      apart,
    })
    if (tls !== undefined) setTls(this.#native.id, tls)
    if (storeTls !== undefined) setStoreTls(this.#native.id, storeTls)
  }

  async listen(options: ListenOptions = {}) {
    const plans = plan(options, this.#running.tls !== undefined)
    if (options.proxyProtocol && this.#wanted === 'net') {
      const why = 'headers of proxies need the native one'
      throw new OptionCombinationError('proxyProtocol', true, "driver 'net'", why)
    }
    this.#step('listen')
    try {
      this.#audit.use(AuditLog.open(this.#running.options.audit))
    } catch (error) {
      this.#step('failed')
      throw error
    }
    this.#running = { ...this.#running, entrances: plans }
    const opening = this.#open(plans)
    this.#opening = opening.catch(() => {})
    try {
      const addresses = await opening
      this.#step('listening')
      if (this.#state !== 'open') throw stateError('the router was closed before it listened')
      this.#addresses = addresses
      this.#since = { at: dateNow(), from: now() }
      this.#watch(this.#running.options)
      this.#warm.keep(this.#running.warm)
      this.#log.listening(this.status())
      return addresses[0]!
    } catch (error) {
      if (this.#state === 'opening') this.#step('failed')
      throw error
    }
  }

  /** Lets clients in, and reads what is read most. */
  async #open(plans: Plan[]): Promise<RouterAddress[]> {
    const addresses = await this.#serving.open(plans)
    const [{ address, port }] = addresses as [RouterAddress]
    this.#native.setAddress(address, port)
    await this.#warm.begin(this.#running.warm)
    return addresses
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#step('close')
      this.#warm.end()
      this.#closed = this.#close()
    }
    return this.#closed
  }

  #step(step: Step): void {
    this.#state = after(this.#state, step)
  }

  address(): RouterAddress | null {
    return this.#addresses[0] ?? null
  }

  addresses(): RouterAddress[] {
    return [...this.#addresses]
  }

  reload(config?: Parameters<Router['reload']>[0]): Promise<ReloadResult> {
    // One after the other: what a reload changes is compared with what the last one left.
    const reloaded = this.#reloading.then(() => this.#reload(config))
    this.#reloading = reloaded.catch(() => {})
    return reloaded
  }

  async #reload(config: Parameters<Router['reload']>[0]): Promise<ReloadResult> {
    await this.#opening
    const before = this.#running
    try {
      const given = typeof config === 'function' ? await config() : (config ?? before.options)
      if (this.#state !== 'idle' && this.#state !== 'open') {
        throw stateError(`a router that is ${this.#state} cannot reload`)
      }
      const { options, listen } = partsOf(given)
      const next = run(options, version(), before)
      if ('listen' in given) next.entrances = plan(listen, next.tls !== undefined)
      checkFixed(before, next)
      const { id } = this.#native
      const audit = this.#state === 'open' ? AuditLog.open(options.audit) : undefined
      try {
        const same = areSame(before.hooks, next.hooks)
        const commitHooks = same ? undefined : await this.#serving.prepareHooks?.(next.hooks)
        disconnect(id, reloadRouter(id, next.checked, next))
        commitHooks?.()
      } catch (error) {
        AuditLog.drop(audit)
        throw error
      }
      this.#running = next
      this.#log.use(next.options)
      this.#audit.use(audit)
      if (this.#state === 'open') {
        this.#watch(next.options)
        this.#warm.keep(next.warm)
      }
      await this.#serving.workers?.reload(editionOf(next))
      await this.#serving.workers?.resize(next.checked.threads)
      if (next.tls !== undefined) await this.#serving.spread?.(next.tls)
      const changed = changesBetween(before, next)
      this.#audit.note('reload', { changed })
      this.#log.reloaded(changed)
      return { changed }
    } catch (error) {
      if (this.#state !== 'closed') refuseReload(this.#native.id, (error as Error).message)
      this.#audit.note('reload refused')
      this.#log.reloadRefused(error as Error)
      throw error
    }
  }

  /** Hooks of these options are told, and no others. */
  #watch(options: RouterOptions): void {
    this.#hotKeys.tell(options.onHotKey)
    this.#stores.tell(options.onStore)
    this.#log.watch(options)
  }

  restart(): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined
    })
    return this.#restarting
  }

  async #restart(): Promise<void> {
    await this.#opening
    if (this.#state !== 'open') throw stateError(`a router that is ${this.#state} cannot restart`)
    if (this.#serving.workers === undefined) {
      throw stateError('a router that has no threads of its own cannot restart them')
    }
    // One after the other: a reload may change how many workers there are.
    this.#audit.note('restart')
    const restarted = this.#reloading.then(() => this.#serving.workers?.restart())
    this.#reloading = restarted.catch(() => {})
    await restarted
    this.#log.restarted(this.status())
  }

  async warmUp(): Promise<void> {
    await this.#opening
    this.#serving.meet?.()
    while (this.#state === 'open' && !this.isReady) {
      await new Promise(resolve => setTimeout(resolve, LOOK))
    }
  }

  get isReady(): boolean {
    if (this.#state !== 'open') return false
    const stores = this.stats().upstream.filter(({ role }) => role === 'primary')
    this.#met ||= stores.length === 0 || stores.some(({ connects }) => connects > 0)
    return this.#met
  }

  options(): RouterOptions {
    return this.#running.options
  }

  status(): RouterStatus {
    const ready = this.isReady
    const left = this.#state === 'closed' ? 0 : this.stats().clients
    const cold = this.#warm.isBeginning ? 'it reads what is read most' : undefined
    const why = cold ?? unready[this.#state] ?? 'no store behind it has answered yet'
    return {
      state: this.#state,
      ready,
      reasons: ready ? [] : [why],
      version: version(),
      startedAt: this.#since?.at,
      uptime: this.#since === undefined ? 0 : Math.round(now() - this.#since.from),
      driver: this.#serving.driver,
      addresses: this.addresses(),
      workers: this.#serving.counts(),
      drain: this.#drain && { ...this.#drain, left },
    }
  }

  stats(): RouterStats {
    try {
      const counted = this.#counted()
      const imbalance = imbalanceIn(counted)
      const replaced = this.#serving.counts().replaced
      const { policy } = this.#running.checked
      this.#last = { ...counted, policy, imbalance, replaced }
    } catch (error) {
      // It was let go: the counts of the end stay.
      if (this.#last === undefined) throw error
    }
    return this.#last
  }

  /** What this process has counted, or its workers have. */
  #counted(): Report {
    const own = this.#native.stats() as unknown as Report
    const { reloads, reloadedAt, reloadRefused } = own
    const { maxBytes } = this.#running.checked
    return { ...own, ...this.#serving.report(), maxBytes, reloads, reloadedAt, reloadRefused }
  }

  record(signal: AbortSignal): AsyncIterable<string> {
    checkSignal('signal', signal)
    if (this.#state !== 'open') throw stateError(`a router that is ${this.#state} is not recorded`)
    if (!this.#serving.tape.begin()) throw stateError('the router is being recorded already')
    return recordingOf(this.#serving.tape, () => this.#state === 'open', signal)
  }

  async hotReads(): Promise<Uint8Array> {
    if (this.#state !== 'open' || this.memory === undefined) {
      const why = this.memory === undefined ? 'in front of no store' : this.#state
      throw stateError(`a router that is ${why} has no hot reads to tell`)
    }
    return sealed((await this.#serving.hottest()) ?? new Uint8Array())
  }

  #reader(): NativeRouter {
    this.#auditor ??= attachRouter(this.#native.id)
    return this.#auditor
  }

  get driver(): 'native' | 'net' | undefined {
    return this.#serving.driver
  }

  async #close(): Promise<void> {
    const { over, within } = this.#running.drain
    const since = dateNow()
    const until = since + over + within + LEEWAY
    const { clients } = this.stats()
    this.#drain = { since, until, clients }
    this.#watch({})
    if (this.#since !== undefined) this.#log.draining(this.#drain)
    this.#addresses = []
    // What is opening is there only then to be closed.
    await this.#opening
    await this.#warm.close()
    await this.#serving.stop?.(this.#running.drain)
    this.stats()
    this.#audit.note('close')
    this.#audit.use(undefined)
    this.#log.end(this.#running.checked.journal === 1)
    this.#auditor?.close()
    this.#native.close()
    this.#step('ended')
  }
}
