// Who listens to the removals of an instance.
import { report, warn } from '../base/report.ts'
import type { RemovalListener, RemovalReason } from '../base/types.ts'
import type { Values } from '../codec/values.ts'
import type { Receiver, Receivers } from '../native/removals.ts'

/** What has to be done on the native side. */
interface Switch {
  /** Begins; the number by which removals are known. */
  on(): number
  off(): void
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
    } catch (error) {
      // Nobody is told of a value that cannot be read.
      warn(error)
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
