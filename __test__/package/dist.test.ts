import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

// What users get: the built package, by its own name.
const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

const body = `
  const cache = new Cache({ max: 10, codec: json() })
  cache.set('a', { n: 1 })
  const clock = new ManualClock()
  const brief = new Cache({ max: 10, ttl: 5, clock })
  brief.set('a', 'b')
  clock.advance(5)
  let code
  try { cache.get({}) } catch (error) { code = error instanceof BreakwaterError && error.code }
  console.log(JSON.stringify([cache.get('a'), brief.get('a') ?? null, code]))
`
const expected = '[{"n":1},null,"ERR_INVALID_KEY"]'

test('the built package works from an ES module', async t => {
  const source = `
    import { BreakwaterError, Cache, json } from 'breakwater'
    import { ManualClock } from 'breakwater/testing'
    ${body}`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: root,
  })
  t.is(stdout.trim(), expected)
})

test('the built package works from CommonJS', async t => {
  const source = `
    const { BreakwaterError, Cache, json } = require('breakwater')
    const { ManualClock } = require('breakwater/testing')
    ${body}`
  const { stdout } = await run(process.execPath, ['--input-type=commonjs', '--eval', source], {
    cwd: root,
  })
  t.is(stdout.trim(), expected)
})

test('both ways into the package share their caches', async t => {
  const require = createRequire(import.meta.url)
  const commonjs = require('breakwater') as typeof import('../../src/index.ts')
  const esm = (await import('breakwater' as string)) as typeof import('../../src/index.ts')
  const cache = new esm.Cache({ name: 'both', max: 10 })
  const seen: string[] = []
  const same = new commonjs.Cache({ name: 'both' })
  same.onRemoval((key, value, reason) => seen.push(`${key} ${value} ${reason}`))
  cache.set('a', '1').delete('a')
  // To each other they are as two threads: what one removes the other hears of in a later turn.
  while (seen.length === 0) await new Promise(setImmediate)
  t.deepEqual(seen, ['a 1 deleted'])
  for (const { Cache, BreakwaterError } of [esm, commonjs]) {
    const error = t.throws(() => new Cache({ max: 1 }).get(null as never))
    t.true(error instanceof BreakwaterError)
  }
})

test('exported classes are called by the names that they are exported by', async t => {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const require = createRequire(import.meta.url)
  for (const entry of Object.keys(exports).filter(entry => entry !== './package.json')) {
    const specifier = `breakwater${entry.slice(1)}`
    for (const module of [await import(specifier), require(specifier)]) {
      for (const [name, value] of Object.entries(module)) {
        if (/^[A-Z]/.test(name) && typeof value === 'function') t.is(value.name, name)
      }
    }
  }
})
