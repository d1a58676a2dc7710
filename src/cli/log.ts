// The log of a node that serves: lines of JSON by pino, or of text for people.
import { checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { dateNow, timeOfDay } from '../base/runtime.ts'
import type { LogFormat } from '../router/config.ts'
import type { LogFields, LogLevel, RouterLogger } from '../router/index.ts'
import { isTold } from '../router/log.ts'
import { Outlet } from './outlet.ts'

type Level = keyof RouterLogger
type Tell = (level: Level, fields: LogFields, message: string) => void

const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies Level[]
export const LOG_FORMATS: readonly LogFormat[] = ['auto', 'plain', 'json', 'pretty']
/** What the command says by itself, in the names that its options have. */
const OWN: ReadonlySet<string> = new Set(['reload_refused'])
const COLORS: Record<Level, string> = { debug: '90', info: '32', warn: '33', error: '31' }

/** Where a node is logged that serves. */
export class Log {
  readonly format: Exclude<LogFormat, 'auto'>
  /** From which level on it is told, once that is known. */
  level: LogLevel | undefined
  readonly #write: Tell
  readonly #outlets: readonly Outlet[]

  private constructor(format: Log['format'], write: Tell, outlets: readonly Outlet[]) {
    this.format = format
    this.#write = write
    this.#outlets = outlets
  }

  /** Throws {@link InvalidOptionError}. */
  static async open(asked: LogFormat = 'auto'): Promise<Log> {
    const format = resolved(asked)
    if (format === 'json') return Log.#json()
    return format === 'pretty' ? Log.#pretty() : Log.#plain()
  }

  static async #json(): Promise<Log> {
    const { default: pino } = await import('pino').catch(() => {
      const allowed = "'plain' or 'pretty', or 'json' with its package (npm install pino)"
      throw new InvalidOptionError('logFormat', 'json', allowed)
    })
    const out = new Outlet(process.stdout, count => write(...leftOut(count)))
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
    return new Log('json', write, [out])
  }

  /** Lines of words. What failed is a warning of the process. */
  static #plain(): Log {
    const outletOf = (stream: NodeJS.WriteStream) => {
      const outlet: Outlet = new Outlet(stream, count => {
        const [, , message] = leftOut(count)
        outlet.write(`breakwater: ${message}\n`)
      })
      return outlet
    }
    const [out, err] = [outletOf(process.stdout), outletOf(process.stderr)]
    const write: Tell = (level, fields, message) => {
      // It greets in words of its own.
      if (fields.event === 'listening') return
      if (fields.err !== undefined) return process.emitWarning(fields.err)
      const isBad = level === 'warn' || level === 'error'
      ;(isBad ? err : out).write(`breakwater: ${message}\n`)
    }
    return new Log('plain', write, [out, err])
  }

  /** Lines of words with the time, in colours where they are wanted. */
  static #pretty(): Log {
    const out: Outlet = new Outlet(process.stdout, count => write(...leftOut(count)))
    const write: Tell = (level, { event }, message) => {
      if (event !== 'listening') out.write(pretty(level, event, message))
    }
    return new Log('pretty', write, [out])
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

  /** Has everything written, before the process ends; waits for no reader that stands still. */
  async end(): Promise<void> {
    await Promise.all(this.#outlets.map(outlet => outlet.drained()))
  }
}

/** The format that is meant. Throws {@link InvalidOptionError}. */
function resolved(asked: LogFormat): Exclude<LogFormat, 'auto'> {
  const format = checkOneOf('logFormat', asked, LOG_FORMATS)
  if (format !== 'auto') return format
  return process.stdout.isTTY ? 'pretty' : 'plain'
}

/** What is told of lines that nobody has read. */
function leftOut(count: number): Parameters<Tell> {
  const message = `${count} more lines, which nobody has read in time`
  return ['warn', { event: 'left_out', of: 'log', count }, message]
}

/** A line of words with the time, in colours where they are wanted. */
function pretty(level: Level, event: string, message: string): string {
  const isPlain = !process.stdout.isTTY || Boolean(process.env.NO_COLOR)
  const paint = (code: string, text: string) => (isPlain ? text : `\x1b[${code}m${text}\x1b[0m`)
  const time = paint('90', timeOfDay(dateNow()))
  const name = paint(COLORS[level], level.padEnd(5))
  return `${time} ${name} ${message} ${paint('90', event)}\n`
}
