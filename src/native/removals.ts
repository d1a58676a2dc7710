// Takes removals from the native side to whoever listens.
import { report } from '../base/report.ts'
import type { RemovalListener, RemovalReason } from '../base/types.ts'
import type { Values } from '../codec/values.ts'

/** An instance that listens: gets the key, the value as the native side gives it, and why. */
export type Receiver = (key: unknown, stored: unknown, reason: RemovalReason) => void

/** By their numbers. Weak, so that a cache that is forgotten is collected although it listens. */
export type Receivers = Map<number, WeakRef<Receiver>>

/** What has to be done on the native side. */
interface Switch {
  /** Begins; the number by which removals are known. */
  on(): number
  off(): void
}

/** By the engine's numbers. */
const reasons: readonly RemovalReason[] = ['evicted', 'expired', 'deleted', 'replaced', 'cleared']

/** Hands on `[number, key, value, reason]` of each removal, flat. Throws nothing. */
export function deliver(receivers: Receivers, removals: unknown[]): void {
  for (let i = 0; i < removals.length; i += 4) {
    const id = removals[i] as number
    const receiver = receivers.get(id)?.deref()
    if (receiver === undefined) {
      receivers.delete(id)
      continue
    }
    const reason = reasons[removals[i + 3] as number] as RemovalReason
    try {
      receiver(removals[i + 1], removals[i + 2], reason)
    } catch (error) {
      report(error)
    }
  }
}

/** The listeners of one instance. The native side is asked only while there are some. */
export class Listeners<K, V> {
  readonly #receivers: Receivers
  readonly #values: Values<V>
  readonly #switch: Switch
  readonly #all = new Set<RemovalListener<K, V>>()
  /** What the native side knows this instance by; 0 while it does not listen. */
  #number = 0
  #closed = false

  constructor(receivers: Receivers, values: Values<V>, native: Switch) {
    this.#receivers = receivers
    this.#values = values
    this.#switch = native
    // A heap cache always listens: it lets objects go by what it hears.
    if (values.slots !== undefined) this.#listen()
  }

  /** Adds a listener; the result takes it away. */
  add(listener: RemovalListener<K, V>): () => void {
    // A function of its own, so that the same listener can be added twice.
    const own: RemovalListener<K, V> = (key, value, reason) => listener(key, value, reason)
    this.#listen()
    this.#all.add(own)
    return () => {
      const last = this.#all.delete(own) && this.#all.size === 0
      if (last && this.#values.slots === undefined && !this.#closed) this.#unlisten()
    }
  }

  /** Hears no more. The native side forgets it by itself. */
  close(): void {
    this.#closed = true
    this.#receivers.delete(this.#number)
    this.#all.clear()
  }

  #listen(): void {
    if (this.#number !== 0) return
    this.#number = this.#switch.on()
    this.#receivers.set(this.#number, new WeakRef(this.#receive))
  }

  #unlisten(): void {
    this.#receivers.delete(this.#number)
    this.#switch.off()
    this.#number = 0
  }

  readonly #receive: Receiver = (key, stored, reason) => {
    try {
      if (this.#all.size > 0) this.#tell(key as K, this.#values.decode(stored), reason)
    } finally {
      this.#values.slots?.free(stored as number)
    }
  }

  #tell(key: K, value: V, reason: RemovalReason): void {
    for (const listener of this.#all) {
      try {
        listener(key, value, reason)
      } catch (error) {
        report(error)
      }
    }
  }
}
