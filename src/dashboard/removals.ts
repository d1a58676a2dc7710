// Removals of a cache as they come, for one viewer: so many a second, and the count of the rest.
import type { ServerResponse } from 'node:http'
import { timersOf } from '../base/timers.ts'
import type { Removal } from './frames.ts'
import { Viewer } from './viewer.ts'

/** How often a viewer is told, in milliseconds, and the most removals at once. */
const EVERY = 250
const MOST = 50

/** Streams what `listen` tells until the viewer leaves. */
export function streamRemovals(
  listen: (tell: (removal: Removal) => void) => () => void,
  response: ServerResponse,
): void {
  let removals: Removal[] = []
  let more = 0
  const stop = listen(removal => {
    if (removals.length < MOST) removals.push(removal)
    else more++
  })
  let cancel = () => {}
  const viewer = new Viewer(response, () => {
    cancel()
    stop()
  })
  let silent = 0
  const tell = () => {
    cancel = timersOf(undefined).after(EVERY, tell)
    // Now and then it says that it is there.
    const isQuiet = removals.length === 0 && more === 0 && ++silent < 10
    if (isQuiet || viewer.isBehind) return
    viewer.send('removals', { removals, more })
    removals = []
    more = 0
    silent = 0
  }
  viewer.send('removals', { removals, more })
  tell()
}
