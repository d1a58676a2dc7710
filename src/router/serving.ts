// How a router serves: by threads, by processes or on this thread, natively or by `node:net`.
import { type HookError, NativeDriverError } from '../base/errors.ts'
import { FaultCost, type NativeRouter } from '../native/router.ts'
import type { AuditLog } from './audit.ts'
import type { Drain } from './drain.ts'
import {
  type Entrance,
  giveBack,
  openAll,
  type Plan,
  type RouterAddress,
  shareAll,
} from './entrances.ts'
import type { CheckedHooks } from './hooks/define.ts'
import { checkedOf, moduleOf } from './hooks/module.ts'
import { MOST_BYTES, MOST_READS } from './hot-reads.ts'
import { NetServers, type NetTls } from './net.ts'
import type { DriverName } from './options.ts'
import type { ProcessMemory } from './process-memory.ts'
import { ProcessTape } from './process-tape.ts'
import { Processes } from './processes.ts'
import { nativeTape, type Tape } from './recording.ts'
import { editionOf, type Running } from './reload.ts'
import { type Fault, faultError, isNative, serveNatively } from './sockets.ts'
import type { Report } from './stats.ts'
import type { WorkerCounts } from './status.ts'
import type { RouterTelling } from './telling.ts'
import { Threads } from './threads.ts'
import { type Kind, Workers } from './workers.ts'

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

/** The router that is served. */
interface Served {
  native: NativeRouter
  /** The driver that is asked for. */
  wanted: DriverName
  /** What it goes by. */
  running: () => Running
  isOpen: () => boolean
  log: RouterTelling
  audit: AuditLog
  /** What processes remember, if they do. */
  apart: ProcessMemory | undefined
}

/** Serves, in the way that the options ask for; `open` says what can be done with it from then on. */
export class Serving {
  readonly #router: Served
  /** By which it serves. */
  driver: 'native' | 'net' | undefined
  /** Serves no more, once clients are answered. */
  stop: ((how: Drain) => Promise<void>) | undefined
  /** The workers that serve, if there are any. */
  workers: Workers | undefined
  /** The processes that serve, if workers are such. */
  processes: Processes | undefined
  /** By which it is recorded. */
  tape: Tape
  /** What workers have counted, where that is not counted here. */
  report: () => Report | undefined = () => undefined
  /** Connects to the store. */
  meet: (() => void) | undefined
  /** Reads of the store what is read most, for so many milliseconds at most; whether that was all of it. */
  warm: ((hot: Uint8Array, within: number) => Promise<boolean>) | undefined
  /** Makes hooks ready; what it gives puts them into force where no workers serve. */
  prepareHooks: ((hooks: Running['hooks']) => Promise<() => void>) | undefined
  /** Tells the driver `net` of this thread of new certificates. */
  spread: ((tls: NetTls) => Promise<void>) | undefined

  constructor(router: Served) {
    this.#router = router
    this.tape = nativeTape(router.native)
  }

  /** How many workers there are. */
  counts(): WorkerCounts {
    return this.workers?.counts() ?? NOBODY
  }

  /** What is read most. */
  async hottest(): Promise<Uint8Array | undefined> {
    if (this.processes !== undefined) return this.processes.hottest()
    return this.#router.native.hottest(MOST_READS, MOST_BYTES)
  }

