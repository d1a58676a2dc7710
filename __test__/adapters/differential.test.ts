import '../helpers/host-time.ts'
import test from 'ava'
import { createCache } from 'cache-manager'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { createStore } from '../../src/adapters/cache-manager.ts'
import { KeyvStore } from '../../src/adapters/keyv.ts'
import { Cache } from '../../src/index.ts'
import { clock } from '../helpers/host-time.ts'
import { chance } from '../helpers/random.ts'

// Programs of calls, drawn by chance, run against a library's own store in memory and against ours:
// both must answer alike. Time is the test's own for both.

const PROGRAMS = 25
const STEPS = 80

const keys = ['a', 'b', 'c', 'with:colon', '__proto__', 'é€']
// Whole milliseconds, and never the very moment of an end: who is right at that moment is a matter of taste.
// Nor NaN for Keyv: after it, `get` of Keyv 5 gives a value that `has` says is not there.
const ttls = [undefined, undefined, 0, 20, 1000, -1, Number.POSITIVE_INFINITY, null, 1e12]
const steps = [1, 30, 995]

const json = () => [
  'text',
  '',
  0,
  -1.5,
  true,
  false,
  null,
  { deep: [1, { two: 'drei' }], none: null },
  [],
  undefined,
]
const clones = () => [
  ...json(),
  Number.NaN,
  -0,
  12n,
  new Date(0),
  new Map([['a', new Set([1])]]),
  { at: new Date(1), gone: undefined },
  Buffer.from('bytes'),
  new Uint8Array([1, 2]),
]

async function settled(promise: unknown): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return { failed: String(error) }
  }
}

interface Version {
  name: string
  Class: typeof Keyv
  off: object
}
const versions: Version[] = [
  { name: '5', Class: Keyv, off: { serialize: undefined, deserialize: undefined } },
  { name: '6', Class: Keyv6 as unknown as typeof Keyv, off: { serialization: false } },
]

for (const { name, Class, off } of versions) {
  for (const text of [true, false]) {
    for (const ttl of [undefined, 50]) {
      const how = `${text ? 'as text' : 'as they are'}, ttl ${ttl}`
      test.serial(`Keyv ${name}, values ${how}: its own store and ours answer alike`, async t => {
        for (let seed = 1; seed <= PROGRAMS; seed++) {
          const draw = chance(seed)
          const cache = new Cache<string, unknown>({ max: 1000, clock })
          const pairs = ['one', 'two'].map(namespace => {
            const options = {
              namespace,
              ...(ttl === undefined ? {} : { ttl }),
              ...(text ? {} : off),
            }
            return [
              new Class(options as never),
              new Class({ ...options, store: new KeyvStore(cache) } as never),
            ] as const
          })
          const log: string[] = []
          for (let i = 0; i < STEPS; i++) {
            const pair = draw(pairs)
            const key = draw(keys)
            const some = [draw(keys), draw(keys), draw(keys)]
            const unique = [...new Set(some)]
            const life = draw(ttls) as number | undefined
            const at = draw([...(text ? json() : clones()).keys()])
            const value = () => (text ? json() : clones())[at]
            const entries = () => unique.map(key => ({ key, value: value(), ttl: life }))
            const call = draw<[string, (keyv: Keyv) => unknown]>([
              ['get', keyv => keyv.get(key)],
              ['getMany', keyv => keyv.getMany(some)],
              ['getRaw', keyv => keyv.getRaw(key)],
              ['has', keyv => keyv.has(key)],
              ['hasMany', keyv => keyv.hasMany(some)],
              ['set', keyv => keyv.set(key, value(), life)],
              ['set', keyv => keyv.set(key, value(), life)],
              ['set', keyv => keyv.set(key, value())],
              ['setMany', keyv => keyv.setMany(entries() as never)],
              // What has ended and was not read since counts as deleted there.
              [
                'delete',
                async keyv => ((await keyv.get(key)) === undefined ? 0 : keyv.delete(key)),
              ],
              ['deleteMany', async keyv => void (await keyv.deleteMany(unique))],
              ['clear', keyv => keyv.clear()],
              ['iterator', async keyv => all(keyv)],
            ])
            log.push(`${call[0]} ${key} [${some}] ttl ${life} value ${at} of ${pair[0].namespace}`)
            const [theirs, ours] = [
              await settled(call[1](pair[0])),
              await settled(call[1](pair[1])),
            ]
            t.deepEqual(plain(ours), plain(theirs), `program ${seed}:\n${log.join('\n')}`)
            if (draw([true, false])) {
              const step = draw(steps)
              log.push(`${step} ms later`)
              clock.advance(step)
            }
          }
          cache.close()
        }
      })
    }
  }
}

async function all(keyv: Keyv): Promise<unknown[]> {
  const entries: [string, unknown][] = []
  for await (const entry of keyv.iterator?.(undefined) ?? []) entries.push(entry as never)
  return entries.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Without fields that are undefined: `{ value, expires: undefined }` is `{ value }`. */
function plain(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('value' in answer)) return answer
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== undefined))
}

const finite = (end: unknown) => (end === Number.POSITIVE_INFINITY ? undefined : end)

for (const ttl of [undefined, 50]) {
  test.serial(`cache-manager, ttl ${ttl}: its own store and ours answer alike`, async t => {
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const draw = chance(seed)
      const options = ttl === undefined ? {} : { ttl }
      const pair = [
        createCache(options),
        createCache({ ...options, stores: [createStore({ max: 1000, clock })] }),
      ]
      const log: string[] = []
      for (let i = 0; i < STEPS; i++) {
        const key = draw(keys)
        const some = [draw(keys), draw(keys), draw(keys)]
        const life = draw([...ttls, Number.NaN]) as number | undefined
        const at = draw([...clones().keys()])
        const value = () => clones()[at]
        const list = () =>
          [...new Set(some)].map(key => ({ key, value: value(), ttl: life as number }))
        const call = draw<[string, (manager: (typeof pair)[number]) => unknown]>([
          ['get', manager => manager.get(key)],
          ['mget', manager => manager.mget(some)],
          // No end is `Infinity` there if that was given, and here it is always left out.
          ['ttl', async manager => finite((await manager.get(key)) && (await manager.ttl(key)))],
          ['set', manager => manager.set(key, value(), life)],
          ['set', manager => manager.set(key, value(), life)],
          ['mset', manager => manager.mset(list())],
          ['del', manager => manager.del(key)],
          ['mdel', manager => manager.mdel(some)],
          ['clear', manager => manager.clear()],
          ['wrap', manager => manager.wrap(key, async () => value(), life)],
          [
            'wrap ttl()',
            manager =>
              manager.wrap(
                key,
                async () => value(),
                () => life as number,
              ),
          ],
        ])
        log.push(`${call[0]} ${key} [${some}] ttl ${life} value ${at}`)
        const [theirs, ours] = [await settled(call[1](pair[0]!)), await settled(call[1](pair[1]!))]
        t.deepEqual(ours, theirs, `program ${seed}:\n${log.join('\n')}`)
        if (draw([true, false])) {
          const step = draw(steps)
          log.push(`${step} ms later`)
          clock.advance(step)
        }
      }
      await pair[1]!.disconnect()
    }
  })
}
