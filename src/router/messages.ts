// What a router and its workers say to each other, whether a worker is a thread or a process.
import type { NativeOptions, NativeStoreTls } from '../native/router.ts'
import type { Drain } from './drain.ts'
import type { HookModule, Refusal } from './hooks/module.ts'
import type { NetTls } from './net.ts'
import type { Fault } from './sockets.ts'
import type { Report } from './stats.ts'

/** What a worker goes by: a configuration, checked, with what its files hold. */
export interface Edition {
  checked: NativeOptions
  /** How clients are met by TLS. */
  tls: NetTls | undefined
  storeTls: NativeStoreTls | undefined
  /** What has a say in requests. */
  hooks: HookModule | undefined
}

/** What a worker is told. */
export type Order =
  /** To meet the store before a client needs that. */
  | { kind: 'meet' }
  /** To read hooks, which may come into force by another edition: `prepared` is the answer. */
  | { kind: 'prepare'; hooks: HookModule }
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
  /** A hook has failed. */
  | { kind: 'hook'; message: string }
  /** It has read hooks, or cannot. */
  | { kind: 'prepared'; refusal: Refusal | undefined }
  /** It cannot serve, since it cannot read its hooks. */
  | { kind: 'refused'; refusal: Refusal }
  /** It goes by the edition that it was told of last. */
  | { kind: 'reloaded' }
  /**
   * What it has counted, noted for the audit, and who came and left: processes alone tell it, a router
   * counts for its threads.
   */
  | { kind: 'counted'; report: Report; noted: string[]; journal: string[] }
