// `breakwater simulate`: hit ratios of recorded requests, and clear words for what cannot be read.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { newFolder, removeFolder } from '../helpers/folders.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const folder = newFolder('simulate')

test.after.always(() => removeFolder(folder))

interface Report {
  requests: number
  keys: number
  rows: {
    policy: string
    capacity: number
    inBytes: boolean
    requests: number
    hits: number
    expired: number
    bytes: number
    hitBytes: number
  }[]
  advice: { capacity: number; hitRatio: number; most: number }
}

const simulate = (...args: string[]) => run(process.execPath, [program, 'simulate', ...args])

async function figures(file: string, contents: Buffer | string, ...args: string[]) {
  const path = join(folder, file)
  writeFileSync(path, contents)
  const { stdout } = await simulate(path, '--json', ...args)
  return JSON.parse(stdout) as Report
}

async function refused(t: { is(a: unknown, b: unknown): void }, code: number, ...args: string[]) {
  const failed: { code?: number; stderr?: string; stdout?: string } = await simulate(...args).then(
    () => ({}),
    error => error,
  )
  t.is(failed.code, code)
  t.is(failed.stdout, '')
  return failed.stderr ?? ''
}

/** Twice the blocks 5, 6, 7 and 8, once the block 9: four hits of nine where all of them fit. */
const BLOCKS = [5, 6, 7, 8, 5, 6, 7, 8, 9]
const lines = BLOCKS.map(block => `block ${block}\n`).join('')
const u32 = Buffer.from(Uint32Array.from(BLOCKS).buffer)
const oracle = Buffer.concat(
  BLOCKS.map((block, at) => {
    const record = Buffer.alloc(24)
    record.writeUInt32LE(at)
    record.writeBigUInt64LE(2n ** 60n + BigInt(block), 4)
    record.writeUInt32LE(10, 12)
    return record
  }),
)
/** `lines` as `zstd` writes it, in two frames. */
const zstd = (text: string) =>
  Buffer.concat([text.slice(0, 20), text.slice(20)].map(part => rawFrame(Buffer.from(part))))

/** A zstd frame of one block that is not compressed (RFC 8878). */
function rawFrame(bytes: Buffer): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length])
  const block = Buffer.alloc(3)
  block.writeUIntLE(1 | (bytes.length << 3), 0, 3)
  return Buffer.concat([header, block, bytes])
}

const FILES: Record<string, Buffer | string> = {
  'trace.txt': lines,
  'trace.txt.gz': gzipSync(lines),
  'trace.txt.zst': zstd(lines),
  'trace.csv': `time,key,size\n${BLOCKS.map((block, at) => `${at},b${block},10\n`).join('')}`,
  'bare.csv': BLOCKS.map((block, at) => `b${block},10,${at}.5\n`).join(''),
  'trace.u32': u32,
  'trace.lis': '5 4 0 0\n5 5 0 1\n',
  'trace.oracleGeneral.gz': gzipSync(oracle),
}

for (const [name, contents] of Object.entries(FILES)) {
  test(`the requests of ${name} are run through every policy`, async t => {
    const { requests, keys, rows, advice } = await figures(name, contents, '-s', '10', '2')
    t.deepEqual([requests, keys, rows.length], [9, 5, 16])
    for (const { capacity, hits, policy } of rows) {
      if (capacity === 10) t.is(hits, 4, policy)
      else t.true(hits <= 2, policy)
    }
    t.is(advice.capacity, 4)
    t.true(Math.abs(advice.most - 4 / 9) < 1e-9)
  })
}

test('bytes, ttl and nodes count', async t => {
  const trace = 'key,size,time\na,60,0\nb,50,1\na,60,2\nc,10,3\nc,10,9\na,60,9\n'
  const byBytes = await figures('sizes.csv', trace, '-s', '100b', '-p', 'lru')
  t.like(byBytes.rows[0], { inBytes: true, hits: 2, bytes: 250, hitBytes: 70 })
  const ttl = await figures('ttl.csv', trace, '-s', '10', '-p', 'lru', '--ttl', '5s')
  t.like(ttl.rows[0], { requests: 6, hits: 1, expired: 2 })
  const many = Array.from({ length: 4000 }, (_, n) => `${(n * 7) % 100}\n`).join('')
  const nodes = ['-s', '100', '-p', 'lru', '--nodes', '4']
  const routed = await figures('nodes.txt', many, ...nodes)
  const random = await figures('nodes.txt', many, ...nodes, '--routing', 'random')
  t.is(routed.rows[0]?.hits, 3900)
  t.is(random.rows[0]?.hits, 3600)
})

test('a table says it in words', async t => {
  const file = join(folder, 'words.txt')
  writeFileSync(file, lines)
  const { stdout } = await simulate(file, '-s', '10', '-p', 'lru', 'optimum')
  t.regex(stdout, /9 requests of 5 keys/)
  t.regex(stdout, /10 entries +44\.44 +44\.44/)
  t.regex(stdout, /A cache of 4 entries would answer 44 % of these requests/)
})

test('of few keys, shares that come to one size are simulated once', async t => {
  const { rows } = await figures('few.txt', 'a\nb\nc\na\n', '-p', 'lru')
  t.deepEqual(
    rows.map(({ capacity }) => capacity),
    [1],
  )
})

const BROKEN: [name: string, contents: Buffer | string, says: RegExp][] = [
  ['empty.txt', '', /there is no request in it/],
  ['blank.txt', '\n\n', /there is no request in it/],
  ['cut.u32', u32.subarray(0, 6), /ends within a record of 4 bytes/],
  ['cut.txt.gz', gzipSync(lines.repeat(100)).subarray(0, 40), /incomplete deflate stream/],
  ['damaged.txt.gz', Buffer.concat([gzipSync(lines).subarray(0, 12), Buffer.alloc(30, 7)]), /./],
  ['damaged.txt.zst', zstd(lines).subarray(0, 12), /./],
  ['text.lis', 'a b\n', /line 1 must begin with a block and a count, not "a b"/],
  ['size.csv', 'key,size\na,b\n', /line 2: the size must be a number of at least 0, not "b"/],
]

for (const [name, contents, says] of BROKEN) {
  test(`${name} is refused with its name and why`, async t => {
    writeFileSync(join(folder, name), contents)
    const said = await refused(t, 1, join(folder, name))
    t.true(said.startsWith(`breakwater: ${join(folder, name)}: `), said)
    t.regex(said, says)
    t.notRegex(said, /bug in breakwater/)
  })
}

test('what an option needs and the trace does not have is said', async t => {
  const file = join(folder, 'plain.txt')
  writeFileSync(file, lines)
  const cases: [args: string[], says: RegExp][] = [
    [['-s', '64mb'], /has no sizes: --size must be a number of entries/],
    [['--ttl', '5m'], /has no times, which --ttl needs/],
    [['-s', '0'], /--size .*argument '0' is invalid.*entries above 0, or a size such as '64mb'/],
    [['-s', '25%'], /argument '25%' is invalid/],
    [['--ttl', 'soon'], /argument 'soon' is invalid.*a duration such as '5m'/],
    [['-p', 'fifo'], /Allowed choices are lru, lfu/],
    [['--nodes', '0'], /whole number above 0/],
    [['--format', 'xml'], /Allowed choices are lines, csv/],
    [[], /missing required argument 'trace'/],
  ]
  for (const [args, says] of cases) {
    t.regex(
      await refused(t, 2, ...(args.length === 0 ? [] : [file, ...args])),
      says,
      args.join(' '),
    )
  }
  t.regex(await refused(t, 1, join(folder, 'nowhere')), /nowhere: .*No such file/i)
})
