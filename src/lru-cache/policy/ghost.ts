// Remembers hashes of keys that have left, each until so many others have left after it.

/** So many places a hash may be in. */
const WAYS = 4

/** So many places there are for each hash, at least when they are made. */
const SPARE = 1.5

/** A table of hashes, of which the oldest in a bucket gives way. */
export class Ghost {
  #hashes = new Int32Array(0)
  /** When each was put in; 0: never. */
  #times = new Int32Array(0)
  #mask = 0
  #now = 0

  /** Remembers a hash. `span`: for how many others. */
  insert(hash: number, span: number): void {
    if (this.#hashes.length < span) this.#reserve(span)
    const first = (hash & this.#mask) * WAYS
    let oldest = first
    for (let at = first + 1; at < first + WAYS; at++) {
      if (this.#times[at]! < this.#times[oldest]!) oldest = at
    }
    this.#hashes[oldest] = hash
    // After two thousand million insertions all are forgotten once.
    if (this.#now === 0x7fffffff) this.clear()
    this.#times[oldest] = ++this.#now
  }

  /** Whether a hash is remembered; it is forgotten by that. */
  take(hash: number, span: number): boolean {
    const first = (hash & this.#mask) * WAYS
    for (let at = first; at < first + WAYS && at < this.#hashes.length; at++) {
      if (this.#hashes[at] !== hash || this.#times[at] === 0) continue
      const recent = this.#now - this.#times[at]! < span
      this.#times[at] = 0
      if (recent) return true
    }
    return false
  }

  /** Forgets all. */
  clear(): void {
    this.#times.fill(0)
    this.#now = 0
  }

  #reserve(span: number): void {
    const [hashes, times] = [this.#hashes, this.#times]
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, (SPARE * span) / WAYS)))
    this.#hashes = new Int32Array(buckets * WAYS)
    this.#times = new Int32Array(buckets * WAYS)
    this.#mask = buckets - 1
    for (const [at, time] of times.entries()) if (time !== 0) this.#move(hashes[at]!, time)
  }

  #move(hash: number, time: number): void {
    const first = (hash & this.#mask) * WAYS
    for (let at = first; at < first + WAYS; at++) {
      if (this.#times[at] !== 0) continue
      this.#hashes[at] = hash
      this.#times[at] = time
      return
    }
  }
}
