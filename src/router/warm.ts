// How a node begins warm, as options say it: where the reads come from that it makes first.
import { fileURLToPath } from 'node:url'
import { checkDuration, checkShape } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'
import { planUnix } from './unix.ts'

/** How a node begins with what is read most, in front of a store. */
export interface RouterWarmOptions {
  /**
   * Where it is known what is read most: the path of a file, which the node itself writes, or another
   * node, by the URL of its admin entrance, as `'http://127.0.0.1:9121'` or
   * `'unix:/run/breakwater.sock'`. There are the words of requests, and no values: those are read of the
   * store.
   */
  from: string | URL
  /** A file with the token of that entrance. Default: none is shown. */
  tokenFile?: string | undefined
  /** How often the file is written, besides when the node drains. Default: `'1m'`. */
  every?: Duration | undefined
  /**
   * How long it may take to begin; then the node is ready with what it has. An hour at the most.
   * Default: `'5s'`.
   */
  budget?: Duration | undefined
}

/** The admin entrance of another node. */
export interface Peer {
  /** As it is told of. */
  name: string
  /** What is asked, of a socket of this machine if there is one. */
  url: URL
  socketPath?: string
}

/** The same, checked and in milliseconds. */
export interface CheckedWarm {
  from: { path: string } | { peer: Peer }
  tokenFile: string | undefined
  every: number
  budget: number
}

const KNOWN = ['from', 'tokenFile', 'every', 'budget'] as const
const FROM =
  'the path of a file, or the URL of an admin entrance, as http://127.0.0.1:9121 or unix:/run/breakwater.sock'
const UNIX = 'unix:'
const SHORTEST = 10
const HOUR = 3_600_000

/** Checks the options and fills in what was left out. Throws {@link InvalidOptionError}. */
export function checkWarm(given: RouterWarmOptions | undefined): CheckedWarm | undefined {
  if (given === undefined) return undefined
  const { from, tokenFile, every = '1m', budget = '5s' } = checkShape('warm', given, KNOWN)
  if (!(from instanceof URL) && (typeof from !== 'string' || from === '' || from.includes('\0'))) {
    throw new InvalidOptionError('warm.from', from, FROM)
  }
  if (tokenFile !== undefined && (typeof tokenFile !== 'string' || tokenFile === '')) {
    throw new InvalidOptionError('warm.tokenFile', tokenFile, 'the name of a file')
  }
  const place = placeOf(from)
  const refuse = (option: string, other: string, why: string) => {
    throw new OptionCombinationError(option, 'given', other, why)
  }
  if ('peer' in place && given.every !== undefined) {
    refuse('warm.every', 'another node as warm.from', 'nothing is written there')
  }
  if ('path' in place && tokenFile !== undefined) {
    refuse('warm.tokenFile', 'a file as warm.from', 'it is for another node')
  }
  return {
    from: place,
    tokenFile,
    every: bounded('warm.every', every, SHORTEST, 24 * HOUR, 'from 10 ms to a day'),
    budget: bounded('warm.budget', budget, 0, HOUR, 'of an hour at the most'),
  }
}

/** A file, or the entrance of another node. */
function placeOf(from: string | URL): CheckedWarm['from'] {
  const text = `${from}`
  if (text.startsWith(UNIX)) return { peer: socketAt(text) }
  if (typeof from === 'string' && !/^[a-z]+:\/\//i.test(from)) return { path: from }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'file:') return { path: pathOf(url) }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new InvalidOptionError('warm.from', shown(from), FROM)
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidOptionError('warm.from', shown(from), 'without credentials: give tokenFile')
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new InvalidOptionError('warm.from', shown(from), 'no more than http://host:port')
  }
  return { peer: { name: url.origin, url } }
}

/** An entrance that is a socket of this machine, by which a node has no name. */
function socketAt(name: string): Peer {
  const { path } = planUnix(name.slice(UNIX.length), 0, 'warm.from')
  return { name, url: new URL('http://localhost'), socketPath: path }
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url)
  } catch {
    throw new InvalidOptionError('warm.from', url.href, FROM)
  }
}

/** A URL without credentials. */
function shown(from: string | URL): string {
  return `${from}`.replace(/\/\/[^/]*@/, '//***@')
}

function bounded(option: string, value: Duration, least: number, most: number, allowed: string) {
  const time = Math.ceil(checkDuration(option, value))
  if (time >= least && time <= most) return time
  throw new InvalidOptionError(option, value, `a duration ${allowed}`)
}
