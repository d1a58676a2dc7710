// Routes: what a node remembers of the store behind it, by the beginnings of keys. Their shape, their
// form as a line of text, and their checks.
import { checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration, Size } from '../base/types.ts'
import { byteCount, milliseconds } from '../base/units.ts'
import type { NativeRoute } from '../native/router.ts'

/** Where a read is answered from: the store, always, or the node's memory, where it has the reply. */
export type ReadConcern = 'consistent' | 'balanced'

/** Which server a read goes to that the node does not answer by itself. */
export type ReadFrom = 'primary' | 'replica' | 'preferReplica'

/**
 * What a node remembers of the keys that begin alike. A key belongs to the route with the longest
 * `match`; keys of none are remembered as by `{ match: '*' }`.
 */
export interface RouterRoute {
  /** How its keys begin, and a star: `'user:*'`. `'*'` is for all keys that no other route has. */
  match: string
  /**
   * `'on'` remembers replies and gives them; `'shadow'` remembers them and counts what it would
   * give, while the store answers; `'off'` does neither. Default: `'on'`.
   */
  mode?: 'on' | 'shadow' | 'off' | undefined
  /** Where reads are answered from, unless the client or its user says so. Default: `'balanced'`. */
  readConcern?: ReadConcern | undefined
  /** Which server its reads go to. Default: as {@link RouterOptions.readFrom} says. */
  readFrom?: ReadFrom | undefined
  /**
   * How long a reply is remembered at most; never longer than its key lives. Default: `'1m'`;
   * `Infinity` leaves it to the key.
   */
  ttl?: Duration | undefined
  /** The share of a reply's time that is taken off at random, 0 to 1. Default: 0.1. */
  jitter?: number | undefined
  /** How long it is remembered that a key does not exist; 0: not at all. Default: `'5s'`. */
  negativeTtl?: Duration | 0 | undefined
  /** How long a reply may be given beyond its time while the store is unreachable. Default: 0. */
  staleIfError?: Duration | 0 | undefined
  /**
   * How long a reply may be given beyond its time while the store is asked for as many reads as
   * {@link RouterOptions.misses} allows. Default: as long as {@link RouterRoute.staleIfError} says.
   */
  staleWhileBusy?: Duration | 0 | undefined
  /** The commands whose replies are remembered. Default: all that can be. */
  commands?: string[] | undefined
  /** The longest reply that is remembered. Default: `'1mb'`. */
  maxReplyBytes?: Size | undefined
  /** The share of replies from memory that is compared with the store's, 0 to 1. Default: 0. */
  verify?: number | undefined
  /** The last share of a reply's time in which a read has it read anew, 0 to 1. Default: 0. */
  refreshAhead?: number | undefined
  /**
   * In how many stores of a ring the replies to hot reads lie that are not remembered: the key's own,
   * and so many behind it on the ring that it makes this number, 1 to 8. Default: 1.
   */
  copies?: number | undefined
  /** Whether keys that are written more often than read are left out for a while. Default: true. */
  admission?: boolean | undefined
}

/** The most stores in which the reply to a hot read lies. */
const MOST_COPIES = 8
const MODES = ['on', 'shadow', 'off'] as const
export const CONCERNS: readonly ReadConcern[] = ['consistent', 'balanced']
export const READ_FROM: readonly ReadFrom[] = ['primary', 'replica', 'preferReplica']
const KNOWN: readonly string[] = [
  'match',
  'mode',
  'readConcern',
  'readFrom',
  'ttl',
  'jitter',
  'negativeTtl',
  'staleIfError',
  'staleWhileBusy',
  'commands',
  'maxReplyBytes',
  'verify',
  'refreshAhead',
  'copies',
  'admission',
] satisfies (keyof RouterRoute)[]

/**
 * Checks routes, in either form; the one of all other keys is added if it is missing. Throws
 * {@link InvalidOptionError}, which names the route.
 *
 * @param readFrom - for routes that do not say it.
 */
export function checkRoutes(
  routes: readonly (RouterRoute | string)[],
  readFrom: ReadFrom,
): NativeRoute[] {
  if (!Array.isArray(routes)) {
    throw new InvalidOptionError('routes', routes, "a list of routes, as ['user:*,ttl=5s']")
  }
  const checked = routes.map((route, at) => checkRoute(`routes[${at}]`, route, readFrom))
  for (const [at, { prefix }] of checked.entries()) {
    if (checked.findIndex(other => other.prefix === prefix) !== at) {
      throw new InvalidOptionError(`routes[${at}].match`, `${prefix}*`, 'given once')
    }
  }
  if (checked.some(({ prefix }) => prefix === '')) return checked
  return [...checked, checkRoute('routes', { match: '*' }, readFrom)]
}

