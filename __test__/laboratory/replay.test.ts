// `npm run replay`: every format of trace gives the same requests, and a bad file a clear error.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { newFolder, removeFolder } from '../helpers/folders.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../benches/replay/main.ts', import.meta.url))
const folder = newFolder('replay')

test.after.always(() => removeFolder(folder))

const replay = (...args: string[]) =>
  run(process.execPath, ['--import=tsx', program, ...args], {
    env: { ...process.env, INIT_CWD: folder },
  })

/** Twice the blocks 5, 6, 7 and 8, once the block 9: four hits of nine where all of them fit. */
const BLOCKS = [5, 6, 7, 8, 5, 6, 7, 8, 9]

const u32 = Buffer.from(Uint32Array.from(BLOCKS).buffer)
const oracle = Buffer.concat(
  BLOCKS.map((block, at) => {
    const record = Buffer.alloc(24)
    record.writeUInt32LE(at)
    // Beyond 2^53, where numbers can no longer tell two ids apart.
    record.writeBigUInt64LE(2n ** 60n + BigInt(block), 4)
    return record
  }),
)
const lines = Buffer.from(BLOCKS.map(block => `block ${block}\n`).join(''))
const FILES: Record<string, Buffer> = {
  'trace.txt': lines,
  'trace.txt.gz': gzipSync(lines),
  'trace.u32': u32,
  'trace.u32.gz': gzipSync(u32),
  'trace.lis': Buffer.from('5 4 0 0\n5 5 0 1\n'),
  'trace.oracleGeneral': oracle,
  'trace.oracleGeneral.gz': gzipSync(oracle),
}

for (const [name, contents] of Object.entries(FILES)) {
  test.serial(`the requests of ${name} are counted`, async t => {
    writeFileSync(join(folder, name), contents)
    const report = join(folder, `${name}.json`)
    const options = ['--capacity', '10', '--policy', 'lru,lfu,auto,random', '--json', report]
    const { stdout } = await replay(name, ...options)
    t.regex(stdout, /9 requests/)
    const { rows } = JSON.parse(readFileSync(report, 'utf8'))
    for (const policy of ['lru', 'lfu', 'auto', 'random']) {
      const row = rows.find((row: { side: string }) => row.side === policy)
      t.is(row.value, (4 / 9) * 100, policy)
    }
  })
}

test.serial('a folder is compared with its reference, row by row', async t => {
  writeFileSync(join(folder, 'few.u32.gz'), gzipSync(u32))
  writeFileSync(
    join(folder, 'reference.tsv'),
    'trace\tentries\tlru\ts3-fifo\nfew\t10\t44.44\t40.00\n',
  )
  const { stdout } = await replay('--reference', folder)
  t.regex(stdout, /few +10 +44\.44 +40\.00 +44\.44 +\+0\.00 +44\.44 +\+4\.44/)
})

test.serial('a trace runs through the drop-in and lru-cache as well', async t => {
  writeFileSync(join(folder, 'through.u32'), u32)
  const report = join(folder, 'through.json')
  const classes = ['--through', 'Cache,drop-in,lru-cache']
  await replay('through.u32', '--capacity', '10', ...classes, '--json', report)
  const { rows } = JSON.parse(readFileSync(report, 'utf8'))
  t.deepEqual(
    rows.map(({ side, value }: { side: string; value: number }) => [side, value]),
    ['lru', 'lfu', 'drop-in lru', 'drop-in lfu', 'lru-cache lru'].map(side => [side, 400 / 9]),
  )
})

const BAD: [string, string[], RegExp][] = [
  ['a file that is not there', ['none.txt'], /there is no none\.txt/],
  ['a capacity of 0', ['trace.bad', '--capacity', '0'], /--capacity must be whole numbers above 0/],
  [
    'an unknown policy',
    ['trace.bad', '--policy', 'fifo'],
    /--policy must be of lru, lfu, auto, random/,
  ],
  ['an unknown class', ['trace.bad', '--through', 'Map'], /--through must be of Cache, drop-in/],
  ['a broken record', ['trace.bad', '--format', 'u32'], /ends within a record of 4 bytes/],
  ['a line that is no ARC trace', ['trace.bad', '--format', 'lis'], /not a line of an ARC trace/],
  ['zstd', ['trace.zst'], /compressed by zstd/],
]
writeFileSync(join(folder, 'trace.bad'), 'block')
writeFileSync(join(folder, 'trace.zst'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]))

for (const [what, args, message] of BAD) {
  test.serial(`${what} is refused`, async t => {
    const error = await t.throwsAsync(replay(...args))
    t.regex((error as Error & { stderr: string }).stderr, message)
  })
}
