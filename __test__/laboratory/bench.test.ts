// `breakwater bench`: what it compares, prints and draws, and what it says where something is missing.
// Nothing is asserted of how fast anything is.
import { execFile } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { folderOf } from '../helpers/folders.ts'
import { run } from '../router/support.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(root, 'dist/cli.js')

interface Figures {
  about: string
  reference: string
  rows: { entries: number; operation: string; side: string; ratio: number; nanoseconds: number }[]
}

test('every side is measured at every size, and drawn', async t => {
  t.timeout(180_000)
  const picture = join(folderOf(t, 'bench'), 'bench.svg')
  const args = ['-n', '100', '1000', '--rounds', '2', '--json', '--chart', picture]
  const { code, output } = await run('bench', ...args)
  t.is(code, 0, output)
  const { about, reference, rows } = JSON.parse(output) as Figures
  t.is(reference, 'lru-cache')
  t.regex(about, /^lru-cache \d+\.\d+\.\d+, quick-lru \d+\.\d+\.\d+; Node\.js 2\d\./)
  const sides = ['breakwater/lru-cache', 'Cache', 'lru-cache', 'quick-lru']
  const expected = [100, 1000].flatMap(entries =>
    ['get', 'same', 'set'].flatMap(operation => sides.map(side => [entries, operation, side])),
  )
  t.deepEqual(
    rows.map(({ entries, operation, side }) => [entries, operation, side]),
    expected,
  )
  for (const { side, ratio, nanoseconds } of rows) {
    t.true(ratio > 0 && nanoseconds > 0)
    if (side === reference) t.is(ratio, 1)
  }
  const svg = readFileSync(picture, 'utf8')
  for (const side of sides) t.true(svg.includes(`>${side}<`), side)
})

test('it says what to install where there is nothing to compare with', async t => {
  const bench = promisify(execFile)(process.execPath, [CLI, 'bench'], { cwd: folderOf(t, 'bench') })
  const failed = await t.throwsAsync<Error & { code: number; stderr: string }>(bench)
  t.is(failed.code, 1)
  t.is(failed.stderr, 'breakwater: there is nothing to compare with: npm install lru-cache\n')
})

test('a peer that is not installed takes no part, and a table says it in words', async t => {
  t.timeout(180_000)
  const cwd = folderOf(t, 'bench')
  const modules = folderOf(t, 'bench')
  symlinkSync(modules, join(cwd, 'node_modules'), 'junction')
  symlinkSync(join(root, 'node_modules/lru-cache'), join(modules, 'lru-cache'), 'junction')
  const args = [CLI, 'bench', '-n', '100', '--rounds', '1', '-o', 'same']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd })
  t.regex(stdout, /^Times as fast as lru-cache \(lru-cache \d/)
  t.regex(
    stdout,
    /get, the same key objects +100\n {2}breakwater\/lru-cache +\d+\.\d\dx\n {2}Cache/,
  )
  t.false(/quick-lru|just built|evicts/.test(stdout))
})

test('options that cannot be are refused', async t => {
  const cases: [says: RegExp, ...args: string[]][] = [
    [/from 2 to 5000000/, '-n', '1'],
    [/from 2 to 5000000/, '-n', '1e9'],
    [/whole number above 0/, '--rounds', '0'],
    [/Allowed choices are get, same, set/, '-o', 'del'],
    [/end in \.svg or \.png/, '--chart', 'bench.gif'],
  ]
  for (const [says, ...args] of cases) {
    const { code, output } = await run('bench', ...args)
    t.is(code, 2, output)
    t.regex(output, says)
  }
})
