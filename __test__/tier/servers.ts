// The servers that a tier works over: a Redis, and `breakwater serve` with a store of its own. What the
// tier promises holds over each. Clusters, sentinels and failover are tested where there are some: a node
// has none of them.
import type { ExecutionContext } from 'ava'
import { redis, type Served, serve } from '../router/support.ts'

/** A kind of server. */
export interface ServerKind {
  readonly title: string
  /** What it has not that a Redis has: see {@link NODE_LACKS}. */
  readonly lacks: readonly string[]
  /** Runs one until the test ends. */
  start(t: ExecutionContext, ...args: string[]): Promise<Served>
}

/**
 * What `breakwater serve` has not with a store of its own, for which tests ask otherwise or not at all: no
 * types but texts, no scripts that it could forget or run for others, no transactions, no users that change,
 * no counts of single commands.
 */
export const NODE_LACKS = [
  'SCRIPT',
  'EVAL',
  'MULTI',
  'ACL',
  'LPUSH',
  'SADD',
  'SCARD',
  'INFO commandstats',
] as const

/** `breakwater serve` with a store of its own. */
export function node(t: ExecutionContext, threads: number, ...args: string[]): Promise<Served> {
  return serve(t, '--threads', `${threads}`, '--max-bytes', '256mb', ...args)
}

/** All kinds. */
export const servers: readonly ServerKind[] = [
  { title: 'Redis', lacks: [], start: redis },
  { title: 'a node', lacks: NODE_LACKS, start: (t, ...args) => node(t, 2, ...args) },
]
