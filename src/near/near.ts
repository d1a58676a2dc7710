// The near cache: copies of decoded values in this isolate, each good as long as the version word of
// its key stands. See crates/engine/src/versions.rs for why such a copy is as good as a read.
import { binding, type Stored } from '../native/native.ts'
import { DEADLINE, HASH, HITS, LENGTH, LOG, RECORDS, STAMPED, VERSION } from '../native/port.ts'
import { Admission } from './admission.ts'
import { Rest } from './rest.ts'
import { NearTime } from './time.ts'

/** Cells of 8 bytes behind the version words: the first one is the pressure, the second the beat. */
const BEHIND = 8

/** What is known of a copy: 32 bytes, so that a hit touches one line of memory. */
const LOW = 0
const HIGH = 1
const HASH_LOW = 2
const HASH_HIGH = 3
/** The sum of pressure and beat, while neither the engine nor the clock is to be asked; or `LOOK`. */
const MARK = 4
/** How often it was used, less how often the hand passed since: up to `MOST_USES`. */
const USES = 5
const MOST_USES = 3
/** The pressure at which the engine was last told that the copy is used; or `LOOK`. */
const TOLD = 6
const BYTES = 7
const FIELDS = 8

/** Bytes that a copy takes beside its value: a guess. */
const OVERHEAD = 128

/** A value that takes more than this part of the bytes is not kept. */
const LARGEST_SHARE = 16

/** Steps through all 32-bit numbers: one of 128 exceeds the limit, in step with no pattern. */
const SAMPLING_STEP = 0x9e3779b9 | 0
const SAMPLING_LIMIT = 0x7e000000

/** No sum of pressure and beat, before they have risen four billion times: a hit looks closer. */
const LOOK = -1

/** Misses that make a key's copy worth the slot of another. */
const MISSES_TO_OUST = 5

/** No copy. */
const NONE = -1

/** How large a near cache may get. */
export interface NearBounds {
  max: number
  maxBytes: number
}

/** What a near cache has to know of the cache that it stands before. */
export interface NearBase extends NearBounds {
  /** The instance's number. */
  at: number
  /** Whether the engine is told of each use in its order, not of one now and then. */
  exact: boolean
  /** Whether the cache's time is the system's. */
  systemClock: boolean
  /**
   * What values are: `plain` ones come out as they are, `bytes` belong to who reads them, `decoded`
   * ones are decoded at each read; `mixed` is any of these.
   */
  values: 'plain' | 'bytes' | 'decoded' | 'mixed'
  /** A `get` looks for longer keys only once a value had to be decoded. */
  longestKey: number
}

/**
 * Misses that a key's copy is worth while there is room for more: see
 * docs/decisions/0009-near-cache.md.
 */
const MISSES_OF_DECODED = 1
const MISSES_OF_PLAIN = 2

/** The bytes in memory of their own: a part of a pool would keep the whole pool. */
function ownBytes<V>(value: V): V {
  return new Uint8Array(value as Uint8Array) as V
}

/** The copies of one instance. */
export class Near<V> {
  /** A `get` is not to look for longer keys. */
  longest: number
  /** Whether a hit spares decoding, not only a call. */
  spares: boolean
  readonly #base: NearBase
  readonly #copiesBytes: boolean
  /** Whether some values are bytes, which belong to who reads them, and others are not. */
  readonly #mixed: boolean
  /** Halves of the version words and, behind them, of the pressure. */
  readonly #words: Int32Array
  readonly #mask: number
  readonly #pressureAt: number
  readonly #port: Float64Array
  readonly #halves: Int32Array
  readonly #time: NearTime
  /** Where a key's copy is in the lists below. */
  readonly #slots = new Map<unknown, number>()
  readonly #keys: unknown[] = []
  readonly #values: (V | undefined)[] = []
  #records: Int32Array
  #ends: Float64Array
  /** Looks for a copy that was not used lately: CLOCK (Corbató, 1968), with counts. */
  #hand = 0
  #bytes = 0
  #admission: Admission | undefined
  readonly #rest: Rest
  /** The copy that the last `find` found to be good no more. */
  #spoilt = NONE
  #sampling = 0
  /** Records in the log, and the pressure when it was last sent. */
  #logged = 0
  #toldAt = 0
  #last = NONE

  /** The near cache of an instance; `undefined` where there can be none. */
  static open<V>(base: NearBase): Near<V> | undefined {
    const memory = binding.openNear(base.at)
    return memory && new Near<V>(base, memory)
  }

  private constructor(base: NearBase, [words, port]: [ArrayBuffer, ArrayBuffer]) {
    this.#base = base
    this.longest = base.longestKey
    this.spares = base.values === 'bytes' || base.values === 'decoded'
    this.#copiesBytes = base.values === 'bytes'
    this.#mixed = base.values === 'mixed'
    this.#words = new Int32Array(words)
    this.#pressureAt = this.#words.length - 2 * BEHIND
    this.#mask = this.#pressureAt / 2 - 1
    this.#port = new Float64Array(port)
    this.#halves = new Int32Array(port)
    this.#rest = new Rest(base.max)
    this.#records = new Int32Array(Math.min(base.max, 64) * FIELDS)
    this.#ends = new Float64Array(Math.min(base.max, 64))
    this.#time = new NearTime(base.at, base.systemClock)
  }

