// What an admin entrance tells of what a node remembers, and what it forgets when it is told so.
import type { KnownKey, Router, RouterMemory } from '../router/index.ts'
import { type AdminReply, type AdminRequest, type AdminRoute, Refusal } from './route.ts'

/** What is known of a key, as JSON; the value as text, if it is shown. */
export interface KeyReport extends Omit<KnownKey, 'reply'> {
  reply:
    | (Omit<NonNullable<KnownKey['reply']>, 'value'> & { size: number; value?: string })
    | undefined
}

const NO_MEMORY = 'the node has a store of its own: it has no memory of another'
const KEY = 'a key: { "key": "user:1" }, or { "key": "dXNlcjox", "encoding": "base64" }'
const PREFIX = `${KEY}; or "prefix" instead of "key"`

/** The routes by which memory is looked at and forgotten. */
export function memoryRoutes(router: Router, showsValues: () => boolean): AdminRoute[] {
  const route = (
    path: string,
    handle: (memory: RouterMemory, asked: Asked) => Promise<AdminReply>,
  ): AdminRoute => ({
    method: 'POST',
    path,
    access: 'token',
    handle: request =>
      router.memory === undefined
        ? new Refusal(409, 'NO_MEMORY', NO_MEMORY).reply()
        : handle(router.memory, asked(request)),
  })
  return [
    route('/inspect', async (memory, { key }) => {
      if (key === undefined) return wrong(KEY)
      return { body: reportOf(await memory.inspect(key), showsValues()) }
    }),
    route('/invalidate', async (memory, { key, prefix }) => {
      if ((key === undefined) === (prefix === undefined)) return wrong(PREFIX)
      if (key !== undefined)
        return { body: { invalidated: (await memory.invalidate(key)) ? 1 : 0 } }
      return { body: { invalidated: await memory.invalidatePrefix(prefix!) } }
    }),
    route('/flush', async memory => {
      await memory.flush()
      return { body: { flushed: true } }
    }),
  ]
}

/** What is known of a key, to be told. */
export function reportOf({ reply, ...known }: KnownKey, showsValue: boolean): KeyReport {
  if (reply === undefined) return { ...known, reply }
  const { value, ...rest } = reply
  const shown = showsValue && value !== null ? { value: value.toString() } : {}
  return { ...known, reply: { ...rest, size: value?.length ?? 0, ...shown } }
}

/** The same in lines, each with its name. */
export function factsOf({ reply, ...known }: KeyReport): [name: string, value: string][] {
  const facts: [string, string | undefined][] = [
    ['memory', MEMORY[known.memory]],
    ['route', `${known.route}, ${known.mode}`],
    ['processes', known.processes.join(', ') || undefined],
    ['store', known.store],
    ['hot', hotOf(known)],
    ['generation', known.generation?.toString()],
    ['charged', known.bytes > 0 ? `${known.bytes} bytes` : undefined],
    ['reads of late', known.recentReads === undefined ? undefined : `${known.recentReads} of 3`],
  ]
  if (reply !== undefined) {
    facts.push(
      ['reply', reply.absent ? 'there is no such key' : `${reply.size} bytes`],
      ['database', `${reply.database}`],
      ['age', `${reply.age} ms`],
      ['life left', reply.ttl === undefined ? 'no end' : `${reply.ttl} ms`],
      ['value', reply.value],
    )
  }
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined)
}

const MEMORY: Readonly<Record<KnownKey['memory'], string>> = {
  reply: 'has the reply to its GET',
  reads: 'has something that was read of it, but not the reply to a GET',
  stale: 'has what may have changed since: for routes with staleIfError alone',
  nothing: 'has nothing of it',
}

function hotOf({ hotShare = 0, pinned }: Pick<KeyReport, 'hotShare' | 'pinned'>) {
  if (hotShare === 0 && !pinned) return undefined
  const share = `${(hotShare * 100).toFixed(1)} % of the reads that are not remembered`
  return pinned ? `pinned; ${share}` : share
}

interface Asked {
  key: string | Buffer | undefined
  prefix: string | Buffer | undefined
}

/** What a request names; what it does not name, or wrongly, is left out. */
function asked({ body }: AdminRequest): Asked {
  const { key, prefix, encoding = 'utf8' } = parsed(body)
  const bytes = (text: unknown) => {
    if (typeof text !== 'string') return undefined
    if (encoding === 'base64') return Buffer.from(text, 'base64')
    return encoding === 'utf8' ? text : undefined
  }
  return { key: bytes(key), prefix: prefix === '' ? undefined : bytes(prefix) }
}

function parsed(body: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(body))
  } catch {
    return {}
  }
}

function wrong(allowed: string): AdminReply {
  return new Refusal(400, 'BODY', `the body must be ${allowed}`).reply()
}