function checkRoute(path: string, given: RouterRoute | string, from: ReadFrom): NativeRoute {
  const route = typeof given === 'string' ? parseRoute(path, given) : given
  if (typeof route !== 'object' || route === null || Array.isArray(route)) {
    throw new InvalidOptionError(path, route, "an object, or a text as 'user:*,ttl=5s'")
  }
  checkKnown(`${path}.`, route, KNOWN)
  const { match, mode = 'on', readConcern = 'balanced', ttl = '1m', commands } = route
  const staleIfError = orZero(`${path}.staleIfError`, route.staleIfError ?? 0)
  return {
    prefix: checkMatch(`${path}.match`, match),
    mode: checkOneOf(`${path}.mode`, mode, MODES),
    readConcern: checkOneOf(`${path}.readConcern`, readConcern, CONCERNS),
    readFrom: checkOneOf(`${path}.readFrom`, route.readFrom ?? from, READ_FROM),
    ttl: finite(milliseconds(`${path}.ttl`, ttl)),
    jitter: checkShare(`${path}.jitter`, route.jitter ?? 0.1),
    negativeTtl: orZero(`${path}.negativeTtl`, route.negativeTtl ?? '5s'),
    staleIfError,
    staleWhileBusy: orZero(`${path}.staleWhileBusy`, route.staleWhileBusy ?? staleIfError),
    commands: commands === undefined ? undefined : checkCommands(`${path}.commands`, commands),
    maxReplyBytes: byteCount(`${path}.maxReplyBytes`, route.maxReplyBytes ?? '1mb'),
    verify: checkShare(`${path}.verify`, route.verify ?? 0),
    refreshAhead: checkShare(`${path}.refreshAhead`, route.refreshAhead ?? 0),
    copies: checkCopies(`${path}.copies`, route.copies ?? 1),
    admission: checkFlag(`${path}.admission`, route.admission ?? true),
  }
}

/** Reads `'user:*,ttl=5s,mode=shadow,commands=get+hget'`. */
function parseRoute(path: string, text: string): RouterRoute {
  const [match = '', ...parts] = text.split(',')
  const route: Record<string, unknown> = { match }
  for (const part of parts) {
    const [, name, value] = /^\s*([A-Za-z-]+)\s*=(.*)$/s.exec(part) ?? []
    if (name === undefined || value === undefined) {
      throw new InvalidOptionError(path, part, "parts as 'ttl=5s', separated by commas")
    }
    const option = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    if (Object.hasOwn(route, option)) {
      throw new InvalidOptionError(`${path}.${option}`, value, 'given once')
    }
    route[option] = read(option, value.trim())
  }
  return route as unknown as RouterRoute
}

/** A value as its option takes it; what cannot be is left to the checks. */
function read(option: string, text: string): unknown {
  if (option === 'commands') return text.split('+')
  if (option === 'admission') return { true: true, false: false }[text] ?? text
  if (option === 'ttl' && text === 'Infinity') return Number.POSITIVE_INFINITY
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function checkMatch(option: string, match: unknown): string {
  const allowed = "the beginning of keys and a star, as 'user:*'"
  if (typeof match !== 'string' || !/^[^*]*\*$/s.test(match)) {
    throw new InvalidOptionError(option, match, allowed)
  }
  if (Buffer.byteLength(match) > 1024) {
    throw new InvalidOptionError(option, `${match.slice(0, 32)}...`, `${allowed}, of 1023 bytes`)
  }
  return match.slice(0, -1)
}

function checkShare(option: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new InvalidOptionError(option, value, 'a number from 0 to 1')
}

function checkCopies(option: string, value: unknown): number {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_COPIES) {
    return Number(value)
  }
  throw new InvalidOptionError(option, value, `a whole number from 1 to ${MOST_COPIES}`)
}

function checkFlag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new InvalidOptionError(option, value, 'true or false')
}

function checkCommands(option: string, commands: unknown): string {
  const fits = (name: unknown) => typeof name === 'string' && /^[\w.|-]+$/.test(name)
  const wrong = Array.isArray(commands) ? commands.findIndex(name => !fits(name)) : -1
  if (Array.isArray(commands) && commands.length > 0 && wrong < 0) {
    return commands.join(',').toLowerCase()
  }
  const shown: unknown = wrong < 0 ? commands : (commands as unknown[])[wrong]
  throw new InvalidOptionError(option, shown, "names of commands, as ['get', 'hget']")
}

function orZero(option: string, value: Duration | 0): number {
  return value === 0 ? 0 : (finite(milliseconds(option, value)) ?? Number.MAX_SAFE_INTEGER)
}

function finite(ms: number): number | undefined {
  return ms === Number.POSITIVE_INFINITY ? undefined : Math.ceil(ms)
}
