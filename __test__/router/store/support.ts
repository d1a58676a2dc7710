// A node in front of a real Redis.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { installed, Raw, redis, type Served, serve } from '../support.ts'

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

/** A store with replicas, and a node in front of them. */
export interface Replicated extends Fronted {
  replicas: Served[]
}

/** Starts a Redis with replicas that have caught up, and a node that reads them. */
export async function replicate(
  t: ExecutionContext,
  args: string[] = ['--read-from', 'preferReplica'],
  count = 2,
): Promise<Replicated> {
  const store = await redis(t, '--repl-diskless-sync-delay', '0')
  const replicas = await Promise.all(Array.from({ length: count }, () => replicaOf(t, store)))
  const flags = replicas.flatMap(({ port }) => ['--store-replica', `redis://127.0.0.1:${port}`])
  const node = await serve(t, '--store', `redis://127.0.0.1:${store.port}`, ...flags, ...args)
  return { store, replicas, node }
}

/** Starts a replica that has caught up with its primary, on this port if it is given. */
export async function replicaOf(
  t: ExecutionContext,
  store: Served,
  port?: number,
): Promise<Served> {
  const flags = port === undefined ? [] : ['--port', `${port}`]
  const replica = await redis(t, '--replicaof', `127.0.0.1 ${store.port}`, ...flags)
  const raw = await Raw.open(t, port ?? replica.port)
  while ((await info(raw, 'replication', 'master_link_status')) !== 'up') await sleep(5)
  return { ...replica, port: port ?? replica.port }
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
