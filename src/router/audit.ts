// The audit log: lines of JSON about who was refused and who administers, in a file that may be rotated.
import { closeSync, openSync, writeSync } from 'node:fs'
import { checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { dateNow } from '../base/runtime.ts'
import { type Cancel, timersOf } from '../base/timers.ts'
import { warningOf } from './log.ts'

/** How names of keys stand in the audit log. */
export type AuditKeys = 'shown' | 'hashed' | 'omitted'

/** Where refusals and administration are noted. */
export interface AuditOptions {
  /** A file, to which lines of JSON are appended. A reload opens it anew, as after a rotation. */
  file: string
  /**
   * How names of keys are noted: as they are, 128 characters at the most; as the beginning of their
   * SHA-256; or not at all. Default: `'shown'`.
   */
  keys?: AuditKeys | undefined
}

const KNOWN: readonly string[] = ['file', 'keys'] satisfies (keyof AuditOptions)[]
const KEYS: readonly AuditKeys[] = ['shown', 'hashed', 'omitted']
/** How often is looked what was noted, in milliseconds. */
const LOOK = 100
/** The most characters that wait for a file that takes none. */
const MOST = 4 * 1024 * 1024

/** How keys are noted; `undefined` if nothing is. Throws {@link InvalidOptionError}. */
export function checkAudit(audit: AuditOptions | undefined): AuditKeys | undefined {
  if (audit === undefined) return undefined
  if (typeof audit !== 'object' || audit === null || Array.isArray(audit)) {
    throw new InvalidOptionError('audit', typeof audit, "an object, as { file: 'audit.log' }")
  }
  checkKnown('audit.', audit, KNOWN)
  if (typeof audit.file !== 'string' || audit.file === '') {
    throw new InvalidOptionError('audit.file', audit.file, 'the name of a file')
  }
  return checkOneOf('audit.keys', audit.keys ?? 'shown', KEYS)
}

/** Writes what is noted to a file. */
export class AuditLog {
  readonly #read: () => string[]
  readonly #failed: (error: Error) => void
  #fd: number | undefined
  #cancel: Cancel | undefined
  /** What the file has not taken. */
  #waiting = ''
  /** Lines that were given up. */
  #lost = 0
  #warned = false

  /**
   * @param read - what was noted since it was asked last.
   * @param failed - hears that the file takes nothing.
   */
  constructor(read: () => string[], failed: (error: Error) => void) {
    this.#read = read
    this.#failed = failed
  }

  /** Opens the file, for {@link use}. Throws {@link InvalidOptionError}. */
  static open(audit: AuditOptions | undefined): number | undefined {
    if (audit === undefined) return undefined
    try {
      return openSync(audit.file, 'a', 0o600)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const allowed = `a file that can be appended to (${code})`
      throw new InvalidOptionError('audit.file', audit.file, allowed)
    }
  }

  /** Closes a file that was opened in vain. */
  static drop(fd: number | undefined): void {
    if (fd !== undefined) closeSync(fd)
  }

  /** From now on it is written to this file; what was noted before is in the last one. */
  use(fd: number | undefined): void {
    this.#look()
    this.#cancel?.()
    AuditLog.drop(this.#fd)
    this.#fd = fd
    this.#warned = false
    if (fd === undefined) {
      this.#waiting = ''
      return
    }
    const look = () => {
      this.#cancel = timersOf(undefined).after(LOOK, look)
      this.#look()
    }
    look()
  }

  /** Something that the node itself did, or was told. */
  note(event: string, more: Record<string, unknown> = {}): void {
    // Behind what was noted before it.
    this.#look()
    if (this.#fd !== undefined) this.add([JSON.stringify({ time: dateNow(), event, ...more })])
  }

  /** Lines that were noted elsewhere. */
  add(lines: readonly string[]): void {
    if (this.#fd === undefined || lines.length === 0) return
    const text = lines.map(line => `${line}\n`).join('')
    if (this.#waiting.length + text.length > MOST) this.#lost += lines.length
    else this.#waiting += text
    this.#write(this.#fd)
  }

  #look(): void {
    if (this.#fd !== undefined) this.add(this.#read())
  }

  /** At once: the lines of a tenth of a second are few, and a process that ends has written them. */
  #write(fd: number): void {
    if (this.#lost > 0 && this.#waiting.length < MOST / 2) {
      this.#waiting += `${JSON.stringify({ time: dateNow(), event: 'dropped', count: this.#lost })}\n`
      this.#lost = 0
    }
    let bytes = Buffer.from(this.#waiting)
    try {
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(fd, bytes))
    } catch (error) {
      if (!this.#warned) {
        this.#failed(warningOf(`the audit log takes nothing: ${error}`))
      }
      this.#warned = true
    }
    this.#waiting = bytes.toString()
  }
}
