// What a router tells of itself: events with names and fields, by level, to whoever listens.
import { checkFlag, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { textOf } from '../base/thrown.ts'
import { LogRate } from './log-rate.ts'

/** How much an event matters; `'silent'` is above all of them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** An event, by name, and what is known of it. */
export interface LogFields {
  /** Its name: `'store_down'`, which stays. */
  event: string
  /** What has failed, if anything has. */
  err?: Error | undefined
  readonly [field: string]: unknown
}

/**
 * Who is told of events: a logger of pino, or whatever has these functions.
 *
 * @example
 * ```ts
 * import { createRouter } from 'breakwater/router'
 *
 * const told: string[] = []
 * const tell = ({ event }: { event: string }) => void told.push(event)
 * const router = createRouter({
 *   threads: 1,
 *   logger: { debug: tell, info: tell, warn: tell, error: tell },
 * })
 * await router.listen({ port: 0 })
 * await router.close()
 * told.includes('listening') // true
 * ```
 */
export interface RouterLogger {
  /** Details. */
  debug(fields: LogFields, message: string): void
  /** What is as it should be. */
  info(fields: LogFields, message: string): void
  /** What somebody should look at. */
  warn(fields: LogFields, message: string): void
  /** What has failed. */
  error(fields: LogFields, message: string): void
}

type Told = Exclude<LogLevel, 'silent'>
/** What a router is told of its log. */
interface LogOptions {
  logger?: RouterLogger | undefined
  logLevel?: LogLevel | undefined
  logConnections?: boolean | undefined
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']
const TOLD: readonly Told[] = ['debug', 'info', 'warn', 'error']
/** The most characters of a text in a field, and of a message. */
const LONGEST = 1000

/** Who came and who left is bounded where it is noted. */
const BOUNDED: ReadonlySet<string> = new Set(['connection_opened', 'connection_closed', 'left_out'])

/** Checks what is said of the log; whether connections are noted for it. Throws {@link InvalidOptionError}. */
export function checkLog({ logger, logLevel, logConnections = false }: LogOptions): boolean {
  if (logLevel !== undefined) checkOneOf('logLevel', logLevel, LEVELS)
  checkFlag('logConnections', logConnections)
  if (logger === undefined) return false
  const isOne = typeof logger === 'object' && logger !== null
  const missing = TOLD.find(name => !isOne || typeof logger[name] !== 'function')
  if (missing === undefined) return logConnections
  throw new InvalidOptionError('logger', logger, 'an object with debug, info, warn and error')
}

/** Whether an event of a level is told from `least` on. */
export function isTold(level: LogLevel, least: LogLevel = 'info'): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least)
}

/** A warning, as `process.emitWarning` makes one; what it says may be of a stranger. */
export function warningOf(message: string, code?: string): Error {
  const warning = Object.assign(new Error(shown(message)), { name: 'Warning' })
  return code === undefined ? warning : Object.assign(warning, { code })
}

/** Tells events. Without a logger, what failed becomes a warning of the process. */
export class RouterLog {
  readonly #rate = new LogRate((of, count) => {
    this.warn('left_out', { of, count }, `${count} more of ${of}`)
  })
  #logger: RouterLogger | undefined
  #least: LogLevel | undefined

  /** From now on it is told to this logger, from this level on. */
  use({ logger, logLevel }: LogOptions): void {
    this.#logger = logger
    this.#least = logLevel
  }

  debug(event: string, fields: Fields, message: string): void {
    this.#tell('debug', event, fields, message)
  }

  info(event: string, fields: Fields, message: string): void {
    this.#tell('info', event, fields, message)
  }

  warn(event: string, fields: Fields, message: string): void {
    this.#tell('warn', event, fields, message)
  }

  error(event: string, fields: Fields, message: string): void {
    this.#tell('error', event, fields, message)
  }

  /** Something has failed: without a logger, a warning of the process. */
  failure(level: 'warn' | 'error', event: string, err: Error, fields: Fields = {}): void {
    if (this.#logger === undefined) process.emitWarning(err)
    else this.#tell(level, event, { ...fields, err }, err.message)
  }

  /** Who came or left, as the native side notes it: a line of JSON. */
  connection(line: string): void {
    const { event, ...fields } = JSON.parse(line) as LogFields
    const { client, address, user, requests, cause, of, count } = fields
    const by = user == null ? '' : ` (${user})`
    if (event === 'connection_opened') {
      this.info(event, fields, `client ${client} came from ${address}`)
    } else if (event === 'connection_closed') {
      const message = `client ${client}${by} left after ${requests} requests: ${cause}`
      this.info(event, fields, message)
    } else this.warn(event, fields, `${count} more of ${of}`)
  }

  /** Tells what was left out so far. */
  end(): void {
    this.#rate.end()
  }

  #tell(level: Told, event: string, fields: Fields, message: string): void {
    if (this.#logger === undefined || !isTold(level, this.#least)) return
    const { store = '' } = fields
    if (!BOUNDED.has(event) && !this.#rate.passes(event, String(store))) return
    try {
      this.#logger[level]({ event, ...bounded(fields) }, shown(message))
    } catch (error) {
      process.emitWarning(`logger failed: ${textOf(error)}`, { code: 'BREAKWATER_LOGGER' })
    }
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Texts may come from strangers. */
function bounded(fields: Fields): Fields {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? shown(value) : value]),
  )
}

/** A text on one line, of {@link LONGEST} characters at the most. */
function shown(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  // Whatever moves a cursor or ends a line.
  return short.replace(/[\p{Cc}\u2028\u2029]/gu, one => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
