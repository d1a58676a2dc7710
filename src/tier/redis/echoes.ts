// Tells apart what others write from what this session does. The server is asked not to tell a connection
// of its own writes, but does so all the same where a script makes them. So whatever is heard of a key
// that was written here just now is looked at: if the store has what was written here, it is an echo.
import { Head, MAGIC } from '../envelope.ts'
import type { TierHost } from '../tier.ts'
import type { Connection, Reply } from './client.ts'
import type { Store } from './store.ts'

/** Milliseconds for which an echo may come, at least. */
const LIFE = 5_000

/** What the server answers to a write: its time, if it was done. */
type Answer = Promise<Reply | undefined>

/** The writes of one session of late. */
export class Echoes {
  readonly #host: TierHost
  readonly #connection: Connection
  readonly #store: Store
  /** The last write of each place; what is old is dropped with all that is as old. */
  #young = new Map<string, Answer>()
  #old = new Map<string, Answer>()
  #since = 0

  constructor(host: TierHost, connection: Connection, store: Store) {
    this.#host = host
    this.#connection = connection
    this.#store = store
  }

  /** A place was written to. */
  expect(place: Buffer, answer: Answer): void {
    const now = this.#host.timers.now()
    if (now - this.#since > LIFE) {
      this.#old = now - this.#since > 2 * LIFE ? new Map() : this.#young
      this.#young = new Map()
      this.#since = now
    }
    this.#young.set(textOf(place), answer)
  }

  /**
   * Passes on what was written elsewhere: at once, but for what was written here as well of late.
   *
   * @param placeOf - where an item is kept.
   */
  pass<T>(items: readonly T[], placeOf: (item: T) => Buffer, tell: (items: T[]) => void): void {
    const foreign: T[] = []
    const both: { item: T; place: Buffer; answer: Answer }[] = []
    for (const item of items) {
      const place = placeOf(item)
      const answer = this.#answerOf(place)
      if (answer === undefined) foreign.push(item)
      else both.push({ item, place, answer })
    }
    if (foreign.length > 0) tell(foreign)
    if (both.length > 0) void this.#look(both, tell)
  }

  #answerOf(place: Buffer): Answer | undefined {
    const text = textOf(place)
    return this.#young.get(text) ?? this.#old.get(text)
  }

  async #look<T>(
    both: { item: T; place: Buffer; answer: Answer }[],
    tell: (items: T[]) => void,
  ): Promise<void> {
    await Promise.all(both.map(({ answer }) => answer))
    const commands = both.map(({ place }) => ({
      // A time as text is longer than what a value needs.
      words: ['GETRANGE', place, '0', '19'],
      key: place,
    }))
    const found = await this.#store.send('invalidation', this.#connection, commands)
    const foreign: T[] = []
    for (const [i, { item, place }] of both.entries()) {
      // Of several writes here the last counts.
      const stamp = await this.#answerOf(place)
      if (stamp === undefined || stamp === null || Number(stamp) !== stampOf(found[i])) {
        foreign.push(item)
      }
    }
    if (foreign.length > 0) tell(foreign)
  }
}

function textOf(place: Buffer): string {
  return place.toString('latin1')
}

/** The time in what is found. */
function stampOf(found: Reply | undefined): number | undefined {
  if (!Buffer.isBuffer(found) || !found.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  return found.length >= Head.FRESH_UNTIL ? found.readDoubleBE(Head.KNOWN) : undefined
}
