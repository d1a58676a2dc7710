// `breakwater simulate`: what a cache would do for recorded requests.
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import { BreakwaterError } from '../base/errors.ts'
import { byteCount, milliseconds } from '../base/units.ts'
import { curveOf } from '../lab/advice.ts'
import {
  type Format,
  formatOf,
  formats,
  type Plan,
  type Simulated,
  simulated,
  Trace,
} from '../lab/trace.ts'
import { picture, wholeNumber } from './arguments.ts'
import { PictureError, save } from './picture.ts'
import { ProgressBar } from './progress-bar.ts'
import { chartOf, figuresOf, type Size, type Study, textOf } from './study.ts'

/** Shares of everything that are simulated if no size is given. */
const SHARES = [0.01, 0.04, 0.16]
/** The same, if they are to be drawn. */
const DRAWN_SHARES = [0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64]

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
  curve?: boolean
  chart?: string
  json?: boolean
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
    new Option('-p, --policy <policy...>', 'which entry leaves').choices([...simulated]).default(
      simulated.filter(policy => policy !== 'auto-bytes'),
      'all but auto-bytes',
    ),
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
  .option(
    '--curve',
    'print what LRU hits at every size, from a sample, and how far off that may be',
  )
  .option('--chart <file>', 'draw it: a file that ends in .svg or .png', picture)
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
    const trace = await read(file, flags)
    try {
      await report(file, trace, flags)
    } finally {
      trace.close()
    }
  } catch (error) {
    if (!(error instanceof BreakwaterError || error instanceof PictureError)) throw error
    const about = error instanceof PictureError ? flags.chart : file
    process.stderr.write(`breakwater: ${about}: ${error.message}\n`)
    process.exitCode = 1
  }
}

async function read(file: string, { format, limit }: Flags): Promise<Trace> {
  const bar = new ProgressBar('reading', statSync(file, { throwIfNoEntry: false })?.size ?? 0)
  try {
    return await Trace.read(file, format ?? formatOf(file), limit, bar.show)
  } finally {
    bar.clear()
  }
}

async function report(file: string, trace: Trace, flags: Flags): Promise<void> {
  const wrong = misfit(trace, flags)
  if (wrong !== undefined) return simulate.error(`error: ${file} ${wrong}`)
  const study = await studyOf(file, trace, flags)
  if (flags.chart !== undefined) await save(flags.chart, chartOf(study))
  const text = flags.json
    ? `${JSON.stringify(figuresOf(study), undefined, 2)}\n`
    : textOf(study, flags.curve ?? false)
  process.stdout.write(text)
}

async function studyOf(file: string, trace: Trace, flags: Flags): Promise<Study> {
  const shares = flags.chart === undefined ? SHARES : DRAWN_SHARES
  const sizes = flags.size ?? sizesOf(trace, shares)
  const plans = sizes.flatMap(size => flags.policy.map(policy => planOf(size, policy, flags)))
  const bar = new ProgressBar('simulating', trace.requests * plans.length)
  const outcomes = await trace.simulate(plans, availableParallelism(), bar.show)
  bar.clear()
  const inBytes = sizes[0]?.inBytes ?? false
  const rate = trace.requests > SAMPLED ? SAMPLE : 1
  const curve = await curveOf(trace, rate, inBytes)
  return { file, trace, sizes, policies: flags.policy, plans, outcomes, curve, inBytes }
}

/** What the trace does not have and an option needs. */
function misfit(trace: Trace, { size, ttl, policy }: Flags): string | undefined {
  if (policy.includes('auto-bytes') && size?.every(({ inBytes }) => inBytes) !== true) {
    return "is simulated by entries: the policy auto-bytes needs a --size in bytes, as '64mb'"
  }
  if (size?.some(({ inBytes }) => inBytes) && !trace.hasSizes) {
    return 'has no sizes: --size must be a number of entries'
  }
  if (ttl !== undefined && !trace.hasTimes) return 'has no times, which --ttl needs'
  return undefined
}

/** These shares of all keys, as entries: of few keys several shares are one size. */
function sizesOf(trace: Trace, shares: readonly number[]): Size[] {
  const capacities = shares.map(share => Math.max(1, Math.round(trace.keys * share)))
  return [...new Set(capacities)].map(capacity => ({ capacity, inBytes: false }))
}

function planOf({ capacity, inBytes }: Size, policy: Simulated, flags: Flags): Plan {
  const { ttl, nodes, routing } = flags
  return { policy, capacity, inBytes, ttl, nodes, random: routing === 'random' }
}

function size(given: string, before: Size[] = []): Size[] {
  const entries = Number(given)
  if (Number.isSafeInteger(entries) && entries > 0) {
    return [...before, { capacity: entries, inBytes: false }]
  }
  const allowed = "It must be a number of entries above 0, or a size such as '64mb'."
  return [...before, { capacity: parsed(byteCount, given, allowed), inBytes: true }]
}

function ttl(given: string): number {
  return parsed(milliseconds, given, "It must be a duration such as '5m'.")
}

function parsed(
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
