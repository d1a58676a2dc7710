// A client that tracks, and keeps what it has read until it is told of a change: what a near cache behind a
// node does.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { encode, Raw } from '../support.ts'

/** How a client tracks. */
export type Manner = 'default' | 'OPTIN' | 'BCAST'
export const MANNERS: readonly Manner[] = ['default', 'OPTIN', 'BCAST']

/** Who waits for a reply, and to what. */
interface Waiter {
  key: string
  resolve(reply: string): void
}

export class Keeper {
  readonly #t: ExecutionContext
  readonly #port: number
  readonly manner: Manner
  readonly #kept = new Map<string, number>()
  #raw: Raw | undefined
  #waiters: Waiter[] = []

  constructor(t: ExecutionContext, port: number, manner: Manner) {
    this.#t = t
    this.#port = port
    this.manner = manner
  }

  /** What it keeps of a key. */
  kept(key: string): number | undefined {
    return this.#kept.get(key)
  }

  /** Asks the node for a key, and keeps what that says. `undefined` if there was an error. */
  async ask(key: string): Promise<number | undefined> {
    const raw = this.#raw ?? (await this.#connect())
    if (raw === undefined) return undefined
    const reply = new Promise<string>(resolve => this.#waiters.push({ key, resolve }))
    const caching = this.manner === 'OPTIN' ? [encode(['CLIENT', 'CACHING', 'YES'])] : []
    raw.write(Buffer.concat([...caching, encode(['GET', key])]))
    return numberOf(await reply)
  }

  /** A connection that tracks; `undefined` if there is none yet. */
  async #connect(): Promise<Raw | undefined> {
    try {
      const raw = await Raw.open(this.#t, this.#port)
      const words = this.manner === 'default' ? [] : [this.manner]
      await raw.send('HELLO', '3')
      const told = await raw.send('CLIENT', 'TRACKING', 'ON', ...words)
      if (told === '+OK\r\n') {
        this.#raw = raw
        void this.#listen(raw)
        return raw
      }
      raw.socket.destroy()
    } catch {}
    await sleep(5)
    return undefined
  }

  /** Takes what comes, in its order. With its connection all ends that it keeps. */
  async #listen(raw: Raw): Promise<void> {
    for (let [next] = await raw.replies(1); next !== undefined; [next] = await raw.replies(1)) {
      const text = String(next)
      if (text.startsWith('>')) this.#forget(text)
      else if (text !== '+OK\r\n') this.#take(text)
    }
    this.#raw = undefined
    this.#kept.clear()
    for (const { resolve } of this.#waiters.splice(0)) resolve('')
  }

  #take(reply: string): void {
    const waiter = this.#waiters.shift()
    const value = numberOf(reply)
    if (waiter === undefined) throw new Error(`nobody asked for ${reply}`)
    if (value === undefined) this.#kept.delete(waiter.key)
    else this.#kept.set(waiter.key, value)
    waiter.resolve(reply)
  }

  #forget(news: string): void {
    const [, , what, count, ...keys] = news.split('\r\n')
    if (what !== 'invalidate') throw new Error(`it was told ${news}`)
    if (count === '_') this.#kept.clear()
    for (const key of keys) this.#kept.delete(key)
  }
}

/** The number that a reply has; `undefined` if it is an error. */
function numberOf(reply: string): number | undefined {
  if (reply === '_\r\n') return 0
  return reply.startsWith('$') ? Number(reply.split('\r\n')[1]) : undefined
}
