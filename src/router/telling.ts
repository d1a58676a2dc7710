// What a router tells its log: each event, with its name, its level, its fields and its words.
import { InternalError } from '../base/errors.ts'
import { now } from '../base/runtime.ts'
import { readsIn } from './hot-reads.ts'
import { RouterLog, warningOf } from './log.ts'
import { type StoreChange, storeChanges, tellStore } from './log-stores.ts'
import type { RouterOptions } from './options.ts'
import type { UpstreamStats } from './stats.ts'
import type { DrainProgress, RouterStatus } from './status.ts'
import type { Begun } from './warm-start.ts'
import { Watch } from './watch.ts'

/** Where a router is looked at. */
interface Looks {
  /** The servers behind it. */
  servers: () => readonly UpstreamStats[]
  /** Who came and who left since it was asked last, as lines of JSON. */
  came: () => string[]
}

/** The log of one router. */
export class RouterTelling {
  readonly #log = new RouterLog()
  readonly #came: Looks['came']
  readonly #servers: Watch<StoreChange>
  readonly #journal: Watch<string>
  /** When it began to drain. */
  #since: number | undefined

  constructor({ servers, came }: Looks) {
    this.#came = came
    this.#servers = new Watch('logger', storeChanges(servers))
    this.#journal = new Watch('logger', came)
  }

  /** From now on these options say to whom and what is told. */
  use(options: RouterOptions): void {
    this.#log.use(options)
  }

  /** Looks at stores and connections, as far as these options say. */
  watch({ logger, logConnections, store }: RouterOptions): void {
    const [log, isHeard] = [this.#log, logger !== undefined]
    const tellsStores = isHeard && store !== undefined
    this.#servers.tell(tellsStores ? change => tellStore(log, change) : undefined)
    const tellsClients = isHeard && logConnections === true
    this.#journal.tell(tellsClients ? line => log.connection(line) : undefined)
  }

  listening({ addresses, version, driver, workers }: RouterStatus): void {
    const places = addresses.map(({ address, port, family }) =>
      family === 'unix' ? address : `${address}:${port}`,
    )
    const { mode, serving } = workers
    this.#log.info(
      'listening',
      { addresses: places, version, process: process.pid, driver, mode, workers: serving },
      `listens on ${places.join(', ')}`,
    )
  }

  /** It has begun with what is read most, or has not. */
  began(from: string, { reads, whole = false, took, why }: Begun): void {
    if (reads !== undefined) {
      this.#beganWarm(from, readsIn(reads), whole, took)
      return
    }
    const reason = why?.message ?? 'there is no such file yet'
    const fields = [{ from, reason }, `began cold: ${from}: ${reason}`] as const
    if (why === undefined) this.#log.info('began_cold', ...fields)
    else this.#log.warn('began_cold', ...fields)
  }

  #beganWarm(from: string, reads: number, whole: boolean, took: number): void {
    const left = whole ? '' : ', not all of them: its time was over'
    const message = `began warm: ${reads} reads of ${from} in ${took} ms${left}`
    this.#log.info('began_warm', { from, reads, whole, took }, message)
  }

  /** What it reads most is not kept for the next one. */
  notKept(file: string, { message: reason }: Error): void {
    const message = `what is read most is not written to ${file}: ${reason}`
    this.#log.warn('hot_reads_not_kept', { file, reason }, message)
  }

  reloaded(changed: string[]): void {
    const what = changed.join(', ') || 'nothing has changed'
    this.#log.info('reloaded', { changed }, `reloaded: ${what}`)
  }

  reloadRefused({ message: reason }: Error): void {
    this.#log.error('reload_refused', { reason }, `not reloaded: ${reason}`)
  }

  restarted({ workers: { serving, mode } }: RouterStatus): void {
    this.#log.info('restarted', { workers: serving, mode }, `restarted: ${serving} ${mode} serve`)
  }

  /** Clients lost their connections. */
  failed(error: Error): void {
    const event = error instanceof InternalError ? 'fault' : 'worker_failed'
    this.#log.failure('error', event, error)
  }

  replaced(): void {
    this.#log.info('worker_replaced', {}, 'another worker serves in the place of one that failed')
  }

  hookFailed(message: string): void {
    this.#log.failure('warn', 'hook_failed', warningOf(message, 'BREAKWATER_HOOK'))
  }

  auditFailed(error: Error): void {
    this.#log.failure('warn', 'audit_failed', error)
  }

  driverMissing(error: Error): void {
    this.#log.failure('warn', 'driver_missing', error)
  }

  /** Clients that came and left. */
  connections(lines: readonly string[]): void {
    for (const line of lines) this.#log.connection(line)
  }

  draining({ clients, since, until }: Omit<DrainProgress, 'left'>): void {
    this.#since = now()
    this.#log.info('draining', { clients, within: until - since }, `drains ${clients} clients`)
  }

  /**
   * It has drained, if it did, and tells nothing more.
   *
   * @param journal - whether clients are noted.
   */
  end(journal: boolean): void {
    if (this.#since !== undefined) {
      if (journal) this.connections(this.#came())
      const took = Math.round(now() - this.#since)
      this.#log.info('drained', { took }, 'drained: all clients have left')
    }
    this.#log.end()
  }
}
