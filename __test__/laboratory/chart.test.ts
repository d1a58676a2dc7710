// Charts and progress of `breakwater simulate`: files that viewers open, and names that stay text.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Resvg } from '@resvg/resvg-js'
import test from 'ava'
import { ProgressBar } from '../../src/cli/progress-bar.ts'
import { newFolder, removeFolder } from '../helpers/folders.ts'
import { random } from '../helpers/random.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const folder = newFolder('chart')

test.after.always(() => removeFolder(folder))

const simulate = (...args: string[]) => run(process.execPath, [program, 'simulate', ...args])

/** A file of requests, most of them of few keys. */
function trace(name: string): string {
  const next = random(7)
  const file = join(folder, name)
  const lines = Array.from({ length: 20_000 }, () => `${Math.floor(2000 ** next())}\n`)
  writeFileSync(file, lines.join(''))
  return file
}

/** What an element's attribute is, in each element of that class. */
const classes = (svg: string, name: string) =>
  svg.match(new RegExp(`class="[^"]*\\b${name}\\b`, 'g'))?.length ?? 0

test('a chart has a line for each policy, and what LRU hits at every size behind them', async t => {
  const picture = join(folder, 'hits.svg')
  await simulate(trace('plain.txt'), '--chart', picture, '-p', 'lru', 'lfu', 'optimum')
  const svg = readFileSync(picture, 'utf8')
  // Two policies, the optimum, the curve.
  t.is(classes(svg, 'line'), 4)
  t.is(classes(svg, 'faint'), 2)
  for (const name of ['lru', 'lfu', 'optimum', 'lru, all sizes']) t.true(svg.includes(`>${name}<`))
  t.regex(svg, /20,000 requests of [\d,]+ keys/)
  const { width, height } = new Resvg(svg)
  t.deepEqual([width, height], [860, 480])
})

test('a chart of one size, and one with a ttl, are drawn', async t => {
  const picture = join(folder, 'one.svg')
  await simulate(trace('one.txt'), '-s', '50', '--chart', picture)
  t.is(new Resvg(readFileSync(picture, 'utf8')).width, 860)
  const times = join(folder, 'times.csv')
  const rows = Array.from({ length: 500 }, (_, at) => `${at % 50},${at}\n`)
  writeFileSync(times, `key,time\n${rows.join('')}`)
  await simulate(times, '--ttl', '90s', '--chart', picture)
  const svg = readFileSync(picture, 'utf8')
  t.false(svg.includes('lru, all sizes'), 'the curve knows no ttl')
})

test('the name of a file is text in a chart', async t => {
  const hostile = join(folder, 'a <script>alert(1)<')
  mkdirSync(hostile, { recursive: true })
  const file = trace('a <script>alert(1)</"&\u0007\'.txt')
  const picture = join(folder, 'hostile.svg')
  await simulate(file, '--chart', picture)
  const svg = readFileSync(picture, 'utf8')
  t.false(svg.includes('<script'))
  t.false(svg.includes('\u0007'))
  t.is(new Resvg(svg).width, 860, 'it is still XML')
})

test('a chart is a PNG of twice the size if its file says so', async t => {
  const picture = join(folder, 'hits.PNG')
  await simulate(trace('png.txt'), '--chart', picture)
  const png = readFileSync(picture)
  t.is(png.subarray(1, 4).toString(), 'PNG')
  t.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1720, 960])
})

test('a chart that cannot be saved says why', async t => {
  const file = trace('unsaved.txt')
  const nowhere = join(folder, 'nowhere/hits.svg')
  const failed = await t.throwsAsync<Error & { code: number; stderr: string; stdout: string }>(
    simulate(file, '--chart', nowhere),
  )
  t.is(failed.code, 1)
  t.is(failed.stdout, '')
  t.true(failed.stderr.startsWith(`breakwater: ${nowhere}: cannot be written (ENOENT`))
  const unfit = await t.throwsAsync<Error & { code: number; stderr: string }>(
    simulate(file, '--chart', 'hits.gif'),
  )
  t.is(unfit.code, 2)
  t.regex(unfit.stderr, /'hits.gif' is invalid.*end in \.svg or \.png/)
})

test('the curve of LRU is printed with how far off it may be', async t => {
  const { stdout } = await simulate(trace('curve.txt'), '--curve', '-p', 'lru')
  t.regex(stdout, /curve of lru +hits % +95 %\n/)
  t.regex(stdout, /entries +\d+\.\d\d +exact\n/)
})

test('progress is shown on a terminal alone', t => {
  const written: string[] = []
  const write = (text: string) => written.push(text)
  const shown = (isTTY: boolean) => {
    const bar = new ProgressBar('reading', 200, { isTTY, write } as unknown as NodeJS.WriteStream)
    bar.show(50)
    bar.show(400)
    bar.clear()
  }
  shown(false)
  t.deepEqual(written, [])
  shown(true)
  t.regex(written[0]!, /^\rreading █{8}░{22} 25 %, \d+ s left/)
  t.regex(written[1]!, /█{30} 100 %, 0 s left/)
  t.is(written[2], '\r\u001b[K')
})
