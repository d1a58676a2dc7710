/** CPU time of another process, as the system counts it. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Microseconds in a tick of /proc. */
const TICK = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']))

/**
 * Microseconds of CPU that a process has used, of its own and of the system: by the scheduler's count of
 * each thread, which is exact; in ticks where the system keeps none.
 */
export function cpu(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const nanos = threads.map(thread =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    )
    return nanos.reduce((sum, one) => sum + one, 0) / 1000
  } catch {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK
  }
}
