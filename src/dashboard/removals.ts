// Removals of a cache as they come, for one viewer: so many a second, and the count of the rest.
import { timersOf } from '../base/timers.ts'
import type { Removal } from './frames.ts'
import type { Sending } from './stream.ts'

/** How often a viewer is told, in milliseconds, and the most removals at once. */
const EVERY = 250
const MOST = 50
/** After how many silent times a viewer is told that nothing has happened. */
const SILENT = 10

/** Sends what `listen` tells until the result is called. */
export function sendRemovals(
  listen: (tell: (removal: Removal) => void) => () => void,
  to: Sending,
): () => void {
  let removals: Removal[] = []
  let more = 0
  let silent = 0
  const stop = listen(removal => {
    if (removals.length < MOST) removals.push(removal)
    else more++
  })
  let cancel = () => {}
  const tell = () => {
    cancel = timersOf(undefined).after(EVERY, tell)
    const isQuiet = removals.length === 0 && more === 0 && ++silent < SILENT
    if (isQuiet || to.isBehind) return
    to.send('removals', { removals, more })
    removals = []
    more = 0
    silent = 0
  }
  to.send('removals', { removals, more })
  tell()
  return () => {
    cancel()
    stop()
  }
}
