// What leaves, as it does, for one viewer: so many keys a second, and counts of all.
import { timersOf } from '../base/timers.ts'
import type { Removal } from './frames.ts'
import type { TellRemovals } from './source.ts'
import type { Sending } from './stream.ts'

/**
 * How often a viewer is told, in milliseconds, and the most removals of a reason at once: a rare one is not
 * hidden by one that is frequent.
 */
const EVERY = 250
const MOST = 50
/** The most classes of keys that are counted apart, and what all others are called. */
const MOST_CLASSES = 20
const OTHERS = 'others'
/** After how many silent times a viewer is told that nothing has happened. */
const SILENT = 10

/** Sends what `listen` tells until the result is called. */
export function sendRemovals(listen: (tell: TellRemovals) => () => void, to: Sending): () => void {
  let removals: Removal[] = []
  let shown = new Map<string, number>()
  let more = 0
  let counts = new Map<string, number>()
  let silent = 0
  const stop = listen((came, classes) => {
    const before = removals.length
    for (const removal of came) if (roomFor(removal.reason)) removals.push(removal)
    const all = classes.reduce((sum, [, count]) => sum + count, 0)
    more += Math.max(0, all - (removals.length - before))
    for (const [of, count] of classes) {
      const name = counts.has(of) || counts.size < MOST_CLASSES ? of : OTHERS
      counts.set(name, (counts.get(name) ?? 0) + count)
    }
  })
  const roomFor = (reason: string) => {
    const taken = shown.get(reason) ?? 0
    shown.set(reason, taken + 1)
    return taken < MOST
  }
  let cancel = () => {}
  const tell = () => {
    cancel = timersOf(undefined).after(EVERY, tell)
    const isQuiet = removals.length === 0 && more === 0 && ++silent < SILENT
    if (isQuiet || to.isBehind) return
    send()
  }
  const send = () => {
    to.send('removals', { removals, more, counts: [...counts] })
    removals = []
    shown = new Map()
    more = 0
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
