// Runs the sides of `breakwater bench` in turn, so that a machine that slows down slows all of them.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Operation } from './operations.ts'
import type { SideName } from './side.ts'

/** A side that takes part; its package's file and version, if it is one's. */
export interface Contestant {
  readonly name: SideName
  readonly url: string
  readonly version: string
}

/** What was measured of one operation at one size: nanoseconds an operation, round by round. */
export type Measured = ReadonlyMap<SideName, readonly number[]>

/** A round takes about so many milliseconds. */
const ROUND = 100
const FIRST = 20_000

/** Measures operations at a size, in so many rounds. `told` hears of each round that is over. */
export async function compared(
  contestants: readonly Contestant[],
  entries: number,
  operations: readonly Operation[],
  rounds: number,
  told: () => void,
): Promise<Map<Operation, Measured>> {
  const children = new Map<SideName, ChildProcess>()
  try {
    for (const { name, url } of contestants) {
      const program = fileURLToPath(new URL('./bench/contestant.js', import.meta.url))
      const child = fork(program, [name, `${entries}`, url], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.set(name, child)
      await said(child)
    }
    const all = new Map<Operation, Measured>()
    for (const operation of operations) {
      all.set(operation, await measured(children, operation, rounds, told))
    }
    return all
  } finally {
    for (const child of children.values()) child.kill()
  }
}

async function measured(
  children: ReadonlyMap<SideName, ChildProcess>,
  operation: Operation,
  rounds: number,
  told: () => void,
): Promise<Measured> {
  const ask = async (child: ChildProcess, count: number) => {
    child.send({ operation, count })
    return (await said(child)) as number
  }
  const counts = new Map<SideName, number>()
  for (const [name, child] of children) {
    await ask(child, FIRST)
    const taken = Math.max(0.1, await ask(child, FIRST))
    counts.set(name, Math.ceil((FIRST * ROUND) / taken))
  }
  const results = new Map<SideName, number[]>([...children.keys()].map(name => [name, []]))
  const order = [...children]
  for (let round = 0; round < rounds; round++) {
    for (const [name, child] of round % 2 === 0 ? order : [...order].reverse()) {
      const count = counts.get(name)!
      results.get(name)!.push(((await ask(child, count)) * 1e6) / count)
    }
    told()
  }
  return results
}

/** What a child says next. */
async function said(child: ChildProcess): Promise<unknown> {
  const gone = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', gone).then(([message]) => message as unknown),
      once(child, 'exit', gone).then(([code, signal]) => {
        throw new Error(`a side of the comparison ended by itself (${signal ?? code})`)
      }),
    ])
  } finally {
    gone.abort()
  }
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}
