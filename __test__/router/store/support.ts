// A node in front of a real Redis.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { Ring } from '../../../src/routing/index.ts'
import { installed, Raw, redis, type Served, serve } from '../support.ts'

/** Whether there is a Redis to stand in front of; an error if the environment demands it. */
export const hasRedis = installed('redis-server')

/** However slow a machine is, its stores are no reason for an error, where a test does not say otherwise. */
export const PATIENT = ['--store-timeout', '1m']

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
  const node = await serve(t, '--store', `redis://127.0.0.1:${store.port}`, ...PATIENT, ...args)
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
  const behind = ['--store', `redis://127.0.0.1:${store.port}`, ...flags]
  return { store, replicas, node: await serve(t, ...behind, ...PATIENT, ...args) }
}

/** Starts a replica that has caught up with its primary, on this port if it is given. */
export async function replicaOf(
  t: ExecutionContext,
  store: Served,
  port?: number,
): Promise<Served> {
  const flags = port === undefined ? [] : ['--port', `${port}`]
  const replica = await redis(t, '--replicaof', `127.0.0.1 ${store.port}`, ...flags)
  const raw = await Raw.open(t, replica.port)
  while ((await info(raw, 'replication', 'master_link_status')) !== 'up') await sleep(5)
  return replica
}

/** Several stores, and a node in front of them. */
export interface Ringed {
  stores: Served[]
  node: Served
}

/** Starts several Redis servers, and a node that shares the keys out between them. */
export async function ring(
  t: ExecutionContext,
  count: number,
  args: string[] = [],
): Promise<Ringed> {
  const stores = await Promise.all(Array.from({ length: count }, () => redis(t)))
  const flags = stores.flatMap(({ port }) => ['--store', `redis://127.0.0.1:${port}`])
  return { stores, node: await serve(t, ...flags, ...PATIENT, ...args) }
}

/** A store of a ring that comes back, on its port. */
export const ringStore = (t: ExecutionContext, port: number): Promise<Served> =>
  redis(t, '--port', `${port}`)

/** The ring that a node in front of these stores has. */
export const ringOf = (stores: readonly Served[]): Ring =>
  new Ring(
    stores.map(({ port }) => `127.0.0.1:${port}`),
    { hashTags: true },
  )

/** The texts in the reply to a command, one behind the other; `(nil)` for what is none. */
export async function texts(raw: Raw, ...words: string[]): Promise<string[]> {
  const lines = (await raw.send(...words)).split('\r\n').slice(0, -1)
  const found: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    if (line === '$-1' || line === '_') found.push('(nil)')
    else if (line[0] === '$') found.push(lines[++at]!)
    else if (!'*~%'.includes(line[0]!)) found.push(line.slice(1))
  }
  return found
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

/** Opens clients of a protocol that subscribe to `news`, to a pattern, and to more. */
export function subscribers(
  t: ExecutionContext,
  port: number,
  protocol: string,
  {
    count = 50,
    pattern = 'n*',
    more = [],
  }: { count?: number; pattern?: string; more?: string[][] } = {},
): Promise<Raw[]> {
  const subscriber = async () => {
    const client = await Raw.open(t, port)
    await client.send('HELLO', protocol)
    const topics = [['SUBSCRIBE', 'news'], ['PSUBSCRIBE', pattern], ...more]
    for (const words of topics) await client.send(...words)
    return client
  }
  return Promise.all(Array.from({ length: count }, subscriber))
}

/** A Redis, and a node of this process in front of it that is as patient as a test says at the moment. */
export async function patientFront(
  t: ExecutionContext,
  options: RouterOptions = {},
  storeArgs: string[] = [],
) {
  const store = await redis(t, ...storeArgs)
  const url = `redis://127.0.0.1:${store.port}`
  const given: RouterOptions = { threads: 1, maxBytes: '16mb', store: url, ...options }
  const router = createRouter({ ...given, storeTimeout: '10m' })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  /** How long a reply to what is asked from now on may take. */
  const wait = (storeTimeout: string) => router.reload({ ...given, storeTimeout })
  return { store, router, port, wait }
}

/** A router of two processes in front of a store, in this process. */
export async function startProcesses(t: ExecutionContext, options: RouterOptions = {}) {
  t.timeout(180_000)
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const own = { mode: 'processes', workers: 2, maxBytes: '64mb' } as const
  const given = { ...own, store, storeTimeout: '1m', ...options } as const
  const router = createRouter(given)
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const processes = () => router.status().workers.processes
  return { router, port, given, behind, processes }
}
