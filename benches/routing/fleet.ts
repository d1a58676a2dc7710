// A fleet of nodes with a local cache each, in time of its own: requests come by chance, nodes join,
// leave and are deployed, and a database with so many connections answers what no cache has.
import { LRUCache } from '../../dist/lru-cache/index.js'
import { Ring } from '../../dist/routing/index.js'
import { key, random, zipf } from '../lib/data.ts'

/** How a fleet is run. */
export interface Fleet {
  nodes: number
  /** Entries of each node's cache, and how long they live, in milliseconds. */
  max: number
  ttl: number
  /** Keys, drawn by Zipf 0.99. */
  keys: number
  /** Requests a second. */
  rate: number
  /** Connections to the database, and how long a query takes there: the mean, in milliseconds. */
  connections: number
  query: number
}

/** How a load balancer chooses the node of a request. */
export type Routing = 'random' | 'by key'

/** What became of the requests of some time. */
export interface Outcome {
  requests: number
  hits: number
  /** Milliseconds of each request. */
  latencies: number[]
  /** Of these, requests for keys that a join or a loss moved to another node, and their hits. */
  moved: { requests: number; hits: number }
}

/** What a request costs that finds its value in a node. */
const LOCAL = 0.5

export class Simulation {
  readonly #fleet: Fleet
  readonly #routing: Routing
  readonly #next: () => number
  readonly #ids: Uint32Array
  #drawn = 0
  #now = 0
  #names: string[]
  #ring: Ring
  /** The ring before nodes joined or left. */
  #before: Ring | undefined
  readonly #caches = new Map<string, LRUCache<string, number>>()
  /** When each connection is free again. */
  readonly #free: number[]

  constructor(fleet: Fleet, routing: Routing, seed = 1) {
    this.#fleet = fleet
    this.#routing = routing
    const next = random(seed)
    this.#next = () => next() / 2 ** 32
    this.#ids = zipf(fleet.keys, 1_000_000, seed)
    this.#free = new Array(fleet.connections).fill(0)
    this.#names = Array.from({ length: fleet.nodes }, (_, i) => `node-${i}`)
    this.#ring = new Ring(this.#names)
    for (const name of this.#names) this.#start(name)
  }

  /** Lets `seconds` of requests come. */
  run(seconds: number): Outcome {
    const moved = { requests: 0, hits: 0 }
    const outcome: Outcome = { requests: 0, hits: 0, latencies: [], moved }
    const end = this.#now + seconds * 1_000
    for (;;) {
      // The gaps between requests that come by chance.
      this.#now += (-Math.log(1 - this.#next()) * 1_000) / this.#fleet.rate
      if (this.#now >= end) return outcome
      this.#request(outcome)
    }
  }

  /** A node is gone. */
  lose(): void {
    const name = this.#names.shift() as string
    this.#caches.delete(name)
    this.#turn()
  }

  /** A node joins, with nothing in its cache. */
  join(name: string): void {
    this.#names.push(name)
    this.#start(name)
    this.#turn()
  }

  /** A node begins anew with nothing in its cache: one step of a deploy. */
  restart(index: number): void {
    this.#start(this.#names[index % this.#names.length] as string)
  }

  get nodes(): number {
    return this.#names.length
  }

  #turn(): void {
    this.#before = this.#ring
    this.#ring = new Ring(this.#names)
  }

  #start(name: string): void {
    const { max, ttl } = this.#fleet
    const perf = { now: () => this.#now }
    this.#caches.set(name, new LRUCache({ max, ttl, ttlResolution: 0, perf }))
  }

  #request(outcome: Outcome): void {
    const id = this.#ids[this.#drawn++ % this.#ids.length] as number
    const text = key(id)
    const cache = this.#caches.get(this.#nodeOf(text)) as LRUCache<string, number>
    const hasMoved =
      this.#before !== undefined && this.#before.locate(text) !== this.#ring.locate(text)
    outcome.requests++
    if (hasMoved) outcome.moved.requests++
    // Who asks while the value is being loaded waits for the same load.
    const ready = cache.get(text)
    if (ready === undefined) {
      const done = this.#query()
      cache.set(text, done)
      outcome.latencies.push(done - this.#now + LOCAL)
      return
    }
    outcome.hits++
    if (hasMoved) outcome.moved.hits++
    outcome.latencies.push(Math.max(0, ready - this.#now) + LOCAL)
  }

  #nodeOf(text: string): string {
    if (this.#routing === 'by key') return this.#ring.locate(text)
    return this.#names[Math.floor(this.#next() * this.#names.length)] as string
  }

  /** When a query that comes now is answered: it waits for the first connection that is free. */
  #query(): number {
    let first = 0
    this.#free.forEach((free, i) => {
      if (free < (this.#free[first] as number)) first = i
    })
    const begins = Math.max(this.#now, this.#free[first] as number)
    const done = begins - Math.log(1 - this.#next()) * this.#fleet.query
    this.#free[first] = done
    return done
  }
}

export const ratio = ({ hits, requests }: { hits: number; requests: number }): number =>
  hits / requests

export function percentile(latencies: readonly number[], share: number): number {
  const sorted = Float64Array.from(latencies).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
}
