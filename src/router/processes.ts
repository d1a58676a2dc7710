// Workers that are processes: each has a memory and connections of its own, and a crash costs no more
// than one. They accept from the same listening sockets, whose descriptors they inherit: who waits at
// one to be accepted is served by whichever process is there.
import type { ForkOptions } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtin } from '../base/builtin.ts'
import { now } from '../base/runtime.ts'
import type { Habits } from './answers.ts'
import { type Answered, Asking } from './asking.ts'
import { type Entrance, giveBack, type Share, shareAll } from './entrances.ts'
import { mergedReads } from './hot-reads.ts'
import { LastReads } from './last-reads.ts'
import type { Invalidations } from './memory.ts'
import { lasting, merged } from './merge.ts'
import type { Edition, Questions, Recording } from './messages.ts'
import type { ProcessAssignment } from './process.ts'
import type { Report } from './stats.ts'
import type { Heard, Kind, Member } from './workers.ts'

/** The first descriptor that is free in a process behind its streams and its line. */
const FIRST = 4

/** Flags of Node.js that are for this process, and not for those that it starts; a program behind some. */
const OWN = /^--(inspect|input-type|watch|test)/
const PROGRAM = /^(-p?e|-p|--eval|--print)$/

/** What processes need to know of their router. */
interface Serving {
  entrances: readonly Entrance[]
  edition: Edition
  /** Takes what is noted for the audit. */
  noted: (lines: string[]) => void
  /** Takes who came and left. */
  came: (lines: string[]) => void
  /** Hears of what leaves their memories, while anybody listens. */
  left: (news: Invalidations) => void
}

/**
 * How long one that begins may read what another has read most before it serves, in milliseconds: while it
 * is to take over from one that serves still; and otherwise, from its start on, since one is missing, and
 * at the least, if it was slow to start.
 */
const RESTARTED = 5000
const MISSING = 700
const LEAST = 400
/** One that remembers so many times less than another one is cold. */
const COLD = 2

export class Processes implements Kind {
  readonly mode = 'processes'
  readonly #entrances: readonly Entrance[]
  readonly #noted: Serving['noted']
  readonly #came: Serving['came']
  readonly #left: Serving['left']
  readonly #asking = new Asking()
  readonly #last = new LastReads()
  #edition: Edition
  /** What those to come do from their beginning on. */
  #habits: Habits = { listens: false, recording: undefined }
  /** Those that serve and are to go on, and their seats, the oldest first. */
  readonly #lasting = new Map<Member, number>()
  /** What each has counted, and its seat. */
  readonly #reports = new Map<Member, { seat: number; report: Report }>()
  /** What those have counted, seat by seat, that are no more. */
  readonly #past: Report[] = []

  constructor({ entrances, edition, noted, came, left }: Serving) {
    this.#noted = noted
    this.#came = came
    this.#left = left
    this.#entrances = entrances
    this.#edition = edition
  }