  /** Where the copy of a key's value is, if it is good now: a hit, which is counted; or -1. */
  find(key: unknown): number {
    const slot = this.#slots.get(key)
    if (slot === undefined || !this.#isCurrent(slot)) {
      this.#spoilt = slot ?? NONE
      return NONE
    }
    const records = this.#records
    this.#sampling = (this.#sampling + SAMPLING_STEP) | 0
    const isMarked = records[slot * FIELDS + MARK] === this.#mark()
    if (!isMarked || this.#base.exact || this.#sampling > SAMPLING_LIMIT) {
      if (!this.#countHit(slot, isMarked)) return NONE
    }
    const uses = records[slot * FIELDS + USES]!
    if (uses < MOST_USES) records[slot * FIELDS + USES] = uses + 1
    this.#port[HITS]!++
    return slot
  }

  /** Whether it costs more than it saves, and rests. */
  get rests(): boolean {
    return this.#rest.isOn
  }

  /** A read passed it by while it rested. */
  passed(): void {
    this.#rest.passed()
  }

  /** A read that passed it by had to decode a value: copies are worth more than they seemed. */
  decoded(): void {
    if (this.#mixed && !this.spares) {
      this.spares = true
      this.longest = Number.POSITIVE_INFINITY
    }
  }

  /** As {@link Near.find}, but nothing is counted and the engine is not told. */
  glance(key: unknown): number {
    const slot = this.#slots.get(key)
    if (slot === undefined || !this.#isCurrent(slot)) return NONE
    return this.#time.until(this.#ends[slot]!) > 0 ? slot : NONE
  }

  /** The value that lies where `find` says. */
  at(slot: number): V {
    const value = this.#values[slot] as V
    return this.#copiesBytes ? (Buffer.from(value as Uint8Array) as V) : value
  }

  #isCurrent(slot: number): boolean {
    const records = this.#records
    const words = this.#words
    const record = slot * FIELDS
    const word = (records[record + HASH_LOW]! & this.#mask) * 2
    return words[word] === records[record + LOW] && words[word + 1] === records[record + HIGH]
  }

  /** What a copy's mark is, if it was set since the pressure rose and since the last beat. */
  #mark(): number {
    const at = this.#pressureAt
    return (this.#words[at]! + this.#words[at + 2]!) | 0
  }

  /** Counts the use of a copy, and tells the engine if it has to know; false if the copy is over. */
  #countHit(slot: number, isMarked: boolean): boolean {
    if (!isMarked && !this.#look(slot)) {
      this.#spoilt = slot
      return false
    }
    const pressure = this.#words[this.#pressureAt]!
    const told = this.#records[slot * FIELDS + TOLD]
    const news = this.#base.exact ? slot !== this.#last : told !== pressure
    if (news || this.#sampling > SAMPLING_LIMIT) this.#note(slot, pressure)
    return true
  }

  /** Looks at the clock, and marks a copy that need not be looked at again; false if it is over. */
  #look(slot: number): boolean {
    // In this order: a beat that comes meanwhile has the copy looked at again.
    const mark = this.#mark()
    const beat = this.#words[this.#pressureAt + 2]!
    const left = this.#time.until(this.#ends[slot]!)
    if (this.#time.isFar(left, beat)) this.#records[slot * FIELDS + MARK] = mark
    return left > 0
  }

  /** Decodes what `getNear` has just given for a key, and keeps it if it is worth that. */
  keep(key: unknown, stored: Stored, decode: (stored: Stored) => V): V {
    const halves = this.#halves
    const spoilt = this.#spoilt
    const low = halves[2 * VERSION]!
    const high = halves[2 * VERSION + 1]!
    const hashLow = halves[2 * HASH]!
    const hashHigh = halves[2 * HASH + 1]!
    const stamped = halves[2 * STAMPED] !== 0
    const end = this.#port[DEADLINE]!
    const bytes = this.#port[LENGTH]! + OVERHEAD
    const decoded = this.#isDecoded(stored)
    this.#rest.brought(decoded)
    this.#rest.missed(this.#port[HITS]!)
    // A codec may use the cache: from here on the port is somebody else's.
    const value = decode(stored)
    if (!stamped || bytes > this.#base.maxBytes / LARGEST_SHARE) return value
    if (this.#mixed && ArrayBuffer.isView(value)) return value
    const misses = decoded ? MISSES_OF_DECODED : MISSES_OF_PLAIN
    const again = spoilt !== NONE && this.#keys[spoilt] === key
    const slot = again ? spoilt : this.#take(key, hashHigh, misses)
    if (slot === NONE) return value
    const records = this.#records
    const record = slot * FIELDS
    this.#bytes += bytes - records[record + BYTES]!
    records[record + BYTES] = bytes
    records[record + LOW] = low
    records[record + HIGH] = high
    records[record + HASH_LOW] = hashLow
    records[record + HASH_HIGH] = hashHigh
    // The read that brought it is known; the next one is told at once.
    records[record + MARK] = LOOK
    records[record + TOLD] = LOOK
    this.#values[slot] = this.#copiesBytes ? ownBytes(value) : value
    this.#ends[slot] = end
    this.#time.sawEnd(end)
    if (this.#bytes > this.#base.maxBytes) this.#shrink(slot)
    return value
  }

  #isDecoded(stored: Stored): boolean {
    if (!this.#mixed) return this.#base.values === 'decoded'
    if (stored !== true) return false
    this.decoded()
    return true
  }

  /** Has the engine know the order of uses up to now, if it wants to. */
  order(): void {
    if (this.#base.exact) this.tell()
  }

  /** Tells the engine which copies were used. Before it chooses who leaves. */
  tell(): void {
    if (this.#logged === 0) return
    const logged = this.#logged
    this.#logged = 0
    this.#last = NONE
    binding.used(this.#base.at, logged)
  }

  /** Lets the copy of a key go, so that it keeps nothing alive. */
  forget(key: unknown): void {
    const slot = this.#slots.get(key)
    if (slot !== undefined) this.#empty(slot)
  }

  /** The cache has nothing for the key of the last `find`: no copy of it is kept. */
  miss(): undefined {
    this.#rest.missed(this.#port[HITS]!)
    if (this.#spoilt !== NONE) this.#empty(this.#spoilt)
  }

  /** Lets all copies go. */
  clear(): void {
    this.#slots.clear()
    this.#keys.length = 0
    this.#values.length = 0
    this.#records.fill(0)
    this.#hand = 0
    this.#bytes = 0
    this.#spoilt = NONE
  }

  #note(slot: number, pressure: number): void {
    const record = slot * FIELDS
    this.#last = slot
    this.#records[record + TOLD] = pressure
    const halves = this.#halves
    const line = 2 * LOG + 4 * this.#logged
    halves[line] = this.#records[record + HASH_LOW]!
    halves[line + 1] = this.#records[record + HASH_HIGH]!
    halves[line + 2] = this.#sampling > SAMPLING_LIMIT ? 1 : 0
    this.#logged++
    if (this.#logged === RECORDS || (pressure !== this.#toldAt && !this.#base.exact)) {
      this.#toldAt = pressure
      this.tell()
    }
  }

  /** A slot for another key, if that is worth one: a new one, or that of a key that leaves. */
  #take(key: unknown, hash: number, misses: number): number {
    if (typeof key !== 'string' && typeof key !== 'number') return NONE
    let slot = this.#keys.length
    if (slot < this.#base.max) {
      if (!this.#missedOften(hash, misses)) return NONE
      this.#keys.push(key)
      this.#values.push(undefined)
      if (slot === this.#ends.length) this.#grow()
    } else {
      if (!this.#missedOften(hash, MISSES_TO_OUST)) return NONE
      slot = this.#victim()
      this.#slots.delete(this.#keys[slot])
      this.#keys[slot] = key
    }
    this.#records[slot * FIELDS + USES] = 0
    this.#slots.set(key, slot)
    return slot
  }

  #missedOften(hash: number, misses: number): boolean {
    if (misses === 1) return true
    this.#admission ??= new Admission(this.#base.max)
    return this.#admission.missed(hash) >= misses
  }

  #grow(): void {
    const most = Math.min(this.#base.max, this.#ends.length * 2)
    const records = new Int32Array(most * FIELDS)
    const ends = new Float64Array(most)
    records.set(this.#records)
    ends.set(this.#ends)
    this.#records = records
    this.#ends = ends
  }

  #victim(): number {
    const records = this.#records
    for (;;) {
      const slot = this.#hand
      this.#hand = slot + 1 === this.#keys.length ? 0 : slot + 1
      const uses = records[slot * FIELDS + USES]!
      if (uses === 0) return slot
      records[slot * FIELDS + USES] = uses - 1
    }
  }

  /** Empties slots until the rest fits. */
  #shrink(but: number): void {
    while (this.#bytes > this.#base.maxBytes) {
      const slot = this.#victim()
      if (slot === but || this.#keys[slot] === undefined) continue
      this.#slots.delete(this.#keys[slot])
      this.#keys[slot] = undefined
      this.#empty(slot)
    }
  }

  #empty(slot: number): void {
    const record = slot * FIELDS
    this.#values[slot] = undefined
    this.#bytes -= this.#records[record + BYTES]!
    // No word has these halves: nobody finds it good.
    this.#records.fill(0, record, record + FIELDS)
    this.#records[record + LOW] = -1
    this.#records[record + HIGH] = -1
  }
}