  /** Listens by these; where it does. */
  async open(plans: Plan[]): Promise<RouterAddress[]> {
    const entrances = await openAll(plans)
    if (entrances === undefined) {
      if (this.#router.wanted === 'native') throw new NativeDriverError()
      const hooks = await checkedOf(this.#router.running().hooks)
      return this.#serveByNet(
        plans.filter(each => 'port' in each),
        hooks,
      )
    }
    const { threads: count } = this.#router.running().checked
    if (count === 0) return this.#serveHere(entrances)
    const workers = new Workers({
      kind: this.#kind(entrances),
      entrances,
      drain: () => this.#router.running().drain,
      failed: error => this.#router.log.failed(error),
      replaced: () => this.#router.log.replaced(),
      hookFailed: message => this.#router.log.hookFailed(message),
    })
    try {
      await workers.resize(count)
    } catch (error) {
      for (const entrance of entrances) entrance.remove()
      await workers.stop()
      throw error
    }
    this.#uses(workers.driver)
    this.workers = workers
    this.meet = () => workers.meet()
    this.warm = (hot, within) => workers.warm(hot, within)
    this.stop = () => workers.stop()
    this.prepareHooks = async hooks => {
      await workers.prepare(moduleOf(hooks))
      // They are a part of the edition.
      return () => {}
    }
    return this.#opened(entrances)
  }

  /** How workers are started. */
  #kind(entrances: Entrance[]): Kind {
    const { mode, tls } = this.#router.running()
    if (mode === 'threads') {
      const { id: router } = this.#router.native
      const hooks = moduleOf(this.#router.running().hooks)
      return new Threads({ router, entrances, driver: this.#router.wanted, tls, hooks })
    }
    const processes = new Processes({
      entrances,
      edition: editionOf(this.#router.running()),
      noted: lines => this.#router.audit.add(lines),
      came: lines => this.#router.log.connections(lines),
      left: news => this.#router.apart?.left(news),
    })
    this.processes = processes
    this.#router.apart?.begun(processes)
    this.tape = new ProcessTape(processes)
    this.report = () => processes.report()
    return processes
  }

  /** Where they are; they are taken away in the end. */
  #opened(entrances: Entrance[]): RouterAddress[] {
    const stop = this.stop
    this.stop = async how => {
      for (const entrance of entrances) entrance.remove()
      await stop?.(how)
    }
    return entrances.map(({ address }) => address)
  }

  /** Serves on this thread. */
  async #serveHere(entrances: Entrance[]): Promise<RouterAddress[]> {
    const hooks = await checkedOf(this.#router.running().hooks)
    if (this.#router.wanted !== 'net' && this.#serveNatively(entrances, hooks)) {
      return this.#opened(entrances)
    }
    const shares = shareAll(entrances)
    for (const entrance of entrances) entrance.close()
    if (this.#router.wanted !== 'native') {
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
        this.#router.log.failed(faultError(fault))
        if (fault.cost !== FaultCost.driver || !this.#router.isOpen()) return
        sockets = start()
      }
      const tell = (error: HookError) => this.#router.log.hookFailed(error.message)
      const started = serveNatively(this.#router.native.id, shares, hear, tell, hooks)
      if (started === undefined) giveBack(shares)
      return started
    }
    let sockets = start()
    if (sockets === undefined) return false
    this.#uses('native')
    this.prepareHooks = async given => {
      const next = await checkedOf(given)
      return () => {
        hooks = next
        sockets?.setHooks(next)
      }
    }
    this.meet = () => sockets?.meet()
    this.warm = async (hot, within) => (await sockets?.warm(hot, within)) ?? false
    this.stop = async how => {
      for (const entrance of entrances) entrance.close()
      await sockets?.drain(how)
    }
    return true
  }

  async #serveByNet(
    entrances: Parameters<NetServers['open']>[0],
    hooks: CheckedHooks | undefined,
  ): Promise<RouterAddress[]> {
    const tell = (error: HookError) => this.#router.log.hookFailed(error.message)
    const servers = new NetServers(this.#router.native, this.#router.running().tls, tell)
    servers.setHooks(hooks)
    this.prepareHooks = async given => {
      const next = await checkedOf(given)
      return () => servers.setHooks(next)
    }
    this.stop = how => servers.drain(how)
    this.spread = tls => servers.setTls(tls)
    const addresses = await servers.open(entrances)
    this.#uses('net')
    return addresses
  }

  /** Says once if the native driver was to be expected and is not there. */
  #uses(driver: 'native' | 'net' | undefined): void {
    this.driver = driver
    if (driver !== 'net' || this.#router.wanted === 'net' || !isNative()) return
    this.#router.log.driverMissing(new NativeDriverError())
  }
}
