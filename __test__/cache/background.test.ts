// What a cache does by itself never throws into the event loop: it warns and goes on.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { newFolder, removeFolder } from '../helpers/folders.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a script that must end well, whatever its caches do; what it printed. */
async function script(body: string, env: object = {}): Promise<string[]> {
  const folder = newFolder('background')
  const source = `
    import { writeFileSync, existsSync } from 'node:fs'
    import { Cache } from './src/index.ts'
    import { ManualClock } from './src/testing.ts'
    const folder = ${JSON.stringify(folder)}
    process.on('uncaughtException', error => console.log('uncaught', error))
    process.on('unhandledRejection', error => console.log('unhandled', error))
    process.on('warning', warning => {
      if (warning.name !== 'ExperimentalWarning') console.log('warned', warning.code ?? warning.message)
    })
    let lines = 0
    const { log } = console
    console.log = (...words) => {
      lines++
      log(...words)
    }
    const turn = () => new Promise(resolve => setTimeout(resolve, 5))
    const until = async what => { while (!what()) await turn() }
    /** Waits until so many lines are printed. */
    const told = count => until(() => lines >= count)
    const clock = new ManualClock()
    ${body}`
  const flags = ['--import=tsx', '--input-type=module', '--eval', source]
  const options = { cwd: root, timeout: 240_000, env: { ...process.env, ...env } }
  const { stdout } = await run(process.execPath, flags, options).finally(() => removeFolder(folder))
  return stdout.split('\n').filter(line => line !== '')
}

const tier = `
  const failing = async () => { throw new Error('the tier is sick') }
  const nothing = async () => undefined
  const session = (more = {}) => ({
    open: () => ({
      ready: Promise.resolve(), get: nothing, set: async () => true, delete: nothing,
      invalidateTag: nothing, clear: nothing, lease: nothing, written: nothing,
      publishHot: nothing, fleetHot: async () => [], close: nothing, ...more,
    }),
  })`

const table: Record<string, [body: string, printed: string[]]> = {
  'a hot set is saved of a cache that was opened without its codec': [
    `const first = new Cache({ name: 'json', max: 10, codec: 'json' })
     first.set('a', { n: 1 })
     const path = folder + '/hot'
     const second = Cache.open('json', { warm: { from: path, every: 1000 }, clock: undefined })
     second.get('a')
     await second.ready
     await second.close()
     console.log(existsSync(path), (await new Cache({ max: 10, codec: 'json' }).load(path)))`,
    ['true 1'],
  ],
  'a hot set that cannot be saved': [
    `const cache = new Cache({ max: 10, clock, warm: { from: folder, every: 1000 } })
     await cache.ready
     cache.set('a', '1').get('a')
     clock.advance(1000)
     await told(1)
     console.log(cache.get('a'))`,
    ['warned ERR_SNAPSHOT_IO', 'warned ERR_SNAPSHOT_IO', '1'],
  ],
  'a hot set that the fleet does not take': [
    `${tier}
     const warm = { from: 'tier', every: 1000 }
     const cache = new Cache({ name: 'n', max: 10, clock, warm, tier: session({ publishHot: failing }) })
     cache.on('tier', ({ operation }) => console.log('told', operation))
     await cache.ready
     clock.advance(1000)
     await told(1)
     console.log(cache.set('a', '1').get('a'))`,
    ['told hot', '1'],
  ],
  'a warm start that fails is not complete': [
    `${tier}
     const one = new Cache({ name: 'n', max: 10, warm: { from: 'tier' }, tier: session({ fleetHot: failing }) })
     one.on('tier', ({ operation }) => console.log('told', operation))
     console.log(JSON.stringify(await one.ready))
     writeFileSync(folder + '/damaged', 'no snapshot')
     const two = new Cache({ max: 10, warm: { from: folder + '/damaged' } })
     console.log(JSON.stringify(await two.ready))
     await told(4)`,
    [
      'told hot',
      '{"loaded":0,"complete":false}',
      'warned ERR_SNAPSHOT_DAMAGED',
      '{"loaded":0,"complete":false}',
    ],
  ],
  'an invalidation that is repeated': [
    `${tier}
     let fails = false
     const more = { delete: async () => { if (fails) throw new Error('the tier is sick') } }
     const cache = new Cache({ name: 'n', max: 10, clock, tier: session(more) })
     await cache.invalidate('a', { again: 100 })
     cache.on('tier', ({ operation }) => console.log('told', operation))
     fails = true
     clock.advance(100)
     await told(1)
     console.log(cache.set('a', '1').get('a'))`,
    ['told delete', '1'],
  ],
  'a removal whose value cannot be read': [
    `const codec = { name: 'sick', encode: value => value, decode: () => { throw new Error('sick') } }
     const cache = new Cache({ max: 1, codec })
     cache.onRemoval(() => console.log('told'))
     cache.on('evict', () => console.log('told'))
     cache.set('a', '1').delete('a')
     console.log(cache.size)`,
    ['0', 'warned ERR_DECODE'],
  ],
  'a refresh in the background': [
    `let [sick, loads] = [false, 0]
     const loader = () => { loads++; if (sick) throw new Error('sick'); return 'value' }
     const cache = new Cache({ max: 10, ttl: 100, clock, refreshAhead: 0.5, loader })
     await cache.fetch('a')
     sick = true
     clock.advance(60)
     console.log(await cache.fetch('a'))
     await until(() => loads === 2)
     await turn()
     console.log(cache.get('a'))`,
    ['value', 'value'],
  ],
  'writes behind that fail, and are given up': [
    `const writer = () => { throw new Error('sick') }
     const cache = new Cache({ max: 10, writeBehind: { writer, retries: 0, maxDelay: 5 } })
     await cache.put('a', '1')
     await cache.flush()
     await told(1)
     console.log(cache.get('a'))
     await cache.close()`,
    ['warned ERR_WRITE_FAILED', '1'],
  ],
}

for (const [name, [body, printed]] of Object.entries(table)) {
  test(name, async t => {
    const lines = await script(body)
    t.deepEqual([...lines].sort(), [...printed].sort())
  })
}

test('a runtime that takes no memory from outside has no near cache, and loads as any other', async t => {
  const printed = await script(
    `const cache = new Cache({ max: 10, codec: 'json', ttl: 100, staleWhileRevalidate: 1000, clock })
     let loads = 0
     const loader = async key => ({ key, n: ++loads })
     const all = await Promise.all([cache.getOrSet('a', loader), cache.getOrSet('a', loader)])
     console.log(JSON.stringify(all), cache.get('a').n, cache.get('a').n)
     clock.advance(150)
     console.log((await cache.getOrSet('a', loader)).n)
     await until(() => cache.get('a')?.n === 2)
     console.log(cache.get('a').n, cache.stats().nearHits, cache.stats().hits > 0)
     const asked = new Cache({ max: 10, near: true })
     console.log(asked.set('a', '1').get('a'), asked.getMany(['a', 'b']).length)
     await asked.close()
     await cache.close()`,
    { BREAKWATER_SHARED_MEMORY: '0' },
  )
  t.deepEqual(printed, ['[{"key":"a","n":1},{"key":"a","n":1}] 1 1', '1', '2 0 true', '1 2'])
})
