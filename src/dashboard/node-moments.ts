// What happens to a node, for its timeline: what has changed between two looks.
import type { HotKeyStats, Router, RouterStats, UpstreamStats } from '../router/index.ts'
import type { Tell } from './source.ts'

/** The share of the reads from which on it is told that a key is hot. */
const NOTABLE = 0.1
/** How many keys that turn hot at once are told, and how many characters of each. */
const MOST_HOT = 3
const LONGEST = 64
/** So many new clients in a second, and half of all that there are, are a deploy of theirs. */
const DEPLOY = 20

/** Tells what happens to a node. */
export class NodeMoments {
  readonly #router: Router
  #tell: Tell = () => {}
  #last: RouterStats | undefined
  /** When the last order by hand was given that is told. */
  #ordered = 0
  #deploys = false

  constructor(router: Router) {
    this.#router = router
  }

  start(tell: Tell): void {
    this.#tell = tell
    this.#last = undefined
  }

  stop(): void {
    this.#tell = () => {}
  }

  /** Tells of what has changed since the last look. */
  compare(stats: RouterStats): void {
    const last = this.#last
    this.#last = stats
    if (last === undefined) {
      this.#past(stats)
      return
    }
    const tell = this.#tell
    this.#compareOrders()
    if (stats.reloads > last.reloads)
      tell({ level: 'info', text: 'The configuration was reloaded.' })
    if (stats.reloadRefused && stats.reloadRefused.at !== last.reloadRefused?.at) {
      tell({ level: 'warn', text: `A reload was refused: ${stats.reloadRefused.why}` })
    }
    const faults = stats.faults - last.faults
    if (faults > 0) tell({ level: 'bad', text: `${faults} faults cost clients their connections.` })
    const replaced = stats.replaced - last.replaced
    if (replaced > 0) tell({ level: 'bad', text: `${replaced} threads failed and were replaced.` })
    this.#compareClients(last, stats)
    this.#compareStores(last.upstream, stats.upstream)
    this.#compareHot(last.hotKeys, stats.hotKeys)
  }

  #compareStores(last: readonly UpstreamStats[], now: readonly UpstreamStats[]): void {
    const before = new Map(last.map(store => [store.address, store]))
    for (const { address, state, breaker } of now) {
      const was = before.get(address)
      if (was?.state !== state) {
        const level = state === 'up' ? 'good' : state === 'unknown' ? 'info' : 'bad'
        this.#tell({ level, text: `The store ${address} is ${state}.` })
      }
      if ((was?.breaker ?? 'closed') !== breaker) {
        const level = breaker === 'open' ? 'bad' : breaker === 'closed' ? 'good' : 'info'
        this.#tell({ level, text: `The breaker of the store ${address} is ${breaker}.` })
      }
    }
    const left = last.filter(({ address }) => !now.some(store => store.address === address))
    for (const { address } of left) {
      this.#tell({ level: 'info', text: `The store ${address} left.` })
    }
  }

  #compareHot(last: readonly HotKeyStats[], now: readonly HotKeyStats[]): void {
    const before = new Set(last.filter(({ share }) => share >= NOTABLE).map(({ key }) => key))
    const came = now.filter(({ key, share }) => share >= NOTABLE && !before.has(key))
    for (const { key } of came.slice(0, MOST_HOT)) {
      this.#tell({ level: 'note', text: `${key.slice(0, LONGEST)} turned hot.` })
    }
  }

  /** Tells of what is known of the time before anybody watched. */
  #past({ reloadedAt, reloadRefused }: RouterStats): void {
    if (reloadedAt !== undefined) {
      this.#tell({ at: reloadedAt, level: 'info', text: 'The configuration was reloaded.' })
    }
    if (reloadRefused !== undefined) {
      const { at, why } = reloadRefused
      this.#tell({ at, level: 'warn', text: `A reload was refused: ${why}` })
    }
  }

  /** Clients that connect anew all at once are told once, however long it takes. */
  #compareClients(last: RouterStats, { connections, clients }: RouterStats): void {
    const came = connections - last.connections
    const isDeploy = came >= DEPLOY && came * 2 >= clients
    if (isDeploy && !this.#deploys) {
      const text = `${came} clients connected within a second, as in a deploy.`
      this.#tell({ level: 'info', text })
    }
    this.#deploys = isDeploy
  }

  /** Tells what was invalidated by hand, from wherever. */
  #compareOrders(): void {
    for (const { at, order, of, count } of this.#router.memory?.orders ?? []) {
      if (at <= this.#ordered) continue
      this.#ordered = at
      const what =
        order === 'flush'
          ? 'Flushed: nothing that was read is given any more'
          : order === 'invalidate'
            ? `Invalidated ${of}`
            : `Invalidated ${count} keys that begin with ${of}`
      this.#tell({ at, level: 'info', text: `${what}.` })
    }
  }
}
