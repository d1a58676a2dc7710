// How connections are ended: in slices, so that a fleet of clients does not come back at once, and by
// force in the end.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { setTimeout } from '../base/runtime.ts'
import type { Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'

/** How clients are disconnected when the router, or a thread of it, ends. */
export interface DrainOptions {
  /**
   * Over which time they are disconnected, a few every 100 ms; those whose turn has not come are
   * served. An hour at the most. Default: 0, all at once.
   */
  over?: Duration | undefined
  /**
   * How long each of them may wait for its last replies, and take to accept them, before it is cut.
   * An hour at the most. Default: `'5s'`.
   */
  within?: Duration | undefined
}

/** The same, checked and in milliseconds. */
export interface Drain {
  over: number
  within: number
}

const KNOWN: readonly string[] = ['over', 'within'] satisfies (keyof DrainOptions)[]
const HOUR = 3_600_000
/** The time between two slices, in milliseconds. */
const SLICE = 100

/** Checks the options and fills in what was left out. Throws {@link InvalidOptionError}. */
export function checkDrain(options: DrainOptions = {}): Drain {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionError('drain', options, "an object, as { over: '10s', within: '5s' }")
  }
  checkKnown('drain.', options, KNOWN)
  const { over = 0, within = '5s' } = options
  return {
    over: over === 0 ? 0 : duration('drain.over', over),
    within: duration('drain.within', within),
  }
}

function duration(option: string, value: Duration): number {
  const time = Math.ceil(milliseconds(option, value))
  if (time <= HOUR) return time
  throw new InvalidOptionError(option, value, 'a duration of an hour at the most')
}

/**
 * Ends connections slice by slice.
 *
 * @param left - how many there are still.
 * @param end - ends so many of them, or all that there are.
 */
export async function inSlices(
  over: number,
  left: () => number,
  end: (most: number) => void,
): Promise<void> {
  let due = 0
  for (let slices = Math.ceil(over / SLICE); slices > 1 && left() > 0; slices--) {
    // Few clients have less than one a slice.
    due += left() / slices
    end(Math.floor(due))
    due %= 1
    await new Promise(resolve => setTimeout(resolve, SLICE))
  }
  end(Number.MAX_SAFE_INTEGER)
}
