// What leaves, as it does, for one viewer: so many keys a second, and counts of all.
import { timersOf } from '../base/timers.ts'
import type { Removal } from './frames.ts'
import type { TellRemovals } from './source.ts'
import type { Sending } from './stream.ts'

/** How often a viewer is told, in milliseconds, and the most removals at once. */
const EVERY = 250
const MOST = 50
/** The most classes of keys that are counted apart, and what all others are called. */
const MOST_CLASSES = 20
const OTHERS = 'others'
/** After how many silent times a viewer is told that nothing has happened. */
const SILENT = 10

/** Sends what `listen` tells until the result is called. */
export function sendRemovals(listen: (tell: TellRemovals) => () => void, to: Sending): () => void {
  let shown = new Shown()
  let all = 0
  let counts = new Map<string, number>()
  let silent = 0
  const stop = listen((came, classes) => {
    for (const removal of came) shown.add(removal)
    for (const [of, count] of classes) {
      const name = counts.has(of) || counts.size < MOST_CLASSES ? of : OTHERS
      counts.set(name, (counts.get(name) ?? 0) + count)
      all += count
    }
  })
  let cancel = () => {}
  const tell = () => {
    cancel = timersOf(undefined).after(EVERY, tell)
    const isQuiet = shown.size === 0 && all === 0 && ++silent < SILENT
    if (isQuiet || to.isBehind) return
    send()
  }
  const send = () => {
    const more = Math.max(0, all - shown.size)
    to.send('removals', { removals: shown.inOrder(), more, counts: [...counts] })
    shown = new Shown()
    all = 0
    counts = new Map()
    silent = 0
  }
  send()
  tell()
  return () => {
    cancel()
    stop()
  }
}

/** The first removals, of which a frequent reason gives up its last ones for a rare one. */
class Shown {
  readonly #byReason = new Map<string, { removal: Removal; number: number }[]>()
  #number = 0
  size = 0

  add(removal: Removal): void {
    const alike = this.#byReason.get(removal.reason) ?? []
    if (this.size === MOST) {
      const [most] = [...this.#byReason.values()].sort((a, b) => b.length - a.length)
      if (most === undefined || most.length <= alike.length + 1) return
      most.pop()
      this.size--
    }
    this.#byReason.set(removal.reason, alike)
    alike.push({ removal, number: this.#number++ })
    this.size++
  }

  /** As they came. */
  inOrder(): Removal[] {
    const all = [...this.#byReason.values()].flat()
    return all.sort((a, b) => a.number - b.number).map(({ removal }) => removal)
  }
}
