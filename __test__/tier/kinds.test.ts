// Values of every kind through a second tier: what one process stored another one gets as it was.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Cache, type CodecName, type Tier } from '../../src/index.ts'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed } from '../router/support.ts'
import { connect, type Library, libraries } from './invalidation.ts'
import { servers } from './servers.ts'

const check = installed('redis-server') ? test : test.skip

const bytes = [Buffer.alloc(0), Buffer.from([0, 255, 4, 16]), new Uint8Array([1]), new Uint8Array()]
const texts = ['', 'text', 'é€', '\ud83d', '\u0000', '\u0004true', '1', 'x'.repeat(100_000)]
const numbers = [0, -0, 1.5, -1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 5e-324]
const plain = [
  true,
  false,
  { a: [1, { b: null }] },
  [],
  [[], {}],
  { text: 'é', flag: true },
  'text',
  12.5,
]
const clones = [
  ...plain,
  12n,
  -(2n ** 70n),
  new Date(5),
  new Date(Number.NaN),
  /é+/giu,
  new Map<unknown, unknown>([
    [new Date(1), new Set([1n])],
    ['a', new Map()],
  ]),
  new Set(['a', { b: 1 }]),
  new Error('wrong', { cause: 1 }),
  new RangeError('far'),
  new Float64Array([1.5, -0]),
  new Uint16Array([1, 65_535]),
  new Uint8Array([9]).buffer,
  { at: new Date(7), gone: undefined, big: 1n, bytes: new Uint8Array([1]) },
]

/** What each codec takes. `undefined` and `null` stand for nothing, and are not stored there. */
const kinds: Record<Exclude<CodecName, 'heap'>, unknown[]> = {
  any: [...texts, ...numbers, ...bytes, ...clones],
  structured: clones,
  json: plain,
  string: texts,
  number: numbers,
  bytes: bytes.slice(0, 2),
}

/** A tier that takes the cache for one of another name, as it would be in another process. */
const renamed = (inner: Tier, name: string): Tier => ({
  open: host => inner.open({ ...host, name }),
})

/**
 * A process's cache, which bears with a server that is slow: what is loaded while its connection counts as
 * lost is not stored there, and then nobody else finds it.
 */
async function open(t: ExecutionContext, library: Library, port: number, codec: string) {
  const { client } = await connect(t, library, port)
  const cache = new Cache<string, unknown>({
    name: `kinds ${Math.random()}`,
    max: 1000,
    codec: codec as never,
    tier: renamed(redisTier(client, { timeout: '20s', invalidation: { bound: '20s' } }), codec),
  })
  t.teardown(() => cache.close())
  await cache.ready
  return cache
}

for (const { title, start } of servers) {
  for (const library of libraries) {
    for (const [codec, values] of Object.entries(kinds)) {
      check(`what ${codec} stores comes back in another process: ${library}, ${title}`, async t => {
        t.timeout(120_000)
        const { port } = await start(t)
        const [one, other, third] = await Promise.all(
          [1, 2, 3].map(() => open(t, library, port, codec)),
        )
        const { send } = await connect(t, library, port)
        const loader = () => t.fail('the tier has it') as never
        const keys = values.map((_, i) => `${i}`)
        // Half of them are written, half of them loaded.
        for (const [i, key] of keys.entries()) {
          if (i % 2 === 0) await one?.put(key, values[i])
          else await one?.fetch(key, { loader: () => values[i] })
        }
        const stored = async () => (await send('KEYS', `${codec}:*`)) as string[]
        while ((await stored()).length < keys.length) await sleep(1)
        for (const [i, key] of keys.entries()) {
          t.deepEqual(await other?.fetch(key, { loader }), values[i], `value ${i}`)
          // As it is kept there, too.
          t.deepEqual(await other?.fetch(key, { loader }), values[i], `value ${i} again`)
        }
        t.deepEqual(await third?.fetchMany(keys, loader), values)
      })
    }
  }
}
