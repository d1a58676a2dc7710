// The log of a node that serves: lines of JSON by pino, or of text for people.
import { checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { dateNow, timeOfDay } from '../base/runtime.ts'
import type { LogFormat } from '../router/config.ts'
import type { LogFields, LogLevel, RouterLogger } from '../router/index.ts'
import { isTold } from '../router/log.ts'

type Level = keyof RouterLogger
type Tell = (level: Level, fields: LogFields, message: string) => void

const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies Level[]
export const LOG_FORMATS: readonly LogFormat[] = ['auto', 'plain', 'json', 'pretty']
/** What the command says by itself, in the names that its options have. */
const OWN: ReadonlySet<string> = new Set(['reload_refused'])
/** The most characters that wait for a reader of the log; beyond, lines are left out. */
const MOST = 4 * 1024 * 1024
const COLORS: Record<Level, string> = { debug: '90', info: '32', warn: '33', error: '31' }

/** Where a node is logged that serves. */
export class Log {
  readonly format: Exclude<LogFormat, 'auto'>
  /** From which level on it is told, once that is known. */
  level: LogLevel | undefined
  readonly #write: Tell
  readonly #flush: () => void

  private constructor(format: Log['format'], write: Tell, flush = () => {}) {
    this.format = format
    this.#write = write
    this.#flush = flush
  }

  /** Throws {@link InvalidOptionError}. */
  static async open(asked: LogFormat = 'auto'): Promise<Log> {
    const format = resolved(asked)
    if (format === 'json') return Log.#json()
    return new Log(format, format === 'pretty' ? pretty : plain)
  }

  static async #json(): Promise<Log> {
    const { default: pino } = await import('pino').catch(() => {
      const allowed = "'plain' or 'pretty', or 'json' with its package (npm install pino)"
      throw new InvalidOptionError('logFormat', 'json', allowed)
    })
    const out = pino.destination({ fd: 1, sync: false, maxLength: MOST })
    // As the streams of the process do.
    out.on('error', () => {})
    const logger = pino(
      {
        base: null,
        level: 'debug',
        messageKey: 'message',
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: level => ({ level }) },
      },
      out,
    )
    const write: Tell = (level, fields, message) => logger[level](fields, message)
    return new Log('json', write, () => {
      try {
        out.flushSync()
      } catch {
        // Nobody reads it any more.
      }
    })
  }

  /** Refuses another format than it has: throws {@link InvalidOptionError}. */
  check(asked: LogFormat = 'auto'): void {
    const format = resolved(asked)
    if (format === this.format) return
    const allowed = `'${this.format}' until the node is started anew`
    throw new InvalidOptionError('logFormat', format, allowed)
  }

  /** What a router tells its events to. */
  readonly logger = this.#logger()

  #logger(): RouterLogger {
    const tell = (level: Level) => (fields: LogFields, message: string) => {
      if (!OWN.has(fields.event)) this.#write(level, fields, message)
    }
    const each = LEVELS.map(level => [level, tell(level)] as const)
    return Object.fromEntries(each) as unknown as RouterLogger
  }

  /** Tells something that the command itself knows. */
  tell: Tell = (level, fields, message) => {
    if (this.tells(level)) this.#write(level, fields, message)
  }

  /** Whether what matters so much is told. */
  tells(level: Level): boolean {
    return isTold(level, this.level)
  }

  /** Has everything written, before the process ends. */
  end(): void {
    this.#flush()
  }
}

/** The format that is meant. Throws {@link InvalidOptionError}. */
function resolved(asked: LogFormat): Exclude<LogFormat, 'auto'> {
  const format = checkOneOf('logFormat', asked, LOG_FORMATS)
  if (format !== 'auto') return format
  return process.stdout.isTTY ? 'pretty' : 'plain'
}

/** A line of words. What failed is a warning of the process. */
function plain(level: Level, { err, event }: LogFields, message: string): void {
  // It greets in words of its own.
  if (event === 'listening') return
  if (err !== undefined) {
    process.emitWarning(err)
    return
  }
  const stream = level === 'warn' || level === 'error' ? process.stderr : process.stdout
  stream.write(`breakwater: ${message}\n`)
}

/** A line of words with the time, in colours where they are wanted. */
function pretty(level: Level, { event }: LogFields, message: string): void {
  if (event === 'listening') return
  const isPlain = !process.stdout.isTTY || Boolean(process.env.NO_COLOR)
  const paint = (code: string, text: string) => (isPlain ? text : `\x1b[${code}m${text}\x1b[0m`)
  const time = paint('90', timeOfDay(dateNow()))
  const name = paint(COLORS[level], level.padEnd(5))
  process.stdout.write(`${time} ${name} ${message} ${paint('90', event)}\n`)
}
