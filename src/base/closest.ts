// The nearest of some known words to one that was mistyped.

/**
 * Edits that turn one text into the other: insertions, deletions, replacements, and swaps of neighbours
 * (Damerau, 1964; each place is edited once).
 */
function distance(a: string, b: string): number {
  let [twoAbove, above]: [number[], number[]] = [[], []]
  let row = Array.from({ length: b.length + 1 }, (_, place) => place)
  for (let i = 1; i <= a.length; i++) {
    ;[twoAbove, above, row] = [above, row, [i]]
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, above[j]! + 1, row[j - 1]! + 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) row[j] = Math.min(row[j]!, twoAbove[j - 2]! + 1)
    }
  }
  return row[b.length]!
}

/** Longer words are nobody's typing error. */
const LONGEST = 64
/** The share of a word that may be wrong. */
const WRONG = 0.4

/** The known word that was most likely meant; `undefined` if none is near. */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST) return undefined
  let [best, least]: [string | undefined, number] = [undefined, Number.POSITIVE_INFINITY]
  for (const each of known) {
    const edits = distance(word.toLowerCase(), each.toLowerCase())
    if (edits > Math.ceil(Math.max(word.length, each.length) * WRONG) || edits >= least) continue
    best = each
    least = edits
  }
  return best
}
