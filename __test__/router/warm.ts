// What the tests of a warm start share: a store whose keys are read by Zipf's law, nodes that begin, and reads as
// a node keeps them.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { createAdmin } from 'breakwater/admin'
import { createRouter, type LogFields, type RouterOptions } from 'breakwater/router'
import { folderOf } from '../helpers/folders.ts'
import { calls } from './store/support.ts'
import { encode, Raw, redis } from './support.ts'

export const KEYS = 2000
const TOGETHER = 50
export const TOKEN = 'a-token-of-some-letters'
export const MODES: RouterOptions[] = [
  { threads: 2 },
  { threads: 0 },
  { mode: 'processes', workers: 2 },
]

export async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(5)
}

/** Keys by Zipf's law, always the same ones. */
export function* zipf(seed = 7): Generator<string, never> {
  const sums = [0]
  for (let rank = 1; rank <= KEYS; rank++) sums.push(sums.at(-1)! + rank ** -0.99)
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const at = (state / 2 ** 32) * sums.at(-1)!
    yield `key:${sums.findIndex(sum => sum > at) - 1}`
  }
}

/** A store that holds all keys, each with a value that is to stay there. */
export async function storeOf(t: ExecutionContext) {
  t.timeout(180_000)
  const { port } = await redis(t)
  const direct = await Raw.open(t, port)
  const pairs = Array.from({ length: KEYS }, (_, at) => [`key:${at}`, `value-of-${at}`])
  await direct.send('MSET', ...pairs.flat())
  return { direct, store: `redis://127.0.0.1:${port}` }
}

/** Reads so often, some at a time; which share of that the store is not asked for. */
export async function hits(direct: Raw, client: Raw, keys: Iterator<string>, count: number) {
  const before = await calls(direct, 'get')
  for (let left = count; left > 0; left -= TOGETHER) {
    const reads = Array.from({ length: Math.min(left, TOGETHER) }, () => [
      'GET',
      keys.next().value!,
    ])
    client.write(Buffer.concat(reads.map(encode)))
    await client.replies(reads.length)
  }
  return 1 - ((await calls(direct, 'get')) - before) / count
}

/** A node of this process that begins, and what it tells of that. */
export function beginner(t: ExecutionContext, options: RouterOptions) {
  const told: LogFields[] = []
  const hear = (fields: LogFields) => void told.push(fields)
  const router = createRouter({
    maxBytes: '64mb',
    threads: options.workers === undefined ? 1 : undefined,
    ...options,
    logger: { debug: hear, info: hear, warn: hear, error: hear },
  })
  t.teardown(() => router.close())
  const begun = () => told.find(({ event }) => event.startsWith('began_'))
  return { router, told, begun }
}

/** A node that has answered what `zipf` reads, its entrance and its hit ratio. */
export async function experienced(t: ExecutionContext, options: RouterOptions, direct: Raw) {
  const { router } = beginner(t, options)
  const { port } = await router.listen({ port: 0 })
  // Both processes, if there are two.
  const clients = await Promise.all(Array.from({ length: 8 }, () => Raw.open(t, port)))
  const keys = zipf()
  for (let round = 0; round < 2; round++) {
    for (const client of clients) await hits(direct, client, keys, 2000)
  }
  const ratio = await hits(direct, clients[0]!, keys, 1000)
  const admin = createAdmin(router, { listen: '127.0.0.1:0', token: TOKEN })
  t.teardown(() => admin.close())
  const address = await admin.listen()
  return { router, ratio, address }
}

export function tokenIn(t: ExecutionContext): string {
  const file = join(folderOf(t, 'token'), 'token')
  writeFileSync(file, `${TOKEN}\n`)
  return file
}

/** Bytes behind their length. */
export function put(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A request as a node tells of it: how often, of which database, its name, its words. */
export function told(name: string, words: string[], db = 0): Buffer {
  const letters = Buffer.from(name)
  letters[letters.length - 1]! |= 128
  return put(
    Buffer.concat([Buffer.from([1, db]), letters, ...words.map(word => put(Buffer.from(word)))]),
  )
}

/** What a node keeps, of reads that may be none. */
export function kept(...reads: Buffer[]): Buffer {
  const all = Buffer.concat(reads)
  const digest = createHash('sha256').update(all).digest()
  return Buffer.concat([Buffer.from('breakwater hot reads 1\n'), digest, all])
}

export const GOOD = kept(told('get', ['key:1']), told('get', ['key:2']))
