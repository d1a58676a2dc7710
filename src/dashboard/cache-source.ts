// A cache as a dashboard shows it, through its public methods and events.
import { dateNow, setImmediate } from '../base/runtime.ts'
import type { CacheKey, PolicyStats } from '../base/types.ts'
import type { Cache } from '../cache/cache.ts'
import { CHARTS, COLUMNS, GAUGES, HOT, type Name } from './cache-shape.ts'
import { figure } from './format.ts'
import type { Action, KeyText, Look, Outcome, Shape } from './frames.ts'
import { BOUNDS, Histogram, percentile } from './histogram.ts'
import {
  keyOf,
  keyText,
  Rates,
  rowsOf,
  type Source,
  share,
  type Tell,
  type TellRemovals,
} from './source.ts'

/** A cache of any keys and values. */
export type AnyCache = Cache<CacheKey, unknown>

/** How many hot keys are asked for. */
const HOT_KEYS = 100
/** How many keys are invalidated by a prefix in one turn of the event loop. */
const BATCH = 1000
/** The most characters of a value that are shown. */
const LONGEST_VALUE = 2000
/** The most characters of the beginning of keys that are counted apart. */
const LONGEST_CLASS = 32

/** Shows a cache. */
export class CacheSource implements Source {
  readonly shape: Shape
  readonly #cache: AnyCache
  readonly #showsValues: boolean
  readonly #rates = new Rates()
  readonly #durations = new Histogram()
  #listening: (() => void)[] = []

  constructor(cache: AnyCache, id: string, showsValues: boolean) {
    this.#cache = cache
    this.#showsValues = showsValues
    this.shape = {
      id,
      name: cache.name ?? id,
      kind: 'cache',
      columns: COLUMNS,
      gauges: GAUGES,
      charts: CHARTS,
      heat: { title: 'Load latency, distribution', bounds: BOUNDS },
      tables: [HOT],
      actions: ['inspect', 'invalidate', 'invalidatePrefix', 'invalidateTag', 'flush'],
      removals: 'Removals',
    }
  }

