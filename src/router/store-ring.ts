// Several independent stores behind a node, each of which has a share of the keys: checked.
import { checkFlag, checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { NativeRing, NativeServer } from '../native/router.ts'

/** One of several stores. */
export interface RingStore {
  /** Where it is: see {@link RouterOptions.store}. */
  url: string
  /** What it is called on the ring, on which its keys depend. Default: host and port of `url`. */
  name?: string | undefined
  /** How many keys it has compared with others, above 0 and up to 1,000. Default: 1. */
  weight?: number | undefined
}

/** What becomes of the keys of a store that is down. */
export type WhenDown = 'refuse' | 'next'

/** Several independent stores. Each key is in one of them, by the ring of `breakwater/routing`. */
export interface StoreRingOptions {
  /**
   * The stores, 64 at the most: objects, or texts as `'redis://10.0.0.1,weight=2,name=a'`. Their order
   * does not matter.
   */
  ring: (string | RingStore)[]
  /**
   * What becomes of the keys of a store that is down: `'refuse'` answers with an error until it is
   * back; `'next'` goes to the next store on the ring, which knows nothing of them. That is for stores
   * that are caches. Default: `'refuse'`.
   */
  whenDown?: WhenDown | undefined
  /** Whether only the part of a key in its first braces counts, if there is any. Default: true. */
  hashTags?: boolean | undefined
}

/** The stores of a ring, as the native side takes them. */
export interface CheckedRing {
  servers: NativeServer[]
  ring: NativeRing
}

/** A node has room for so many. */
const MOST_STORES = 64
/** The heaviest node of a ring, as in `breakwater/routing`. */
const MAX_WEIGHT = 1_000
const WHEN_DOWN: readonly WhenDown[] = ['refuse', 'next']
const KNOWN: readonly string[] = [
  'ring',
  'whenDown',
  'hashTags',
] satisfies (keyof StoreRingOptions)[]
const STORE: readonly string[] = ['url', 'name', 'weight'] satisfies (keyof RingStore)[]
const STORES = `a list of stores, 1 to ${MOST_STORES}, as ['redis://10.0.0.1', { url, name, weight }]`

/**
 * Checks the stores of a ring. Throws {@link InvalidOptionError}.
 *
 * @param checkUrl - checks where a store is.
 */
export function checkRing(
  given: StoreRingOptions | StoreRingOptions['ring'],
  checkUrl: (option: string, url: unknown) => NativeServer,
): CheckedRing {
  const isList = Array.isArray(given)
  const path = isList ? 'store' : 'store.ring'
  if (!isList) checkKnown('store.', given, KNOWN)
  const { ring, whenDown = 'refuse', hashTags = true } = isList ? { ring: given } : given
  if (!Array.isArray(ring) || ring.length === 0 || ring.length > MOST_STORES) {
    const value = Array.isArray(ring) ? `${ring.length} of them` : typeof ring
    throw new InvalidOptionError(path, value, STORES)
  }
  const servers: NativeServer[] = []
  const nodes: NativeRing['nodes'] = []
  for (const [at, one] of ring.entries()) {
    const { server, node } = checkOne(`${path}[${at}]`, one, checkUrl)
    const place = servers.findIndex(other => samePlace(other, server))
    if (place >= 0) {
      const allowed = `another place than that of ${path}[${place}]`
      throw new InvalidOptionError(`${path}[${at}]`, placeOf(server), allowed)
    }
    if (nodes.some(({ name }) => name === node.name)) {
      const allowed = 'a name that no other store has'
      throw new InvalidOptionError(`${path}[${at}].name`, node.name, allowed)
    }
    servers.push(server)
    nodes.push(node)
  }
  return {
    servers,
    ring: {
      nodes,
      whenDown: checkOneOf('store.whenDown', whenDown, WHEN_DOWN),
      hashTags: checkFlag('store.hashTags', hashTags) ? 1 : 0,
    },
  }
}

function checkOne(
  path: string,
  given: unknown,
  checkUrl: (option: string, url: unknown) => NativeServer,
): { server: NativeServer; node: NativeRing['nodes'][number] } {
  const isText = typeof given === 'string'
  if (!isText && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    throw new InvalidOptionError(path, typeof given, 'a URL, or an object { url, name, weight }')
  }
  const one = isText ? parse(given) : (given as RingStore)
  checkKnown(`${path}.`, one, STORE)
  const server = checkUrl(isText ? path : `${path}.url`, one.url)
  const { name = placeOf(server), weight = 1 } = one
  if (typeof name !== 'string' || name === '' || name.length > 255) {
    throw new InvalidOptionError(`${path}.name`, name, 'a text of 1 to 255 characters')
  }
  if (typeof weight !== 'number' || !(weight > 0 && weight <= MAX_WEIGHT)) {
    const allowed = `a number above 0, up to ${MAX_WEIGHT}: leave a store out that is to have no keys`
    throw new InvalidOptionError(`${path}.weight`, weight, allowed)
  }
  return { server, node: { name, weight } }
}

/** Reads `'redis://10.0.0.1,weight=2,name=a'`. */
function parse(text: string): RingStore {
  const [, url = text, parts = ''] = /^(.*?)((?:,(?:weight|name)=[^,]*)*)$/s.exec(text) ?? []
  const given = new Map(
    parts
      .split(',')
      .filter(part => part !== '')
      .map(part => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
  )
  const weight = given.get('weight')
  return {
    url,
    name: given.get('name'),
    // What is no number is left to the checks, as it was written.
    weight:
      weight === undefined || weight === '' ? (weight as undefined) : (numberOf(weight) as number),
  }
}

const numberOf = (text: string): unknown => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text)

/** Where a store is, which is its name if it has no other. */
function placeOf({ kind, host, port }: NativeServer): string {
  return kind === 'unix' ? host : `${host}:${port}`
}

function samePlace(one: NativeServer, other: NativeServer): boolean {
  return placeOf(one) === placeOf(other)
}
