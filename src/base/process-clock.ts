// The time that all threads of a process agree on.

/** The clock that all threads of a process have, in microseconds. */
export function processClock(): number {
  // In two numbers: whole ones of any size cost an allocation for each step.
  const [seconds, nanos] = process.hrtime()
  return seconds * 1_000_000 + Math.floor(nanos / 1000)
}
