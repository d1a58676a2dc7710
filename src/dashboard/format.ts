// Figures and keys as people read them.
import type { KeyText, Unit } from './frames.ts'

const NONE = '–'

/** A figure in its unit: three or four digits, whatever its size. */
export function figure(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return NONE
  switch (unit) {
    case 'share':
      return `${(value * 100).toFixed(1)} %`
    case 'bytes':
      return bytes(value)
    case 'byteRate':
      return `${bytes(value)}/s`
    case 'ms':
      return duration(value)
    case 'rate':
      return `${short(value)}/s`
    default:
      return short(value)
  }
}

/** A figure on an axis: shorter still. */
export function tick(value: number, unit: Unit): string {
  if (unit === 'share') return `${Math.round(value * 100)} %`
  if (unit === 'bytes' || unit === 'byteRate') return bytes(value, 0)
  return unit === 'ms' ? duration(value, 0) : short(value, 0)
}

function short(value: number, digits = 1): string {
  const size = Math.abs(value)
  if (size >= 1e9) return `${trim(value / 1e9, digits)} G`
  if (size >= 1e6) return `${trim(value / 1e6, digits)} M`
  if (size >= 1e4) return `${trim(value / 1e3, digits)} k`
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en')
  return value.toFixed(size >= 10 ? 1 : 2)
}

function trim(value: number, digits: number): string {
  return digits === 0 ? String(Number(value.toPrecision(3))) : value.toFixed(digits)
}

function bytes(value: number, digits = 1): string {
  if (value < 1024) return `${Math.round(value)} B`
  const units = ['KB', 'MB', 'GB', 'TB']
  let [size, at] = [value / 1024, 0]
  while (size >= 1024 && at < units.length - 1) {
    size /= 1024
    at++
  }
  return `${trim(size, digits)} ${units[at]}`
}

function duration(ms: number, digits = 1): string {
  if (ms >= 1000) return `${trim(ms / 1000, digits)} s`
  if (ms >= 1) return `${trim(ms, digits)} ms`
  return `${trim(ms * 1000, 0)} µs`
}

/** For how long something has been so. */
export function since(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  const shown = parts.slice(Math.max(0, first < 0 ? 3 : first)).slice(0, 2)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

/** Control characters, what changes the direction of text, what is not seen, halves of characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu
/** How many characters of a key are shown. */
const SHOWN = 80

/** A text from strangers with nothing in it that hides or moves what stands beside it. */
export function visible(text: string, most = SHOWN): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text
  return cut.replace(UNSEEN, character => {
    const code = character.codePointAt(0)!
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** A key, as text. */
export function keyShown(key: KeyText, most = SHOWN): string {
  const shown = visible(key.text, most) || '(empty)'
  return key.kind === 'bytes' ? `base64:${shown}` : shown
}
