// Durations and sizes as people write them.
import { InvalidOptionError } from './errors.ts'
import { memoryLimit } from './memory.ts'
import type { Duration, Size } from './types.ts'

const durations: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const sizes: Record<string, number> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
}

/** A number and a unit: `'1.5 h'`; at most 32 characters. */
const quantity = /^(\d{1,15}(?:\.\d{1,9})?) ?([a-z]{1,2}|%)$/

/** A count and its factor, `undefined` if the text is not a quantity of these units. */
function parse(text: string, units: Record<string, number>): number | undefined {
  const [, count, unit] = quantity.exec(text.trim().toLowerCase()) ?? []
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined
  return factor === undefined ? undefined : Number(count) * factor
}

/** A duration in milliseconds, above zero; `Infinity` is one. */
export function milliseconds(option: string, value: Duration): number {
  const ms = typeof value === 'string' ? parse(value, durations) : value
  if (typeof ms === 'number' && ms > 0) return ms
  const allowed =
    "a number of milliseconds above 0, or text such as '250ms', '30s', '5m', '2h', '1d'"
  throw new InvalidOptionError(option, value, allowed)
}

/** A size in whole bytes, above zero. */
export function byteCount(option: string, value: Size): number {
  const units =
    typeof value === 'string' && value.trim().endsWith('%') ? { '%': memoryLimit() / 100 } : sizes
  const bytes = typeof value === 'string' ? Math.floor(parse(value, units) ?? 0) : value
  const share = '%' in units && bytes > memoryLimit()
  if (Number.isSafeInteger(bytes) && bytes > 0 && !share) return bytes
  const allowed =
    "a whole number of bytes above 0, or text such as '512kb', '256mb', '2gb' or '25%'"
  throw new InvalidOptionError(option, value, allowed)
}