  start(tell: Tell): void {
    this.#rates.clear()
    if (this.#cache.closed) return
    this.#listening = [
      this.#cache.on('load', ({ duration }) => this.#durations.add(duration)),
      this.#cache.on('breaker', ({ of, state }) => {
        const level = state === 'open' ? 'bad' : state === 'closed' ? 'good' : 'info'
        tell({ level, text: `The breaker of the ${of} is ${state}.` })
      }),
      this.#cache.on('tier', ({ state, operation }) => {
        if (state === 'failed') tell({ level: 'warn', text: `The tier failed: ${operation}.` })
        else if (state === 'lost') tell({ level: 'bad', text: 'The tier tells of no changes.' })
        else tell({ level: 'good', text: 'The tier tells of changes again.' })
      }),
    ]
  }

  stop(): void {
    for (const stop of this.#listening) stop()
    this.#listening = []
    this.#durations.take()
  }

  look(now: number): Look {
    if (this.#cache.closed) {
      const values = COLUMNS.map(() => null)
      return { values, tables: {}, about: [], state: 'down', stateText: 'closed' }
    }
    this.#rates.begin(now)
    const stats = this.#cache.stats()
    const rate = (name: Name, count: number) => this.#rates.rate(name, count)
    const heat = this.#durations.take()
    const hits = rate('hits', stats.hits)
    const reads = rate('reads', stats.hits + stats.misses)
    const values: Record<Name, number | null> = {
      reads,
      hits,
      ratio: share(hits, reads),
      sets: rate('sets', stats.sets),
      deletes: rate('deletes', stats.deletes),
      evictions: rate('evictions', stats.evictions),
      expirations: rate('expirations', stats.expirations),
      rejected: rate('rejected', stats.rejected),
      entries: stats.entries,
      bytes: stats.bytes,
      loads: rate('loads', stats.loads),
      failed: rate('failed', stats.loadsFailed),
      tierHits: rate('tierHits', stats.tierHits),
      coalesced: rate('coalesced', stats.coalesced),
      stale: rate('stale', stats.stale),
      refreshes: rate('refreshes', stats.refreshes),
      p50: percentile(heat, 0.5),
      p90: percentile(heat, 0.9),
      p99: percentile(heat, 0.99),
      pending: this.#cache.writeStats?.pending ?? null,
      maxBytes: this.#cache.bounds.maxBytes ?? null,
    }
    const isFailing = (values.failed ?? 0) > 0
    return {
      values: COLUMNS.map(name => values[name]),
      heat,
      tables: { hot: this.#hot(stats.hits + stats.misses) },
      about: this.#about(stats.policy),
      state: isFailing ? 'degraded' : 'up',
      stateText: isFailing ? 'loads fail' : 'up',
    }
  }

  #hot(reads: number) {
    const hot = this.#cache.hotKeys(HOT_KEYS)
    return rowsOf(
      hot.map(({ key, count }) => [keyText(key), Math.min(1, count / Math.max(1, reads)), count]),
    )
  }

  /** What it goes by. */
  #about({ name, rule }: PolicyStats): [string, string][] {
    const { max, maxBytes } = this.#cache.bounds
    return [
      ['policy', rule === undefined ? name : `${name}: ${rule} now`],
      ['most entries', max === undefined ? 'any number' : max.toLocaleString('en')],
      ['most bytes', maxBytes === undefined ? 'any number' : figure(maxBytes, 'bytes')],
    ]
  }

  removals(tell: TellRemovals): () => void {
    return this.#cache.onRemoval((key, _, reason) =>
      tell([{ at: dateNow(), key: keyText(key), reason }], [[classOf(key), 1]]),
    )
  }

  async act({ action, key, text = '' }: Action): Promise<Outcome> {
    switch (action) {
      case 'inspect':
        return this.#inspect(key!)
      case 'invalidate': {
        const was = this.#cache.has(keyOf(key!))
        await this.#cache.invalidate(keyOf(key!))
        return { ok: true, text: was ? 'Invalidated.' : 'Invalidated; it was not here.' }
      }
      case 'invalidatePrefix':
        return this.#invalidatePrefix(text)
      case 'invalidateTag':
        this.#cache.invalidateTag(text)
        return { ok: true, text: 'All entries with this tag are invalidated.' }
      case 'flush':
        this.#cache.clear()
        return { ok: true, text: 'Flushed.' }
      default:
        return { ok: false, text: `A cache knows no ${action}.` }
    }
  }

  async #invalidatePrefix(prefix: string): Promise<Outcome> {
    let count = 0
    for (const key of this.#cache.keys()) {
      if (typeof key !== 'string' || !key.startsWith(prefix)) continue
      await this.#cache.invalidate(key)
      // Others have their turn.
      if (++count % BATCH === 0) await new Promise<void>(resolve => setImmediate(resolve))
    }
    return { ok: true, text: `Invalidated ${count} entries.` }
  }

  #inspect(given: KeyText): Outcome {
    const key = keyOf(given)
    const info = this.#cache.info(key)
    if (info === undefined) return { ok: true, text: 'There is no such entry.' }
    const facts: [string, string][] = [
      [
        'life left',
        info.ttl === Number.POSITIVE_INFINITY ? 'no end' : `${Math.round(info.ttl)} ms`,
      ],
      ['age', info.age === undefined ? 'unknown' : `${Math.round(info.age)} ms`],
      ['charged', `${info.bytes} bytes`],
      ['tags', String(info.tagCount)],
      ['version', String(info.version ?? 'none')],
      ['reads of late', info.hits === undefined ? 'not counted' : `${info.hits} of 3`],
    ]
    if (this.#showsValues) facts.push(['value', shown(this.#cache.peek(key))])
    return { ok: true, text: 'Found.', facts }
  }
}

/** How a key begins: what stands before its first colon. */
function classOf(key: CacheKey): string {
  if (typeof key !== 'string') return typeof key === 'number' ? 'numbers' : 'bytes'
  const end = key.indexOf(':')
  return end < 0 ? 'others' : `${key.slice(0, Math.min(end, LONGEST_CLASS))}:*`
}

/** A value as text, cut. */
function shown(value: unknown): string {
  let text: string | undefined
  try {
    text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  } catch {
    // Circles and big integers have no JSON.
  }
  text ??= String(value)
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text
}
