/** Rounds of several sides in turn, so that a machine that slows down slows all of them. */
import { Child } from './child.ts'
import { median } from './report.ts'

/** The processes of the sides, by their names. */
export type Children = ReadonlyMap<string, Child>

/**
 * Starts a process of `module` for each side, tells each how to begin, and ends them when the work
 * is done.
 */
export async function withChildren<A>(
  module: string,
  sides: Readonly<Record<string, object>>,
  work: (children: Children) => Promise<A>,
): Promise<A> {
  const children = new Map<string, Child>()
  try {
    for (const [side, begin] of Object.entries(sides)) {
      const child = new Child(new URL(module))
      children.set(side, child)
      await child.ask(begin)
    }
    return await work(children)
  } finally {
    for (const child of children.values()) await child.end()
  }
}

/** Asks the children in turn, forth and back. Round 0 warms up; the others are returned. */
export async function alternate<A>(
  children: Children,
  rounds: number,
  request: object,
): Promise<Map<string, A[]>> {
  const answers = new Map<string, A[]>([...children.keys()].map(side => [side, []]))
  const order = [...children]
  for (let round = 0; round <= rounds; round++) {
    for (const [side, child] of round % 2 ? order : order.toReversed()) {
      const answer = await child.ask<A>(request)
      if (round > 0) answers.get(side)?.push(answer)
    }
  }
  return answers
}

/** How many times as much `theirs` is as `ours`, round by round: the median of the quotients. */
export function quotient(theirs: readonly number[], ours: readonly number[]): number {
  return median(theirs.map((value, round) => value / (ours[round] as number)))
}

/** Whether a row is to be measured: all are, unless parts of names are given. */
export function isWanted(name: string, parts: readonly string[] | undefined): boolean {
  return parts === undefined || parts.some(part => name.includes(part))
}
