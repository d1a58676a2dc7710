// What a dashboard is given to show, told apart and made sources of.
import { InvalidOptionError } from '../base/errors.ts'
import type { Router } from '../router/index.ts'
import { CacheSource } from './cache-source.ts'
import { NodeSource } from './node-source.ts'
import type { Source } from './source.ts'

/** Anything that has what a dashboard asks of a cache: a `Cache` of any keys and values. */
export interface ShownCache {
  readonly name: string | undefined
  readonly closed: boolean
  invalidateTag(tag: string): void
}

/** What a dashboard shows. */
export type Shown = ShownCache | Router

/** How sources are shown. */
export interface SourceOptions {
  showsValues: boolean
  drain: (() => void) | undefined
}

/** A source for each of what is shown. Throws {@link InvalidOptionError}. */
export function sourcesOf(
  shown: Shown | Readonly<Record<string, Shown>>,
  { showsValues, drain }: SourceOptions,
): Source[] {
  if (typeof shown !== 'object' || shown === null) throw wrong(shown)
  const named = isCache(shown) || isRouter(shown) ? { [nameOf(shown)]: shown } : shown
  const sources = Object.entries(named as Record<string, Shown>).map(([id, each]) => {
    if (isRouter(each)) return new NodeSource(each, id, { drain, showsValues: () => showsValues })
    if (isCache(each)) return new CacheSource(each as never, id, showsValues)
    throw wrong(each)
  })
  if (sources.length === 0) throw wrong(shown)
  return sources
}

function nameOf(shown: Shown): string {
  return isRouter(shown) ? 'node' : (shown.name ?? 'cache')
}

function isRouter(shown: unknown): shown is Router {
  const { listen, stats } = shown as Partial<Router>
  return typeof listen === 'function' && typeof stats === 'function'
}

function isCache(shown: unknown): shown is ShownCache {
  const { invalidateTag, closed } = shown as Partial<ShownCache>
  return typeof invalidateTag === 'function' && typeof closed === 'boolean'
}

function wrong(shown: unknown): InvalidOptionError {
  return new InvalidOptionError('shown', shown, 'a cache, a router, or several by their names')
}
