// What importing each entry loads: the native module only where it is needed, and nothing early that
// is seldom needed and takes long.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** Modules of Node.js that take longer to load than most of ours. */
const SLOW = [
  ...['crypto', 'zlib', 'net', 'worker_threads', 'child_process', 'cluster', 'http', 'tls'],
  ...['v8', 'stream'],
]

/** Entries that load no native module, and those that need a slow module at once. */
const JAVASCRIPT = [
  './lru-cache',
  './metrics',
  './opentelemetry',
  './redis',
  './routing',
  './testing',
]
const NEEDS: Record<string, readonly string[]> = {
  './admin': ['crypto', 'http', 'net', 'stream'],
  './dashboard': ['crypto', 'net', 'stream'],
  './redis': ['crypto', 'zlib'],
  './router': ['net', 'worker_threads'],
}

interface Loaded {
  /** Native modules. */
  native: number
  /** Modules of Node.js. */
  builtin: string[]
  /** Packages. */
  packages: string[]
}

/** What a process loads that imports an entry and does nothing else. */
async function load(entry: string, way: 'import' | 'require', then = ''): Promise<Loaded> {
  const name = `breakwater${entry.slice(1)}`
  const source = `
    const { dlopen } = process
    let native = 0
    process.dlopen = (...args) => (native++, dlopen.apply(process, args))
    const { createRequire } = await import('node:module')
    const require = createRequire(${JSON.stringify(`${root}x.js`)})
    await import('node:fs')
    const before = new Set(process.moduleLoadList)
    const module = ${way === 'import' ? `await import('${name}')` : `require('${name}')`}
    ${then}
    const builtin = process.moduleLoadList
      .filter(name => !before.has(name) && /^NativeModule (?!internal)/.test(name))
      .map(name => name.slice('NativeModule '.length))
    const packages = Object.keys(require.cache).filter(path => path.includes('node_modules'))
    console.log(JSON.stringify({ native, builtin, packages }))`
  const args = ['--input-type=module', '--eval', source]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  return JSON.parse(stdout)
}

for (const entry of Object.keys(exports).filter(entry => entry !== './package.json')) {
  for (const way of ['import', 'require'] as const) {
    test.serial(`${entry} loads what it needs: ${way}`, async t => {
      const { native, builtin, packages } = await load(entry, way)
      t.is(native, JAVASCRIPT.includes(entry) ? 0 : 1)
      const slow = builtin.filter(name => SLOW.includes(name))
      t.deepEqual(
        slow.filter(name => !NEEDS[entry]?.includes(name)),
        [],
      )
      t.deepEqual(packages, [])
    })
  }
}

for (const way of ['import', 'require'] as const) {
  test.serial(`the first shared cache of the drop-in loads the native module: ${way}`, async t => {
    const one = await load('./lru-cache', way, 'new module.LRUCache({ max: 5 }).set(1, 1)')
    t.is(one.native, 0)
    const shared = `
      const a = new module.LRUCache({ shared: 'a', max: 5 })
      const b = new module.LRUCache({ shared: 'a' })
      a.set('k', { v: 1 })
      if (b.get('k').v !== 1 || !(b instanceof module.LRUCache)) throw new Error('not shared')`
    t.is((await load('./lru-cache', way, shared)).native, 1)
  })
}

test.serial('a shared cache takes the clock of the other kind of modules', async t => {
  const then = `
    const { ManualClock } = await import('breakwater/testing')
    const clock = new ManualClock()
    const cache = new module.LRUCache({ shared: 'timed', max: 5, ttl: 10, clock })
    cache.set('a', 1)
    clock.advance(11)
    if (cache.get('a') !== undefined) throw new Error('the clock was not heard')`
  t.is((await load('./lru-cache', 'import', then)).native, 1)
})
