/** The kinds of keys of the classic benchmark. */
import type { Key } from '../lib/any-key.ts'
import { random } from '../lib/data.ts'

type MakeKey = (index: number, count: number) => Key

const draw = random(5)

/** How the key of an index is made, by the kind's name. No two keys of a kind are equal. */
const MAKE = {
  int: index => index,
  strint: index => String(index),
  str: index => `item ${index} of all`,
  // Each number beside the text that looks like it: 0, '0', 2, '2', ...
  numstr: index => (index % 2 === 0 ? index : String(index - 1)),
  float: (index, count) => index + index / (count + 1),
  obj: index => ({ index }),
  random: index => (index * draw()) / 2 ** 32,
  symbol: index => Symbol(String(index)),
  'long string': index => `${index}${'-'.repeat(4096)}`,
} satisfies Record<string, MakeKey>

const SIMPLE = Object.values<MakeKey>(MAKE)

/** The kinds by name; `mixed` takes its keys from all the others in turn. */
export const KINDS: Readonly<Record<string, MakeKey>> = {
  ...MAKE,
  mixed: (index, count) => (SIMPLE[index % SIMPLE.length] as MakeKey)(index, count),
}

/** What the kinds are, for those who read the report. */
export const MEANING: Readonly<Record<string, string>> = {
  int: 'whole numbers',
  strint: 'whole numbers as text',
  str: 'text',
  numstr: 'whole numbers, each beside the text that looks like it',
  float: 'numbers with a fraction',
  obj: 'objects',
  random: 'random numbers',
  symbol: 'symbols',
  'long string': 'text of 4 KB',
  mixed: 'all of these in turn',
}

/** Kinds whose keys are all strings or numbers, which is what `Cache` takes. */
export const PLAIN = ['int', 'strint', 'str', 'numstr', 'float', 'random', 'long string']

/** `count` different keys of a kind. */
export function keysOf(kind: string, count: number): Key[] {
  const make = KINDS[kind]
  if (!make) throw new Error(`no such kind of key: ${kind}`)
  const keys = Array.from({ length: count }, (_, index) => make(index, count))
  if (new Set(keys).size !== count) throw new Error(`keys of kind ${kind} are equal`)
  return keys
}
