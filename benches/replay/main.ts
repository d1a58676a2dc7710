/** `npm run replay -- FILE`: hit ratio and throughput of a trace. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  commandLine,
  flag,
  oneOf,
  refuse,
  someOf,
  text,
  wholes,
} from '../../scripts/command-line.mjs'
import { type Row, table, writeJson } from '../lib/report.ts'
import { FORMATS, type Format, formatOf, read, TraceError } from './formats.ts'
import { compare } from './reference.ts'
import { CLASSES, nameOf, POLICIES, Replay, type Side, sidesOf } from './replay.ts'

const HELP = `npm run replay -- FILE [options]
npm run replay -- --reference [FOLDER]

Replays a trace: each request is a get, each miss a set, every entry has the size 1.

  --capacity N,...   entries of the cache; 1 %, 4 % and 16 % of the distinct keys, if left out
  --policy NAME,...  of lru, lfu, auto, random; lru,lfu if left out
  --through NAME,... of Cache, drop-in, lru-cache, each with those of the policies that it has;
                     Cache if left out
  --format NAME      one of lines (one key a line), u32 (little-endian), lis (ARC), oracleGeneral;
                     told by the file's name, if left out; gzip is recognized by itself
  --reference        compare with the reference.tsv of a folder of traces; without FOLDER, of the
                     one that BREAKWATER_TRACES names
  --json FILE        write every figure
`

const from = (path: string) => resolve(process.env.INIT_CWD ?? '.', path)

/** Shares of the distinct keys, which a first pass over the file counts. */
async function shares(file: string, format: Format): Promise<number[]> {
  const seen = new Set<number | string>()
  for await (const batch of read(file, format)) for (const id of batch) seen.add(id)
  return [0.01, 0.04, 0.16].map(share => Math.max(1, Math.round(seen.size * share)))
}

async function replay(
  file: string,
  format: Format,
  sides: Side[],
  sizes: number[],
): Promise<Row[]> {
  const replays = sizes.flatMap(size => sides.map(side => new Replay(side, size)))
  for await (const batch of read(file, format)) for (const one of replays) one.run(batch)
  if (!replays[0]?.requests) throw new TraceError(`${file} holds no request`)
  console.log(`${file}: ${replays[0].requests.toLocaleString('en')} requests`)
  table([
    ['policy', 'entries', 'hits', 'M requests/s'],
    ...replays.map(({ side, capacity, ratio, rate }) => [
      nameOf(side),
      capacity,
      `${ratio.toFixed(2)} %`,
      rate.toFixed(2),
    ]),
  ])
  return replays.map(({ side, capacity, ratio }) => {
    const row = { bench: 'replay', what: file, entries: capacity, side: nameOf(side) }
    return { ...row, value: ratio, unit: '% hits' }
  })
}

async function main(): Promise<void> {
  const { values, names } = commandLine({
    help: HELP,
    options: {
      capacity: wholes(),
      policy: someOf(POLICIES, ['lru', 'lfu']),
      through: someOf(CLASSES, ['Cache']),
      format: oneOf(FORMATS),
      reference: flag(),
      json: text(),
    },
    names: { one: 'FILE', most: 1 },
  })
  const path = names[0] ?? (values.reference ? process.env.BREAKWATER_TRACES : undefined)
  if (path === undefined) return refuse('there must be a FILE; --help tells more')
  const file = from(path)
  if (!existsSync(file)) throw new TraceError(`there is no ${path}`)
  const sides = sidesOf(values.through, values.policy)
  if (sides.length === 0) throw new TraceError('no class of --through has a policy of --policy')
  const run = async () => {
    if (values.reference) return compare(file, sides)
    const known = values.format ?? formatOf(file)
    const sizes = values.capacity ?? (await shares(file, known))
    return replay(file, known, sides, sizes)
  }
  const rows = await run()
  if (values.json) writeJson(from(values.json), rows)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