  start({ news, ended, seat }: Heard): Member {
    const shares = shareAll(this.#entrances)
    // While it starts another one says what it is to read.
    const [began, warmest] = [now(), this.#warmest(seat)]
    const hot = this.#hottest(warmest)
    try {
      const { child, spawned } = forked(shares)
      const member: Member = {
        tell: order => {
          if (order.kind === 'stop') this.#lasting.delete(member)
          child.send(order, () => {})
        },
        kill: () => void child.kill('SIGKILL'),
        process: child.pid,
      }
      const assignment: ProcessAssignment = {
        edition: this.#edition,
        shares: inherited(shares),
        habits: this.#habits,
      }
      child.send(assignment, () => {})
      this.#asking.add(member)
      child.on('message', (told: Parameters<Heard['news']>[0]) => {
        if (told.kind === 'answered') return this.#asking.hear(member, told)
        if (told.kind === 'left') return this.#left(told.news)
        if (told.kind === 'cold') return void this.#warm(member, seat, began, hot)
        if (told.kind === 'listening') {
          this.#lasting.set(member, seat)
          this.#last.serves(member)
          this.#asking.serves(member)
        }
        if (told.kind !== 'counted') return news(told)
        this.#reports.set(member, { seat, report: told.report })
        this.#noted(told.noted)
        this.#came(told.journal)
        if (this.#lasting.has(member)) this.#last.keep(() => this.#hottest(member))
      })
      spawned.then(failure => {
        this.#asking.remove(member)
        this.#lasting.delete(member)
        this.#last.ended(member)
        this.#bury(member)
        ended(failure)
      })
      return member
    } finally {
      giveBack(shares)
    }
  }

  take(edition: Edition): void {
    this.#edition = edition
  }

  /**
   * Tells one that begins what another one has read most; if none lives, what one of them had read that did.
   * None has read anything when the first ones begin.
   */
  async #warm(
    member: Member,
    seat: number,
    began: number,
    asked: Promise<Uint8Array | undefined>,
  ): Promise<void> {
    const hot = (await asked) ?? this.#last.giveTo(member)
    const isMissing = ![...this.#lasting.values()].includes(seat)
    const within = isMissing ? Math.max(LEAST, MISSING - (now() - began)) : RESTARTED
    member.tell({ kind: 'warm', hot, within, behind: RESTARTED - within })
  }

  /**
   * Whose reads one begins with: whose seat it takes, unless that one is cold beside another; else who
   * remembers most.
   */
  #warmest(seat: number): Member | undefined {
    const entries = (of: Member) => this.#reports.get(of)?.report.entries ?? 0
    const [first, ...others] = this.#lasting.keys()
    if (first === undefined) return undefined
    const most = others.reduce((one, other) => (entries(other) > entries(one) ? other : one), first)
    const [before] = [...this.#lasting].find(([, of]) => of === seat) ?? []
    return before && COLD * entries(before) >= entries(most) ? before : most
  }

  async #hottest(member: Member | undefined): Promise<Uint8Array | undefined> {
    return member && this.#asking.askOne(member, 'hottest', undefined)
  }

  /** What all that serve read most. */
  async hottest(): Promise<Uint8Array> {
    const all = await Promise.all([...this.#lasting.keys()].map(member => this.#hottest(member)))
    return mergedReads(all.filter(reads => reads !== undefined))
  }

  /** What all that live answer to a question; rejects if one of them does not. */
  ask<Q extends keyof Questions>(question: Q, of: Questions[Q]['of']): Promise<Answered<Q>[]> {
    return this.#asking.ask(question, of)
  }

  /** Has all of them, and those to come, tell of what leaves their memories, or not. */
  async listen(listens: boolean): Promise<void> {
    this.#habits = { ...this.#habits, listens }
    await this.ask('listen', listens)
  }

  /** Has all of them, and those to come, take part in a recording, or in none. */
  async record(recording: Recording | undefined): Promise<void> {
    this.#habits = { ...this.#habits, recording }
    await this.ask('record', recording)
  }

  /** What all have counted together, those too that have ended; `undefined` before any has. */
  report(): Report | undefined {
    const seats: Report[][] = this.#past.map(report => [report])
    for (const { seat, report } of this.#reports.values()) {
      seats[seat] = [...(seats[seat] ?? []), report]
    }
    return merged(seats.filter(reports => reports !== undefined))
  }

  /** Keeps of a process that has ended what lasts. */
  #bury(member: Member): void {
    const last = this.#reports.get(member)
    if (last === undefined) return
    this.#reports.delete(member)
    const { seat, report } = last
    const past = this.#past[seat]
    const all = past === undefined ? [lasting(report)] : [past, lasting(report)]
    this.#past[seat] = merged([all], 'whole')!
  }
}

/** Starts a process; `spawned` says why it has ended. */
function forked(shares: readonly Share[]) {
  const file = new URL(`./process${extname(import.meta.url)}`, import.meta.url)
  const options: ForkOptions = {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...shares.map(({ fd }) => fd)],
    serialization: 'advanced',
    execArgv: process.execArgv.filter(isForAll),
  }
  const child = builtin('node:child_process').fork(fileURLToPath(file), [], options)
  const spawned = new Promise<Error>(resolve => {
    // What could not be started never ends.
    child.on('error', error => child.pid === undefined && resolve(error))
    child.once('exit', (code, signal) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`
      resolve(new Error(`a worker process of the router ended ${how}`))
    })
  })
  return { child, spawned }
}

function isForAll(flag: string, at: number, flags: readonly string[]): boolean {
  return !OWN.test(flag) && !PROGRAM.test(flag) && !PROGRAM.test(flags[at - 1] ?? '')
}

/** The same sockets, as a process has them that was started with them. */
function inherited(shares: readonly Share[]): Share[] {
  return shares.map((share, at) => ({ ...share, fd: FIRST + at }))
}
