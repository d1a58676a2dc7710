/** What redis-benchmark asks of nodes, and the CPU that they spend on it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpu } from '../lib/cpu.ts'

/** A server that is asked. */
export interface Side {
  port: number
  pid: number
}

/** Runs redis-benchmark to its end. */
export async function load(port: number, flags: readonly string[]): Promise<void> {
  const run = spawn('redis-benchmark', ['-p', `${port}`, '-q', ...flags], { stdio: 'ignore' })
  const [code] = await once(run, 'exit')
  if (code !== 0) throw new Error(`redis-benchmark ended with ${code}`)
}

/** Asks all sides in turn; the microseconds of CPU that each spent on a request, round by round. */
export async function spent<S extends string>(
  sides: Readonly<Record<S, Side>>,
  rounds: number,
  { flags, requests }: { flags: readonly string[]; requests: number },
): Promise<Record<S, number[]>> {
  const all = Object.entries<Side>(sides)
  const figures = Object.fromEntries(all.map(([side]) => [side, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [side, { pid, port }] of all) {
      const before = cpu(pid)
      await load(port, [...flags, '-n', `${requests}`])
      figures[side]!.push((cpu(pid) - before) / requests)
    }
  }
  return figures as Record<S, number[]>
}
