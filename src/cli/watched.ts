// The files of a configuration: what they were like before they were read, and whether they have changed.
import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'

/** What a file is like that there is none of. */
const NONE = 'none'

/**
 * Files that are watched. What changes a file after it was noted is told, though it was not read by then:
 * whoever notes it first and reads it then misses nothing. Looking sees files that are replaced, links
 * that are changed, and any file system.
 */
export class Watched {
  readonly #seen = new Map<string, string>()

  /** Notes what a file is like, before it is read. */
  note(file: string): void {
    if (this.#seen.has(file)) return
    try {
      this.#seen.set(file, traits(statSync(file, { bigint: true })))
    } catch {
      this.#seen.set(file, NONE)
    }
  }

  /** Whether a file has changed since it was noted, or since this was asked before. */
  async haveChanged(): Promise<boolean> {
    let changed = false
    for (const [file, before] of this.#seen) {
      const now = await stat(file, { bigint: true }).then(traits, () => NONE)
      changed ||= now !== before
      this.#seen.set(file, now)
    }
    return changed
  }
}

/** What tells one state of a file from another. */
function traits({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`
}
