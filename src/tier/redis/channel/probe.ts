// Whether a server is still what it was: a sign of life says that somebody answers, not that it may be
// written to. A master that became a replica, one that loads, one whose user may no longer write, or one
// whose cluster is down refuses to remove a key, and there is none to remove.

import { isAnswer } from '../clients/connection.ts'
import type { Reach } from '../clients/reach.ts'
import { slotOf } from '../clients/slots.ts'

/** Answers by which a server says that it is not what it was: to any command, or to what writes. */
const CHANGED =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|NOAUTH|NOPERM|WRONGPASS|BUSY|UNKILLABLE)\b/

/** Whether an error says that its server is not what it was. */
export function isChanged(error: unknown): boolean {
  return error instanceof Error && CHANGED.test(error.message)
}

/** Slots of a cluster that one server has, from the first to the last. */
export type Range = readonly [first: number, last: number]

/**
 * The keys that the masters are asked to remove: one, or in a cluster one in the first slot of each. None
 * of them ever exists.
 *
 * @param marks - what keys begin with that nothing is kept in.
 * @param keyPrefix - what the client puts before them.
 */
export function probesOf(
  marks: string,
  keyPrefix: string,
  layout: readonly (readonly Range[])[],
): string[] {
  const isWhole = `${keyPrefix}${marks}`.split('{').length === 2
  // With braces in the prefix all keys of the cache are in one slot.
  if (layout.length === 0 || !isWhole) return [marks]
  const head = marks.replaceAll(/[{}]/g, '')
  return layout.flatMap(ranges => {
    for (let i = 0; i < MOST; i++) {
      const key = `${head}{${i}}`
      const slot = slotOf(Buffer.from(`{${i}}`))
      if (ranges.some(([first, last]) => slot >= first && slot <= last)) return [key]
    }
    return []
  })
}

/** Of so many numbers one is in any slot, all but surely. */
const MOST = 200_000

/** Asks masters whether they may be written to; throws what says that one may not. */
export async function probe(to: Reach, keys: readonly string[]): Promise<void> {
  await Promise.all(
    keys.map(async key => {
      try {
        await to.route(key, 'DEL', key)
      } catch (error) {
        // A server that is full, or whose disk is, is still the one that tells of changes.
        if (!(error instanceof Error && isAnswer(error)) || isChanged(error)) throw error
      }
    }),
  )
}
