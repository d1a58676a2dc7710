// Where a router stands: what it does now, whether clients should be sent to it, and if not, why.
import type { RouterAddress } from './entrances.ts'
import type { State } from './state.ts'

/** Where a router stands now. */
export interface RouterStatus {
  /**
   * `'idle'`: it was made, or could not listen; `'opening'`: it begins to listen; `'open'`: it serves;
   * `'closing'`: it drains; `'closed'`: it is done.
   */
  state: State
  /** Whether clients should be sent here: see {@link Router.isReady}. */
  ready: boolean
  /** Why not, in words; empty if it is ready. */
  reasons: string[]
  /** The version of this package. */
  version: string
  /** When it began to listen, in Unix milliseconds; `undefined` before. */
  startedAt: number | undefined
  /** For how many milliseconds it has listened. */
  uptime: number
  /** What drives the sockets: see {@link Router.driver}. */
  driver: 'native' | 'net' | undefined
  /** Everywhere that it listens. */
  addresses: RouterAddress[]
  /** Its workers; all 0 where it serves on the thread that made it. */
  workers: WorkerCounts
  /** How far the drain is; `undefined` while there is none. */
  drain: DrainProgress | undefined
}

/** What workers are: threads of the process, which share its memory, or processes. */
export type Mode = 'threads' | 'processes'

/** The workers of a router. */
export interface WorkerCounts {
  /** What they are. */
  mode: Mode
  /** How many are to serve. */
  wanted: number
  /** How many serve. */
  serving: number
  /** How many end: their clients get their last replies. */
  ending: number
  /** How many failed and were replaced, since the start. */
  replaced: number
  /** Whether they are restarted one by one now. */
  restarting: boolean
  /** The numbers of the processes that serve; empty for threads. */
  processes: number[]
}

/** How far a drain is. */
export interface DrainProgress {
  /** When it began, in Unix milliseconds. */
  since: number
  /** When it has ended at the latest, in Unix milliseconds. */
  until: number
  /** How many clients there were. */
  clients: number
  /** How many there are still. */
  left: number
}

/** Why clients should not be sent to a router in this state; `undefined` in the state `open`. */
export const unready: Readonly<Record<State, string | undefined>> = {
  idle: 'it does not listen',
  opening: 'it begins to listen',
  open: undefined,
  closing: 'it drains',
  closed: 'it is closed',
}
