// Rules: what S3-FIFO's queues can be told to do, while they are in use. They are those of the engine.

/** How the two queues treat a key. */
export interface Rule {
  readonly name: string
  /** The small queue's share of the entries in per cent; 0: new keys enter the main queue. */
  readonly small: number
  /** Reads in the small queue that lead to the main queue. */
  readonly reads: number
  /**
   * Whether TinyLFU decides who goes on from the small queue (Einziger, Friedman and Manes, "TinyLFU",
   * ACM TOS 2017): the key that leaves it, or the one that the main queue would evict.
   */
  readonly contest: boolean
}

/** S3-FIFO as its authors have it. */
export const S3_FIFO = plain('s3-fifo', 10, 2)

/**
 * The rules that `auto` chooses from, the one that it begins with first.
 *
 * - A larger small queue, and one read, keep keys longer that come back soon.
 * - A smaller one wastes less on keys that never come back.
 * - None at all is CLOCK: nearest to recency.
 * - A contest keeps what was asked for most, however long ago: loops, skewed keys.
 */
export const RULES: readonly Rule[] = [
  S3_FIFO,
  plain('s3-fifo-2', 2, 1),
  plain('s3-fifo-20', 20, 1),
  plain('s3-fifo-40', 40, 2),
  plain('clock', 0, 1),
  contest('tinylfu-1', 1),
  contest('tinylfu-10', 10),
]

/**
 * The place of the rule that keeps what is there when nothing is hit: new keys stay out until they have
 * come more often.
 */
export const STEADFAST = 5

function plain(name: string, small: number, reads: number): Rule {
  return { name, small, reads, contest: false }
}

function contest(name: string, small: number): Rule {
  return { name, small, reads: 1, contest: true }
}

/** What queues do next to find a victim. */
export const Step = {
  /** The oldest of the small queue goes on, since another rule left it too long. */
  PASS_ON: 0,
  /** The oldest of the small queue goes on if it was read, or else leaves. */
  TURN_SMALL: 1,
  /** The oldest of the small queue or the next of the main queue leaves. */
  CONTEST: 2,
  /** The oldest of the main queue gets another turn if it was read, or else leaves. */
  TURN_MAIN: 3,
} as const
export type Step = (typeof Step)[keyof typeof Step]

/** What is to be done for the next one to leave, with queues as long as this. */
export function stepOf(rule: Rule, small: number, main: number): Step {
  if (small === 0) return Step.TURN_MAIN
  const target = targetOf(rule, small + main)
  if (small > target && (rule.contest || target === 0)) return Step.PASS_ON
  if (small < target && main !== 0) return Step.TURN_MAIN
  return rule.contest ? Step.CONTEST : Step.TURN_SMALL
}

/** How long the small queue is to be, of so many entries. */
function targetOf({ small }: Rule, entries: number): number {
  return small === 0 ? 0 : Math.max(1, Math.floor((entries * small) / 100))
}

/** How many keys that left are remembered: as many as S3-FIFO's main queue has entries. */
export function ghostsOf(entries: number): number {
  return entries - Math.floor(entries / 10)
}

/** Turns that entries of the main queue get before one of them has to stand in a contest. */
export const MOST_TURNS = 32

/**
 * Whether a key that leaves the small queue stays, and the main queue's rival goes. Each is how often the
 * key came in, as a sketch estimates it, and its reads since.
 */
export function wins(came: number, reads: number, rivalCame: number, rivalReads: number): boolean {
  return came + Math.min(reads, 1) > rivalCame + rivalReads
}
