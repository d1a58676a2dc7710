// What a router and its workers say to each other, whether a worker is a thread or a process.
import type { NativeOptions, NativeRouter, NativeStoreTls } from '../native/router.ts'
import type { Drain } from './drain.ts'
import type { HookModule, Refusal } from './hooks/module.ts'
import type { Invalidations, KnownKey } from './memory.ts'
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

/** A recording that all processes take part in. */
export interface Recording {
  /** By which keys are hashed. */
  secret: Uint8Array
  /** When it began, by the machine's clock. */
  began: number
}

/** What a process can be asked of its memory and of its clients, and what it answers. */
export interface Questions {
  inspect: { of: Uint8Array; answer: KnownKey }
  invalidate: { of: Uint8Array; answer: boolean }
  invalidatePrefix: { of: Uint8Array; answer: number }
  flush: { of: undefined; answer: undefined }
  /** Which reads it answers most: see {@link NativeRouter.hottest}. */
  hottest: { of: undefined; answer: Uint8Array }
  /** Whether it is to tell of what leaves. */
  listen: { of: boolean; answer: undefined }
  /** To take part in a recording, or in none. */
  record: { of: Recording | undefined; answer: undefined }
  /** What was read since, and how many reads were lost. */
  recorded: { of: undefined; answer: [rows: string, lost: number] }
}

/** One of them, for a process. */
export type Question = {
  [Q in keyof Questions]: { question: Q; of: Questions[Q]['of'] }
}[keyof Questions]

/** What a worker is told. */
export type Order =
  /** To meet the store before a client needs that. */
  | { kind: 'meet' }
  /** To read hooks, which may come into force by another edition: `prepared` is the answer. */
  | { kind: 'prepare'; hooks: HookModule }
  /** To go by another edition: `reloaded` is the answer. */
  | { kind: 'reload'; edition: Edition }
  /** Processes alone are asked: `answered` is the answer, by the same number. */
  | ({ kind: 'ask'; number: number } & Question)
  /**
   * To read what is read most, for so many milliseconds at most, and then to serve: `warmed` is the answer.
   * What is left is read while it serves, for so many at most.
   */
  | { kind: 'warm'; hot: Uint8Array | undefined; within: number; behind: number }
  /** To answer what it received, and to end. */
  | { kind: 'stop'; drain: Drain }

/** What a worker tells. */
export type News =
  /** It could serve, and asks what to read first: processes alone do. */
  | { kind: 'cold' }
  /** It has read what it was told of, all or as much as the time allowed, and served already. */
  | { kind: 'warmed'; whole: boolean }
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
  /** What it was asked. */
  | { kind: 'answered'; number: number; answer: unknown }
  /** What has left its memory. */
  | { kind: 'left'; news: Invalidations }
  /**
   * What it has counted, noted for the audit, and who came and left: processes alone tell it, a router
   * counts for its threads.
   */
  | { kind: 'counted'; report: Report; noted: string[]; journal: string[] }
