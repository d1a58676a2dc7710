// `breakwater bench`: caches compared on this machine.
import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Contestant, compared, type Measured, median } from '../bench/comparison.ts'
import { installed } from '../bench/installed.ts'
import { type Operation, operations } from '../bench/operations.ts'
import { type SideName, sides } from '../bench/side.ts'
import { type Chart, TIMES } from '../lab/chart.ts'
import { picture, wholeNumber } from './arguments.ts'
import { PictureError, save } from './picture.ts'
import { ProgressBar } from './progress-bar.ts'
import { compact, table } from './table.ts'

/** The side that all others are compared with. */
const REFERENCE = 'lru-cache'
/** The most entries: each side holds their keys as well. */
const MOST = 5_000_000

interface Flags {
  entries?: number[]
  operation: Operation[]
  rounds: number
  chart?: string
  json?: boolean
}

/** What was measured at one size. */
interface Size {
  readonly entries: number
  readonly measured: ReadonlyMap<Operation, Measured>
}

export const bench = new Command('bench')
  .description('Compare caches on this machine: how many times as fast as lru-cache each is.')
  .option('-n, --entries <count...>', 'what each cache holds (default: 1000 10000 100000)', count)
  .addOption(
    new Option('-o, --operation <name...>', 'what is measured')
      .choices(Object.keys(operations))
      .default(Object.keys(operations), 'all'),
  )
  .option('--rounds <count>', 'how often, in turn', wholeNumber, 7)
  .option('--chart <file>', 'draw the first operation: a file that ends in .svg or .png', picture)
  .option('--json', 'print every figure as JSON')
  .addHelpText(
    'after',
    `
lru-cache must be installed where the command runs: npm install lru-cache. quick-lru takes part if it is.
A machine that does other work meanwhile gives other figures.
Exit codes: 0 it was measured, 1 something is missing, 2 an option is wrong.`,
  )
  .action(run)

async function run({ entries = [1000, 10_000, 100_000], ...flags }: Flags): Promise<void> {
  const all = contestants()
  if (!all.some(({ name }) => name === REFERENCE)) {
    process.stderr.write(`breakwater: there is nothing to compare with: npm install ${REFERENCE}\n`)
    process.exitCode = 1
    return
  }
  const sizes = await measuredAt(entries, all, flags)
  const about = aboutOf(all)
  if (
    flags.chart !== undefined &&
    !(await drawn(flags.chart, chartOf(sizes, flags.operation[0]!, about)))
  )
    return
  const figures = () => `${JSON.stringify(figuresOf(sizes, about), undefined, 2)}\n`
  process.stdout.write(flags.json ? figures() : textOf(sizes, about))
}

async function measuredAt(
  entries: number[],
  all: Contestant[],
  flags: Omit<Flags, 'entries'>,
): Promise<Size[]> {
  const { operation, rounds } = flags
  const bar = new ProgressBar('measuring', entries.length * operation.length * rounds)
  let done = 0
  const told = () => bar.show(++done)
  const sizes: Size[] = []
  for (const size of entries) {
    sizes.push({ entries: size, measured: await compared(all, size, operation, rounds, told) })
  }
  bar.clear()
  return sizes
}

/** Whether a chart could be saved. */
async function drawn(file: string, chart: Chart): Promise<boolean> {
  try {
    await save(file, chart)
    return true
  } catch (error) {
    if (!(error instanceof PictureError)) throw error
    process.stderr.write(`breakwater: ${file}: ${error.message}\n`)
    process.exitCode = 1
    return false
  }
}

/** The sides that can take part. */
function contestants(): Contestant[] {
  return Object.entries(sides).flatMap(([name, { package: needed }]): Contestant[] => {
    if (needed === undefined) return [{ name: name as SideName, url: '', version: '' }]
    const found = installed(needed)
    return found === undefined ? [] : [{ name: name as SideName, ...found }]
  })
}

/** What is compared, and where. */
function aboutOf(sides: readonly Contestant[]): string {
  const packages = sides.filter(({ version }) => version !== '')
  const versions = packages.map(({ name, version }) => `${name} ${version}`).join(', ')
  return `${versions}; Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores`
}

/** How many times as fast as the reference a side is: the median of the rounds. */
function ratioOf(measured: Measured, name: SideName): number {
  const theirs = measured.get(REFERENCE)!
  return median(measured.get(name)!.map((taken, round) => theirs[round]! / taken))
}

function textOf(sizes: readonly Size[], about: string): string {
  const parts = [`Times as fast as ${REFERENCE} (${about}):\n`]
  for (const [operation, title] of Object.entries(operations)) {
    const measured = sizes.map(size => size.measured.get(operation as Operation))
    const first = measured[0]
    if (first === undefined) continue
    const head = [title, ...sizes.map(({ entries }) => compact(entries))]
    const rows = [...first.keys()].map(name => [
      `  ${name}`,
      ...measured.map(at => `${ratioOf(at!, name).toFixed(2)}x`),
    ])
    parts.push(table([head, ...rows]))
  }
  return parts.join('\n')
}

function figuresOf(sizes: readonly Size[], about: string): object {
  const rows = sizes.flatMap(({ entries, measured }) =>
    [...measured].flatMap(([operation, sides]) =>
      [...sides].map(([side, nanoseconds]) => ({
        entries,
        operation,
        side,
        ratio: ratioOf(sides, side),
        nanoseconds: median(nanoseconds),
      })),
    ),
  )
  return { about, reference: REFERENCE, rows }
}

function chartOf(sizes: readonly Size[], operation: Operation, about: string): Chart {
  const measured = sizes.map(({ entries, measured }) => ({ entries, at: measured.get(operation)! }))
  const lines = [...measured[0]!.at.keys()].map(name => ({
    name,
    spots: measured.map(({ entries, at }) => ({ x: entries, y: ratioOf(at, name) })),
    faint: name === REFERENCE,
  }))
  return {
    title: `Times as fast as ${REFERENCE}: ${operations[operation]}`,
    subtitle: about,
    lines,
    values: TIMES,
    unit: 'entries',
    label: compact,
  }
}

function count(given: string, before: number[] = []): number[] {
  const number = wholeNumber(given)
  if (number >= 2 && number <= MOST) return [...before, number]
  throw new InvalidArgumentError(`It must be from 2 to ${MOST}.`)
}
