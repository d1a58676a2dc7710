// A router: what it opens, watches, reloads and closes, in which order.
import { checkSignal } from '../base/checks.ts'
import {
  BreakwaterError,
  type HookError,
  NativeDriverError,
  OptionCombinationError,
} from '../base/errors.ts'
import { dateNow, now, setTimeout } from '../base/runtime.ts'
import { version } from '../base/version.ts'
import {
  attachRouter,
  createRouter as createNative,
  FaultCost,
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
import type { Drain } from './drain.ts'
import { disconnect } from './driver.ts'
import {
  Entrance,
  giveBack,
  type ListenOptions,
  type Plan,
  plan,
  type RouterAddress,
  shareAll,
} from './entrances.ts'
import type { CheckedHooks } from './hooks/define.ts'
import { checkedOf, moduleOf } from './hooks/module.ts'
import { hotKeyChanges } from './hot-keys.ts'
import { NativeMemory, type RouterMemory } from './memory.ts'
import { NetServers, type NetTls } from './net.ts'
import type { DriverName, RouterOptions } from './options.ts'
import { ProcessMemory } from './process-memory.ts'
import { ProcessTape } from './process-tape.ts'
import { Processes } from './processes.ts'
import { nativeTape, recordingOf, type Tape } from './recording.ts'
import { areSame, changesBetween, checkFixed, editionOf, type Running, run } from './reload.ts'
import { type Fault, faultError, isNative, serveNatively } from './sockets.ts'
import { type State, type Step, steps } from './state.ts'
import { imbalanceOf, type Report, type RouterStats } from './stats.ts'
import { type DrainProgress, type RouterStatus, unready, type WorkerCounts } from './status.ts'
import { RouterTelling } from './telling.ts'
import { Threads } from './threads.ts'
import { Watch } from './watch.ts'
import { type Kind, LEEWAY, Workers } from './workers.ts'

/** The workers of a router that has none. */
const NOBODY: WorkerCounts = {
  mode: 'threads',
  wanted: 0,
  serving: 0,
  ending: 0,
  replaced: 0,
  restarting: false,
  processes: [],
}

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
  #driver: 'native' | 'net' | undefined
  #addresses: RouterAddress[] = []
  #state: State = 'idle'
  /** Settles when it listens or cannot; never rejects. */
  #opening: Promise<unknown> = Promise.resolve()
  #stop: ((how: Drain) => Promise<void>) | undefined
  /** The workers that serve, if there are any. */
  #workers: Workers | undefined
  /** What they have counted, where that is not counted here. */
  #report: () => Report | undefined = () => undefined
  /** Connects to the store. */
  #meet: (() => void) | undefined
  #restarting: Promise<void> | undefined
  /** The store was met once. */
  #met = false
  /** When it began to listen: of the wall, and of the clock that only goes forward. */
  #since: { at: number; from: number } | undefined
  /** The drain, once it began. */
  #drain: Omit<DrainProgress, 'left'> | undefined
  /** Makes hooks ready; what it gives puts them into force where no workers serve. */
  #prepareHooks: ((hooks: Running['hooks']) => Promise<() => void>) | undefined
  /** Tells the driver `net` of this thread of new certificates. */
  #spread: ((tls: NetTls) => Promise<void>) | undefined
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
    () => this.#noted(),
    error => this.#log.auditFailed(error),
  )
  /** By which the audit and the log read to the end: a driver of this thread lets its own router go. */
  #auditor: NativeRouter | undefined
  #closed: Promise<void> | undefined
  #last: RouterStats | undefined
  /** The processes that serve, if workers are such. */
  #processes: Processes | undefined
  /** What they remember. */
  #apart: ProcessMemory | undefined
  /** By which it is recorded. */
  #tape: Tape
  readonly memory: RouterMemory | undefined

  constructor(running: Running) {
    const { checked, driver, tls, storeTls } = running
    this.#running = running
    this.#native = createNative(checked)
    this.#wanted = driver
    this.#log.use(running.options)
    const { store, mode } = running.options
    this.#tape = nativeTape(this.#native)
    if (store !== undefined) {
      const own = new NativeMemory(this.#native)
      if (mode === 'processes') this.#apart = new ProcessMemory(() => this.#processes, own)
      this.memory = this.#apart ?? own
    }
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
    const opening = this.#serve(plans)
    this.#opening = opening.catch(() => {})
    try {
      const addresses = await opening
      this.#step('listening')
      if (this.#state !== 'open') throw stateError('the router was closed before it listened')
      this.#addresses = addresses
      this.#since = { at: dateNow(), from: now() }
      const [first] = addresses
      this.#native.setAddress(first!.address, first!.port)
      this.#watch(this.#running.options)
      this.#log.listening(this.status())
      return first!
    } catch (error) {
      if (this.#state === 'opening') this.#step('failed')
      throw error
    }
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#step('close')
      this.#closed = this.#close()
    }
    return this.#closed
  }

  /** Moves on; throws where that cannot be. */
  #step(step: Step): void {
    const next = steps[this.#state][step]
    if (next === undefined) throw stateError(`a router that is ${this.#state} cannot ${step}`)
    this.#state = next
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
        const commitHooks = same ? undefined : await this.#prepareHooks?.(next.hooks)
        disconnect(id, reloadRouter(id, next.checked, next))
        commitHooks?.()
      } catch (error) {
        AuditLog.drop(audit)
        throw error
      }
      this.#running = next
      this.#log.use(next.options)
      this.#audit.use(audit)
      if (this.#state === 'open') this.#watch(next.options)
      await this.#workers?.reload(editionOf(next))
      await this.#workers?.resize(next.checked.threads)
      if (next.tls !== undefined) await this.#spread?.(next.tls)
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
    if (this.#workers === undefined) {
      throw stateError('a router that has no threads of its own cannot restart them')
    }
    // One after the other: a reload may change how many workers there are.
    this.#audit.note('restart')
    const restarted = this.#reloading.then(() => this.#workers?.restart())
    this.#reloading = restarted.catch(() => {})
    await restarted
    this.#log.restarted(this.status())
  }

  async warmUp(): Promise<void> {
    await this.#opening
    this.#meet?.()
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
    const why = unready[this.#state] ?? 'no store behind it has answered yet'
    return {
      state: this.#state,
      ready,
      reasons: ready ? [] : [why],
      version: version(),
      startedAt: this.#since?.at,
      uptime: this.#since === undefined ? 0 : Math.round(now() - this.#since.from),
      driver: this.#driver,
      addresses: this.addresses(),
      workers: this.#workers?.counts() ?? NOBODY,
      drain: this.#drain && { ...this.#drain, left },
    }
  }

  stats(): RouterStats {
    try {
      const counted = this.#counted()
      const stores = counted.upstream.filter(({ role }) => role === 'primary')
      const imbalance = {
        threads: imbalanceOf(counted.threads.map(({ requests }) => requests)),
        stores: imbalanceOf(stores.map(({ requests }) => requests)),
      }
      const replaced = this.#workers?.counts().replaced ?? 0
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
    return { ...own, ...this.#report(), maxBytes, reloads, reloadedAt, reloadRefused }
  }

  record(signal: AbortSignal): AsyncIterable<string> {
    checkSignal('signal', signal)
    if (this.#state !== 'open') throw stateError(`a router that is ${this.#state} is not recorded`)
    if (!this.#tape.begin()) throw stateError('the router is being recorded already')
    return recordingOf(this.#tape, () => this.#state === 'open', signal)
  }

  /** What was noted since it was asked last. */
  #noted(): string[] {
    return this.#reader().audit()
  }

  #reader(): NativeRouter {
    this.#auditor ??= attachRouter(this.#native.id)
    return this.#auditor
  }

  get driver(): 'native' | 'net' | undefined {
    return this.#driver
  }

  async #serve(plans: Plan[]): Promise<RouterAddress[]> {
    const entrances = await openAll(plans)
    if (entrances === undefined) {
      if (this.#wanted === 'native') throw new NativeDriverError()
      const hooks = await checkedOf(this.#running.hooks)
      return this.#serveByNet(
        plans.filter(each => 'port' in each),
        hooks,
      )
    }
    const { threads: count } = this.#running.checked
    if (count === 0) return this.#serveHere(entrances)
    const workers = new Workers({
      kind: this.#kind(entrances),
      entrances,
      drain: () => this.#running.drain,
      failed: error => this.#log.failed(error),
      replaced: () => this.#log.replaced(),
      hookFailed: message => this.#log.hookFailed(message),
    })
    try {
      await workers.resize(count)
    } catch (error) {
      for (const entrance of entrances) entrance.remove()
      await workers.stop()
      throw error
    }
    this.#uses(workers.driver)
    this.#workers = workers
    this.#meet = () => workers.meet()
    this.#stop = () => workers.stop()
    this.#prepareHooks = async hooks => {
      await workers.prepare(moduleOf(hooks))
      // They are a part of the edition.
      return () => {}
    }
    return this.#opened(entrances)
  }

  /** How workers are started. */
  #kind(entrances: Entrance[]): Kind {
    const { mode, tls } = this.#running
    if (mode === 'threads') {
      const { id: router } = this.#native
      const hooks = moduleOf(this.#running.hooks)
      return new Threads({ router, entrances, driver: this.#wanted, tls, hooks })
    }
    const processes = new Processes({
      entrances,
      edition: editionOf(this.#running),
      noted: lines => this.#audit.add(lines),
      came: lines => this.#log.connections(lines),
      left: news => this.#apart?.left(news),
    })
    this.#processes = processes
    this.#apart?.begun(processes)
    this.#tape = new ProcessTape(processes)
    this.#report = () => processes.report()
    return processes
  }

  /** Where they are; they are taken away in the end. */
  #opened(entrances: Entrance[]): RouterAddress[] {
    const stop = this.#stop
    this.#stop = async how => {
      for (const entrance of entrances) entrance.remove()
      await stop?.(how)
    }
    return entrances.map(({ address }) => address)
  }

  /** Serves on this thread. */
  async #serveHere(entrances: Entrance[]): Promise<RouterAddress[]> {
    const hooks = await checkedOf(this.#running.hooks)
    if (this.#wanted !== 'net' && this.#serveNatively(entrances, hooks)) {
      return this.#opened(entrances)
    }
    const shares = shareAll(entrances)
    for (const entrance of entrances) entrance.close()
    if (this.#wanted !== 'native') {
      await this.#serveByNet(shares, hooks)
      return this.#opened(entrances)
    }
    giveBack(shares)
    throw new NativeDriverError()
  }

  /** Serves natively on this thread, and again if a bug ends the driver; `false` where it cannot be. */
  #serveNatively(entrances: Entrance[], first: CheckedHooks | undefined): boolean {
    let hooks = first
    const start = () => {
      const shares = shareAll(entrances)
      const hear = (fault: Fault) => {
        this.#log.failed(faultError(fault))
        if (fault.cost !== FaultCost.driver || this.#state !== 'open') return
        sockets = start()
      }
      const tell = (error: HookError) => this.#log.hookFailed(error.message)
      const started = serveNatively(this.#native.id, shares, hear, tell, hooks)
      if (started === undefined) giveBack(shares)
      return started
    }
    let sockets = start()
    if (sockets === undefined) return false
    this.#uses('native')
    this.#prepareHooks = async given => {
      const next = await checkedOf(given)
      return () => {
        hooks = next
        sockets?.setHooks(next)
      }
    }
    this.#meet = () => sockets?.meet()
    this.#stop = async how => {
      for (const entrance of entrances) entrance.close()
      await sockets?.drain(how)
    }
    return true
  }

  async #serveByNet(
    entrances: Parameters<NetServers['open']>[0],
    hooks: CheckedHooks | undefined,
  ): Promise<RouterAddress[]> {
    const tell = (error: HookError) => this.#log.hookFailed(error.message)
    const servers = new NetServers(this.#native, this.#running.tls, tell)
    servers.setHooks(hooks)
    this.#prepareHooks = async given => {
      const next = await checkedOf(given)
      return () => servers.setHooks(next)
    }
    this.#stop = how => servers.drain(how)
    this.#spread = tls => servers.setTls(tls)
    const addresses = await servers.open(entrances)
    this.#uses('net')
    return addresses
  }

  /** Says once if the native driver was to be expected and is not there. */
  #uses(driver: 'native' | 'net' | undefined): void {
    this.#driver = driver
    if (driver !== 'net' || this.#wanted === 'net' || !isNative()) return
    this.#log.driverMissing(new NativeDriverError())
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
    await this.#stop?.(this.#running.drain)
    this.stats()
    this.#audit.note('close')
    this.#audit.use(undefined)
    this.#log.end(this.#running.checked.journal === 1)
    this.#auditor?.close()
    this.#native.close()
    this.#step('ended')
  }
}

/** Opens all or none; `undefined` where descriptors cannot be shared (Windows). */
async function openAll(plans: Plan[]): Promise<Entrance[] | undefined> {
  const entrances: Entrance[] = []
  try {
    for (const each of plans) {
      const entrance = await Entrance.open(each)
      if (entrance === undefined) return undefined
      entrances.push(entrance)
    }
    return entrances
  } catch (error) {
    for (const entrance of entrances) {
      entrance.remove()
      entrance.close()
    }
    throw error
  }
}

function stateError(message: string): BreakwaterError {
  return new BreakwaterError('ERR_ROUTER_STATE', message)
}
