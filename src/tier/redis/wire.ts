// Numbers that leave the process, as any server takes them: whatever a duration is, the command that
// carries it is valid.

/** A hundred years in milliseconds: servers count times in 64 bits, and from 1970 on. */
const LONGEST = 100 * 366 * 86_400_000

/** A duration that ends, in whole milliseconds: at least one, at most a hundred years. */
export function wholeMs(ms: number): string {
  // What is no number lasts as short as can be.
  return String(Math.max(1, Math.ceil(Math.min(ms, LONGEST)) || 1))
}

/** A duration, in whole milliseconds; empty if it does not end. */
export function wholeMsOrEndless(ms: number): string {
  return ms === Number.POSITIVE_INFINITY ? '' : wholeMs(ms)
}

/** How long a value is fresh, in milliseconds, which may be below zero; empty if it does not end. */
export function freshMs(ms: number): string {
  return ms === Number.POSITIVE_INFINITY ? '' : String(Math.min(ms, LONGEST))
}
