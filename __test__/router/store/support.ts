// A node in front of a real Redis.
import type { ExecutionContext } from 'ava'
import { installed, type Raw, redis, type Served, serve } from '../support.ts'

/** Whether there is a Redis to stand in front of; an error if the environment demands it. */
export const hasRedis = installed('redis-server')

/** A store and a node in front of it. */
export interface Fronted {
  store: Served
  node: Served
}

/** Starts a Redis, and a node in front of it. */
export async function front(
  t: ExecutionContext,
  args: string[] = [],
  storeArgs: string[] = [],
): Promise<Fronted> {
  const store = await redis(t, ...storeArgs)
  const node = await serve(t, '--store', `redis://127.0.0.1:${store.port}`, ...args)
  return { store, node }
}

/** What `INFO` says of the store itself: a field of a section. */
export async function info(raw: Raw, section: string, field: string): Promise<string | undefined> {
  const text = await raw.send('INFO', section)
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(text)?.[1]
}

/** How often the store has run a command. */
export async function calls(raw: Raw, command: string): Promise<number> {
  const stats = await info(raw, 'commandstats', `cmdstat_${command}`)
  return Number(/calls=(\d+)/.exec(stats ?? '')?.[1] ?? 0)
}
