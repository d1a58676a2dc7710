// Asks all processes the same, or one of them, and waits for the answers of those that live.
import { BreakwaterError } from '../base/errors.ts'
import { timersOf } from '../base/timers.ts'
import type { Question, Questions } from './messages.ts'
import type { Member } from './workers.ts'

/** How long a process may take to answer, in milliseconds: it serves clients meanwhile. */
const PATIENCE = 5000
/** Or until it serves, if it begins: it has yet to load, and to read what others have read most. */
const BEGINS = 60_000
/** Or to look through all of its memory; or so, while another one waits for that. */
const OTHERS: { [Q in keyof Questions]?: number } = { invalidatePrefix: 60_000, hottest: 2000 }

/** What a process has answered. */
export interface Answered<Q extends keyof Questions> {
  process: number
  answer: Questions[Q]['answer']
}

/** One that is awaited: with its answer, or without one once its process is gone. */
type Awaited = (answered: { answer: unknown } | undefined) => void

export class Asking {
  /** By the processes, and by the numbers of what they were asked. */
  readonly #awaited = new Map<Member, Map<number, Awaited>>()
  readonly #serving = new Set<Member>()
  #number = 0

  /** A process begins: it answers once it serves. */
  add(member: Member): void {
    this.#awaited.set(member, new Map())
  }

  /** A process that began serves. */
  serves(member: Member): void {
    this.#serving.add(member)
  }

  /** A process is gone: it is not waited for. */
  remove(member: Member): void {
    const awaited = this.#awaited.get(member)
    this.#awaited.delete(member)
    this.#serving.delete(member)
    for (const done of awaited?.values() ?? []) done(undefined)
  }

  /** A process has answered. */
  hear(member: Member, { number, answer }: { number: number; answer: unknown }): void {
    const awaited = this.#awaited.get(member)
    awaited?.get(number)?.({ answer })
    awaited?.delete(number)
  }

  /** The answers of all; rejects if one that lives does not answer in time. */
  async ask<Q extends keyof Questions>(
    question: Q,
    of: Questions[Q]['of'],
  ): Promise<Answered<Q>[]> {
    const asked = { question, of } as Question
    const all = [...this.#awaited].map(async ([member, awaited]) => {
      const answered = await this.#one(member, awaited, asked)
      return answered === undefined ? [] : [{ process: member.process ?? 0, ...answered }]
    })
    return (await Promise.all(all)).flat() as Answered<Q>[]
  }

  /** The answer of one; `undefined` if it ends before that, or does not answer in time. */
  async askOne<Q extends keyof Questions>(
    member: Member,
    question: Q,
    of: Questions[Q]['of'],
  ): Promise<Questions[Q]['answer'] | undefined> {
    const awaited = this.#awaited.get(member)
    if (awaited === undefined) return undefined
    const asked = { question, of } as Question
    const answered = await this.#one(member, awaited, asked).catch(() => undefined)
    return answered?.answer as Questions[Q]['answer'] | undefined
  }

  #one(member: Member, awaited: Map<number, Awaited>, asked: Question) {
    const number = this.#number++
    const within = this.#serving.has(member) ? (OTHERS[asked.question] ?? PATIENCE) : BEGINS
    return new Promise<{ answer: unknown } | undefined>((resolve, reject) => {
      const cancel = timersOf(undefined).after(within, () => {
        awaited.delete(number)
        const why = `process ${member.process} of the router has not answered within ${within} ms`
        reject(new BreakwaterError('ERR_ROUTER_STATE', why))
      })
      awaited.set(number, answered => {
        cancel()
        resolve(answered)
      })
      member.tell({ kind: 'ask', number, ...asked })
    })
  }
}
