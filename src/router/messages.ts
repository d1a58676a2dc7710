// What a router and its workers say to each other, whether a worker is a thread or a process.
import type { NativeOptions, NativeStoreTls } from '../native/router.ts'
import type { Drain } from './drain.ts'
import type { NetTls } from './net.ts'
import type { Fault } from './sockets.ts'
import type { Report } from './stats.ts'

/** What a worker goes by: a configuration, checked, with what its files hold. */
export interface Edition {
  checked: NativeOptions
  /** How clients are met by TLS. */
  tls: NetTls | undefined
  storeTls: NativeStoreTls | undefined
}

/** What a worker is told. */
export type Order =
  /** To meet the store before a client needs that. */
  | { kind: 'meet' }
  /** To go by another edition: `reloaded` is the answer. */
  | { kind: 'reload'; edition: Edition }
  /** To answer what it received, and to end. */
  | { kind: 'stop'; drain: Drain }

/** What a worker tells. */
export type News =
  /** It serves. */
  | { kind: 'listening'; driver: 'native' | 'net' }
  /** A bug has cost clients their connections. */
  | { kind: 'fault'; fault: Fault }
  /** It goes by the edition that it was told of last. */
  | { kind: 'reloaded' }
  /** What it has counted, and noted for the audit: processes alone tell it, a router counts for its threads. */
  | { kind: 'counted'; report: Report; noted: string[] }
