// What viewers ask for: read, checked, and told to a source.
import type { IncomingMessage } from 'node:http'
import type { Action, ActionName, KeyText, Outcome } from './frames.ts'
import type { Source } from './source.ts'

/** The longest request, in bytes: a key of 65,535 bytes, in base64, and what stands around it. */
const LONGEST = 131_072
const MODES = ['off', 'shadow', 'on']
/** What each action needs. */
const NEEDS: Readonly<Record<ActionName, readonly ('key' | 'text' | 'mode')[]>> = {
  inspect: ['key'],
  invalidate: ['key'],
  invalidatePrefix: ['text'],
  invalidateTag: ['text'],
  flush: [],
  pin: ['key'],
  unpin: ['key'],
  route: ['text', 'mode'],
  restart: [],
  drain: [],
}

/** A request that cannot be. */
export class BadAction extends Error {}

/** The body of a request; what is no JSON is given as `undefined`. */
export async function readBody(request: IncomingMessage & { body?: unknown }): Promise<unknown> {
  // Somebody before us has read it.
  if (request.body !== undefined) return request.body
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += (chunk as Buffer).length
    if (length > LONGEST) return undefined
    chunks.push(chunk as Buffer)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    return undefined
  }
}

/** Throws {@link BadAction} unless it is an action. */
export function checkAction(body: unknown): Action {
  if (typeof body !== 'object' || body === null) {
    throw new BadAction(`an action is an object of JSON, of ${LONGEST} bytes at the most`)
  }
  const { source, action, key, text, mode } = body as Record<string, unknown>
  if (typeof source !== 'string') throw new BadAction("'source' is missing")
  if (typeof action !== 'string' || !Object.hasOwn(NEEDS, action)) {
    throw new BadAction("there is no such 'action'")
  }
  const given = { key: isKey(key), text: isText(text), mode: MODES.includes(mode as string) }
  for (const need of NEEDS[action as ActionName]) {
    if (!given[need]) throw new BadAction(`'${need}' is missing or wrong`)
  }
  return { source, action, key, text, mode } as Action
}

function isKey(key: unknown): boolean {
  const { kind, text, cut } = (key ?? {}) as Partial<KeyText>
  if (typeof text !== 'string' || cut === true) return false
  if (kind === 'number') return text.trim() !== '' && Number.isFinite(Number(text))
  return kind === 'string' || kind === 'bytes'
}

function isText(text: unknown): boolean {
  return typeof text === 'string' && text !== ''
}

/** Has a source do it. */
export async function act(sources: readonly Source[], action: Action): Promise<Outcome> {
  const source = sources.find(({ shape }) => shape.id === action.source)
  if (source === undefined) throw new BadAction('there is no such source')
  if (!source.shape.actions.includes(action.action)) {
    throw new BadAction(`'${action.action}' cannot be asked of this source`)
  }
  try {
    return await source.act(action)
  } catch (error) {
    return { ok: false, text: (error as Error).message }
  }
}
