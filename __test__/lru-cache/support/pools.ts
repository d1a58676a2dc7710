// The keys and values that random programs use: the odd ones too.
import type { Any } from './implementations.ts'

/** Each is a key of its own. -0 is not among them: lru-cache shows it as -0 and finds it as 0. */
export const keys: readonly Any[] = [
  'a',
  'b',
  'c',
  1,
  2,
  '1',
  '__proto__',
  'constructor',
  '',
  0,
  Number.NaN,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  'x'.repeat(65),
  `${'x'.repeat(65)}y`,
  'wide ключ',
  'astral 😀',
  '\ud800',
  Symbol('key'),
  { key: 1 },
  { key: 1 },
  true,
  10n,
  Number.POSITIVE_INFINITY,
  null as unknown as Any,
  undefined as unknown as Any,
]

/** `undefined` deletes. Objects differ, so that one cannot be taken for another. */
export const values: readonly unknown[] = [
  1,
  2,
  3,
  4,
  'one',
  'two',
  'a longer text',
  { value: 1 },
  { value: 2 },
  [3],
  0,
  '',
  null,
  false,
  Number.NaN,
  undefined,
]

/** A size for each value; 0 is refused. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'number') return value || 2
  if (typeof value === 'string') return value.length
  return value === false ? 0 : 3
}
