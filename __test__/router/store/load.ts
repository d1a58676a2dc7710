// Clients that work through a node while a test does something to it, or to the servers behind it.
import type { ExecutionContext } from 'ava'
import { Raw } from '../support.ts'
import { bulk } from './cluster.ts'

/** What the clients have to bear. */
export interface Hardship {
  /** A master is killed that may not have passed its last writes on: an older value may come back. */
  forgets?: boolean
  /** The node ends connections: a client comes back, and does not know whether its last write was done. */
  disconnects?: boolean
  clients?: number
}

/** Clients at work. */
export interface Load {
  /** How many writes were begun. */
  made(): number
  /** How often a connection was ended so far. */
  losses(): number
  /** Ends the work; the errors that clients were told, and how often a connection was ended. */
  stop(): Promise<{ errors: string[]; losses: number }>
}

/** Has clients write and read keys of their own, and look at what they get, until they are to stop. */
export async function busy(
  t: ExecutionContext,
  port: number,
  { forgets = false, disconnects = false, clients = 6 }: Hardship = {},
): Promise<Load> {
  let [stopped, number, losses] = [false, 0, 0]
  const errors: string[] = []
  const work = Array.from({ length: clients }, async (_, at) => {
    let client = await Raw.open(t, port)
    const comeBack = async () => {
      losses++
      client = await Raw.open(t, port)
    }
    // What each key may have: one value, or several where a write may have been done or not.
    const may = new Map<string, Set<string>>()
    for (let n = 0; !stopped; n++) {
      const [key, value] = [`c${at}:${n % 40}`, `${++number}`]
      const before = may.get(key) ?? new Set(['-1'])
      const reply = await client.send('SET', key, value)
      if (reply === '+OK\r\n') may.set(key, new Set(forgets ? [...before, value] : [value]))
      else {
        may.set(key, new Set([...before, value]))
        if (reply !== '') errors.push(reply)
        else if (disconnects) await comeBack()
      }
      for (let read = 0; read < 3; read++) {
        const got = await client.send('GET', key)
        if (got === '' && disconnects) {
          await comeBack()
          continue
        }
        // The node has ended: so has the test.
        if (got === '') return
        if (got.startsWith('-')) {
          errors.push(got)
          continue
        }
        const seen = got === '$-1\r\n' ? '-1' : bulk(got)
        if (!may.get(key)!.has(seen)) {
          throw new Error(`${key} has ${seen}, not ${[...may.get(key)!]}, after ${number} writes`)
        }
        if (!forgets) may.set(key, new Set([seen]))
      }
    }
  })
  const stop = async () => {
    stopped = true
    await Promise.all(work)
    return { errors, losses }
  }
  // Whoever is wrong says so when it is asked for the end.
  for (const one of work) one.catch(() => {})
  return { stop, made: () => number, losses: () => losses }
}

/** The slots of the keys that so many clients use. */
export async function slotsOf(raw: Raw, client: number, keys = 40): Promise<number[]> {
  const slots = new Set<number>()
  for (let n = 0; n < keys; n++) {
    slots.add(Number((await raw.send('CLUSTER', 'KEYSLOT', `c${client}:${n}`)).slice(1)))
  }
  return [...slots]
}
