// What the instances of one cache in the threads of a process know together: which sessions are
// theirs, and what these have written of late. It is kept where they keep their values, in the engine.
import { builtin } from '../base/builtin.ts'
import type { Kin } from '../tier/contract.ts'
import { Collection } from './collection.ts'

/** What is forgotten is taken for somebody else's. */
const MOST = '1mb'

/** The longest text that is kept as it is. */
const LONGEST = 256

/** Texts that all instances of a named cache in this process share; the oldest are forgotten. */
export class SharedKin implements Kin {
  readonly #store: Texts

  /** @param name - of the cache. */
  constructor(name: string) {
    this.#store = new Texts(`\0kin:${hash(name)}`)
  }

  add(text: string): void {
    if (!this.#store.closed) this.#store.set(shorten(text), '')
  }

  has(text: string): boolean {
    return !this.#store.closed && this.#store.get(shorten(text)) !== undefined
  }

  close(): void {
    this.#store.close()
  }
}

class Texts extends Collection<string, string> {
  constructor(name: string) {
    super({ name, maxBytes: MOST, policy: 'lru', near: false })
  }
}

function shorten(text: string): string {
  return text.length <= LONGEST ? text : `#${hash(text)}`
}

function hash(text: string): string {
  return builtin('node:crypto').createHash('sha1').update(text).digest('hex')
}
