// What becomes of errors that no caller is to blame for.

/** Makes an error of a listener an uncaught exception. */
export function report(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}

/** Calls a function of the user; what it throws is reported and stops nothing here. */
export function tell<A extends unknown[]>(f: (...args: A) => void, ...args: A): void {
  try {
    f(...args)
  } catch (error) {
    report(error)
  }
}
