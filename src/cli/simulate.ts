// `breakwater simulate`: what a cache would do for recorded requests.
import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import { BreakwaterError } from '../base/errors.ts'
import { byteCount, milliseconds } from '../base/units.ts'
import { type Advice, adviceOn } from '../lab/advice.ts'
import {
  type Format,
  formatOf,
  formats,
  type Outcome,
  type Plan,
  type Simulated,
  simulated,
  Trace,
} from '../lab/trace.ts'
import { sized, table } from './table.ts'

/** Shares of everything that are simulated if no size is given. */
const SHARES = [0.01, 0.04, 0.16]

/** Traces of more requests are advised on by a sample of this share of their keys. */
const SAMPLED = 2_000_000
const SAMPLE = 0.1

interface Flags {
  size?: Size[]
  policy: Simulated[]
  format?: Format
  ttl?: number
  nodes: number
  routing: 'deterministic' | 'random'
  limit: number
  json?: boolean
}

/** Entries, or bytes. */
interface Size {
  readonly capacity: number
  readonly inBytes: boolean
}

export const simulate = new Command('simulate')
  .description('Run recorded requests through caches of some sizes and policies, and count hits.')
  .argument('<trace>', 'the file: one key a line, or one of the formats below; also .gz and .zst')
  .option(
    '-s, --size <size...>',
    "what each cache holds: entries as 10000, or bytes of values as '64mb', for traces with sizes (default: 1 %, 4 % and 16 % of all keys)",
    size,
  )
  .addOption(
    new Option('-p, --policy <policy...>', 'which entry leaves')
      .choices([...simulated])
      .default([...simulated], 'all'),
  )
  .addOption(
    new Option(
      '-f, --format <format>',
      "what the file is (default: told by the file's name)",
    ).choices([...formats]),
  )
  .option('--ttl <duration>', "when a value is loaded again, as '5m', for traces with times", ttl)
  .option('--nodes <count>', 'caches beside one another, each of this size', wholeNumber, 1)
  .addOption(
    new Option('--routing <how>', 'to which of them a request goes: that of its key, or any')
      .choices(['deterministic', 'random'])
      .default('deterministic'),
  )
  .option('--limit <count>', 'read no more requests than this', wholeNumber, 2 ** 32 - 2)
  .option('--json', 'print every figure as JSON')
  .addHelpText(
    'after',
    `
Formats: lines (one key a line), csv (columns key, size, time), u32 (little-endian), lis (ARC),
oracleGeneral (libCacheSim).
Exit codes: 0 it was simulated, 1 the trace cannot be read, 2 an option is wrong.`,
  )
  .action(run)

async function run(file: string, flags: Flags): Promise<void> {
  try {
    const trace = await Trace.read(file, flags.format ?? formatOf(file), flags.limit)
    try {
      await report(file, trace, flags)
    } finally {
      trace.close()
    }
  } catch (error) {
    if (!(error instanceof BreakwaterError)) throw error
    process.stderr.write(`breakwater: ${file}: ${error.message}\n`)
    process.exitCode = 1
  }
}

async function report(file: string, trace: Trace, flags: Flags): Promise<void> {
  const wrong = misfit(trace, flags)
  if (wrong !== undefined) return simulate.error(`error: ${file} ${wrong}`)
  const sizes = flags.size ?? SHARES.map(share => sizeOf(trace, share))
  const plans = sizes.flatMap(size => flags.policy.map(policy => planOf(size, policy, flags)))
  const outcomes = await trace.simulate(plans, availableParallelism())
  const inBytes = sizes[0]?.inBytes ?? false
  const rate = trace.requests > SAMPLED ? SAMPLE : 1
  const advice = await adviceOn(trace, rate, inBytes)
  const { requests, keys } = trace
  if (flags.json) {
    const rows = plans.map((plan, at) => ({ ...plan, ...outcomes[at] }))
    const figures = { file, requests, keys, bytes: trace.bytes, rows, advice }
    process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
    return
  }
  process.stdout.write(`${file}: ${requests} requests of ${keys} keys\n\n`)
  process.stdout.write(table(rowsOf(trace, flags, sizes, outcomes)))
  process.stdout.write(`\n${sentence(advice, inBytes)}\n`)
}

/** What the trace does not have and an option needs. */
function misfit(trace: Trace, { size, ttl }: Flags): string | undefined {
  if (size?.some(({ inBytes }) => inBytes) && !trace.hasSizes) {
    return 'has no sizes: --size must be a number of entries'
  }
  if (ttl !== undefined && !trace.hasTimes) return 'has no times, which --ttl needs'
  return undefined
}

function sizeOf(trace: Trace, share: number): Size {
  return { capacity: Math.max(1, Math.round(trace.keys * share)), inBytes: false }
}

function planOf({ capacity, inBytes }: Size, policy: Simulated, flags: Flags): Plan {
  const { ttl, nodes, routing } = flags
  return { policy, capacity, inBytes, ttl, nodes, random: routing === 'random' }
}

/** A row for each size, with the hit ratio of each policy; that of bytes behind it, if there are sizes. */
function rowsOf(
  trace: Trace,
  { policy }: Flags,
  sizes: readonly Size[],
  outcomes: readonly Outcome[],
): string[][] {
  const row = (size: Size, at: number) => {
    const mine = outcomes.slice(at * policy.length, (at + 1) * policy.length)
    const cells = mine.map(({ requests, hits, bytes, hitBytes }) => {
      const ratio = percent(hits / requests)
      return trace.hasSizes ? `${ratio} / ${percent(bytes === 0 ? 0 : hitBytes / bytes)}` : ratio
    })
    return [sized(size), ...cells]
  }
  const unit = trace.hasSizes ? 'hits % / bytes %' : 'hits %'
  return [[unit, ...policy], ...sizes.map(row)]
}

function percent(share: number): string {
  return (share * 100).toFixed(2)
}

function sentence({ capacity, hitRatio, most }: Advice, inBytes: boolean): string {
  const answered = (share: number) => `${(share * 100).toFixed(0)} %`
  const cache = sized({ capacity, inBytes })
  return `A cache of ${cache} would answer ${answered(hitRatio)} of these requests (lru); one without bounds ${answered(most)}.`
}

function size(given: string, before: Size[] = []): Size[] {
  const entries = Number(given)
  if (Number.isSafeInteger(entries) && entries > 0) {
    return [...before, { capacity: entries, inBytes: false }]
  }
  const allowed = "It must be a number of entries above 0, or a size such as '64mb'."
  return [...before, { capacity: read(byteCount, given, allowed), inBytes: true }]
}

function ttl(given: string): number {
  return read(milliseconds, given, "It must be a duration such as '5m'.")
}

function read(
  parse: (option: string, given: string) => number,
  given: string,
  allowed: string,
): number {
  try {
    // A share of the machine's memory is no size of a simulation.
    if (!given.trim().endsWith('%')) return parse('', given)
  } catch (error) {
    if (!(error instanceof BreakwaterError)) throw error
  }
  throw new InvalidArgumentError(allowed)
}

function wholeNumber(given: string): number {
  const number = Number(given)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It must be a whole number above 0.')
}
