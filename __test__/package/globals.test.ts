// The globals of time are taken once, at import: who replaces them afterwards changes nothing here.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const src = new URL('../../src/', import.meta.url)

const timers = ['setTimeout', 'clearTimeout', 'setImmediate', 'queueMicrotask', 'nextTick']
const never =
  /\bperformance\s*[.[]|\bDate\s*[.[]|\bnew Date\(|\bprocess\.nextTick\b|\bsetInterval\(/
const elsewhere = /from '(node:)?(timers|perf_hooks)(\/promises)?'/

/** The code of a file without its comments. */
function codeOf(file: string): string {
  const text = readFileSync(new URL(file, src), 'utf8')
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}

// The drop-in does as lru-cache does, which looks at the globals at each call.
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map(file => file.replaceAll('\\', '/'))
  .filter(file => file.endsWith('.ts') && file !== 'base/runtime.ts')
  .filter(file => !file.startsWith('lru-cache/'))
  // It runs in a browser.
  .filter(file => !file.startsWith('dashboard/page/'))

test('only base/runtime.ts takes clocks, timers and queues from the runtime', t => {
  t.true(files.length > 100)
  for (const file of files) {
    const code = codeOf(file)
    t.notRegex(code, never, file)
    t.notRegex(code, elsewhere, file)
    const [, imported = ''] = /import \{([^}]*)\} from '[^']*\/runtime\.ts'/.exec(code) ?? []
    for (const name of timers) {
      const isCalled = new RegExp(`(?<![.\\w])${name}\\(`).test(code)
      t.is(isCalled, isCalled && imported.includes(name), `${file} calls ${name}`)
    }
  }
})

test('copies, loads, breakers, writes and timeouts keep their time when the globals are replaced', async t => {
  const source = `
    import { Cache } from './src/index.ts'
    const { setTimeout: wait, setImmediate: turn } = globalThis
    const sleep = ms => new Promise(resolve => wait(resolve, ms))
    const until = async what => { while (!(await what())) await sleep(10) }
    const frozen = () => { throw new Error('a replaced global was called') }
    for (const name of ['setTimeout', 'clearTimeout', 'setImmediate', 'setInterval', 'queueMicrotask']) {
      globalThis[name] = frozen
    }
    performance.now = () => 0
    process.nextTick = new Proxy(process.nextTick, { apply: (f, self, [g, ...args]) => {
      if (new Error().stack.includes('/src/')) frozen()
      return f.call(self, g, ...args)
    } })
    Date.now = () => 0

    const seen = {}
    const cache = new Cache({ max: 10, codec: 'json', ttl: 1000, near: true })
    cache.set('a', { n: 1 })
    seen.near = [cache.get('a')?.n, cache.get('a')?.n, cache.stats().nearHits > 0]
    await until(() => cache.get('a') === undefined)

    let calls = 0
    const sick = new Cache({ max: 10, origin: { breaker: { failures: 1, halfOpenAfter: 3000 } } })
    const load = key => { if (++calls === 1) throw new Error('sick'); return key }
    const code = promise => promise.then(value => value, error => error.code ?? error.message)
    seen.breaker = [await code(sick.getOrSet('a', load)), await code(sick.getOrSet('a', load))]
    await until(async () => {
      seen.breaker[2] = await code(sick.getOrSet('a', load))
      return seen.breaker[2] !== 'ERR_BREAKER_OPEN'
    })

    const slow = new Cache({ max: 10, timeout: 30 })
    seen.timeout = await code(slow.getOrSet('a', () => sleep(200)))

    const batched = new Cache({ max: 10, batchLoader: keys => keys.map(key => key + keys.length) })
    seen.batch = await Promise.all([batched.fetch('a'), batched.fetch('b')])

    const written = []
    const behind = new Cache({
      max: 10,
      writeBehind: { maxDelay: 20, writer: entries => void written.push(...entries) },
    })
    await behind.put('a', '1')
    await until(() => written.length > 0)
    seen.written = written.length
    await behind.close()
    console.log(JSON.stringify(seen))
  `
  const flags = ['--import=tsx', '--input-type=module', '--eval', source]
  const { stdout } = await run(process.execPath, flags, { cwd: root, timeout: 240_000 })
  t.deepEqual(JSON.parse(stdout), {
    near: [1, 1, true],
    breaker: ['sick', 'ERR_BREAKER_OPEN', 'a'],
    timeout: 'ERR_LOAD_TIMEOUT',
    batch: ['a2', 'b2'],
    written: 1,
  })
})
