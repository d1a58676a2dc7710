// The choice among rules, by how they do of late: two memories, a long one for small differences and a
// short one for a change of the pattern.
import { RULES, STEADFAST } from './rule.ts'

/** The weight of the latest interval in the long memory: about a dozen intervals count. */
const SLOW = 0.08
/** The weight in the short memory: about two intervals count. */
const FAST = 0.5

/**
 * A rule must do better by so many hits of a hundred requests in the long memory, and by a share of what
 * the rule in force has: less is chance as often as not.
 */
const MARGIN = 0.001
const RELATIVE_MARGIN = 0.005
/** In the short memory it must do better by so much: chance hardly ever does. */
const FAST_MARGIN = 0.04

/**
 * Where the best of the shadows hits no more than this in the short memory, none tells anything: keys come
 * for the first time, or a loop has not come round yet.
 */
const NOTHING = 0.005

export class Chooser {
  /** The number of the rule in force. */
  inForce = 0
  /** How often the rules were compared. */
  judged = 0
  /** How often another rule came into force. */
  switches = 0
  /** Hit ratios in the long memory, by the numbers of the rules. */
  readonly slow: number[] = RULES.map(() => 0)
  readonly #fast: number[] = RULES.map(() => 0)

  /** Takes in the hit ratios of an interval. */
  judge(ratios: readonly number[]): void {
    this.judged++
    this.#take(ratios)
    const before = this.inForce
    this.inForce = this.#choose()
    if (this.inForce !== before) this.switches++
  }

  /** Forgets how the rules did: they are to be watched anew. The rule in force stays. */
  restart(): void {
    this.judged = 0
  }

  #take(ratios: readonly number[]): void {
    // The first ones count alike.
    const even = 1 / this.judged
    for (const [rule, ratio] of ratios.entries()) {
      this.slow[rule]! += Math.max(SLOW, even) * (ratio - this.slow[rule]!)
      this.#fast[rule]! += Math.max(FAST, even) * (ratio - this.#fast[rule]!)
    }
  }

  #choose(): number {
    const [slow, fast, now] = [this.slow, this.#fast, this.inForce]
    const [steady, sudden] = [best(slow), best(fast)]
    const isSudden = fast[sudden]! > fast[now]! + FAST_MARGIN
    // What was known is of another pattern.
    if (isSudden) for (const [rule, ratio] of fast.entries()) slow[rule] = ratio
    if (fast[sudden]! < NOTHING) return STEADFAST
    if (isSudden) return sudden
    const isBetter = slow[steady]! > slow[now]! * (1 + RELATIVE_MARGIN) + MARGIN
    return isBetter && fast[steady]! >= fast[now]! ? steady : now
  }
}

/** The first of the highest. */
function best(ratios: readonly number[]): number {
  return ratios.indexOf(Math.max(...ratios))
}
