// The time that all threads of a process agree on.

/** The clock that all threads of a process have, in microseconds. */
export function processClock(): number {
  return Number(process.hrtime.bigint() / 1000n)
}
