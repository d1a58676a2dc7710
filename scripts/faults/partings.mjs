// Connections that the node has closed, as it and their clients tell it: whether all was answered that it
// had received of them. What a client sent behind that was late: the connection was closed by then, and the
// client can know that none of it was done.

/** How long the log may be behind, in milliseconds. */
const BEHIND = 5000

/** What the node has logged of the connections that it has closed. */
export class Closings {
  /** Where each that is open has come in, by its client. */
  #entrances = new Map()
  /** Those that are closed, by both their ends. */
  #closed = new Map()
  /** Whether the node has logged all of them. */
  isWhole = true

  /** Takes an event of the node; whether it was one of these. */
  take({ event, client, address, local, cause, requests, received, of }) {
    const who = `${client} ${address}`
    if (event === 'connection_opened') this.#entrances.set(who, local)
    else if (event === 'connection_closed') {
      const ends = endsOf(address, this.#entrances.get(who))
      this.#entrances.delete(who)
      this.#closed.set(ends, [...(this.#closed.get(ends) ?? []), { cause, requests, received }])
    } else if (event === 'left_out' && of === 'connection') this.isWhole = false
    else return false
    return true
  }

  /** What is logged of a connection between two ends: `undefined` if nothing is. */
  of({ address, local }) {
    const [first, ...others] = this.#closed.get(endsOf(address, local)) ?? []
    this.#closed.set(endsOf(address, local), others)
    return first
  }

  forget() {
    this.#closed.clear()
  }
}

/**
 * Compares what clients say of connections that were closed with what the node says.
 *
 * @param closings - what the node has logged.
 * @param partings - what clients say: both ends, how many of their requests were answered and how many bytes
 * these had, how many requests were not, and how many bytes the first of those has.
 * @returns of how many connections a request was received and not answered, how many were closed otherwise
 * than by a drain while requests waited, and how many requests were late.
 */
export async function judge(closings, partings) {
  const found = { dropped: 0, cut: 0, late: 0 }
  for (const parting of partings) {
    const logged = await within(BEHIND, () => closings.of(parting))
    const { answered, bytes, unanswered, next } = parting
    const isDrained = logged === undefined ? !closings.isWhole : logged.cause === 'drain'
    // A piece of a request is not yet one.
    const isDropped =
      logged !== undefined && (logged.requests > answered || logged.received >= bytes + next)
    if (isDrained && isDropped) found.dropped++
    if (!isDrained && unanswered > 0) found.cut++
    if (isDrained && !isDropped) found.late += unanswered
  }
  return found
}

function endsOf(address, local) {
  return `${address} ${local}`
}

/** What `ask` gives, once it gives anything: `undefined` if it does not for so long. */
async function within(ms, ask) {
  for (const end = performance.now() + ms; ; await new Promise(r => setTimeout(r, 20))) {
    const got = ask()
    if (got !== undefined || performance.now() > end) return got
  }
}
