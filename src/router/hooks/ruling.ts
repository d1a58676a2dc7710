// What a hook returned, checked, in the form that the native side takes.
import type { HookReply } from './define.ts'

/** What the native side is told: nothing for "go on"; kinds of `crates/node/src/router/hooks/ruling.rs`. */
export type Said = undefined | [kind: number, what: unknown]

const [REWRITE, ANSWER, REFUSE, FAIL, LABEL, LATE, ROUTE] = [1, 2, 3, 4, 5, 6, 7]
/** How deep a reply may be. */
const DEEPEST = 32

/** What a hook has said of a command. Throws a TypeError that says what is wrong. */
export function commandSaid(said: unknown): Said {
  if (said === undefined) return undefined
  const [kind, what] = only(said, ['rewrite', 'answer', 'refuse'])
  if (kind === 'rewrite') return [REWRITE, words(what)]
  if (kind === 'refuse') return [REFUSE, line('refuse', what)]
  return [ANSWER, reply(what as HookReply)]
}

/** What a hook has said of a client. Throws a TypeError that says what is wrong. */
export function clientSaid(said: unknown): Said {
  if (said === undefined) return undefined
  const [kind, what] = only(said, ['refuse', 'label'])
  return kind === 'refuse' ? [REFUSE, line(kind, what)] : [LABEL, line(kind, what)]
}

/**
 * Which route a hook has chosen. Throws a TypeError that says what is wrong.
 *
 * @param exists - whether there is a route of this prefix.
 */
export function routeSaid(said: unknown, exists: (prefix: string) => boolean): Said {
  if (said === undefined) return [ROUTE, undefined]
  if (typeof said !== 'string' || !said.endsWith('*')) {
    throw new TypeError("it returned neither nothing nor the match of a route, as 'user:*'")
  }
  const prefix = said.slice(0, -1)
  if (!exists(prefix)) throw new TypeError(`it chose '${said}', and the node has no such route`)
  return [ROUTE, prefix]
}

/** A hook has not answered in time: its client reads this. */
export function late(text: string): Said {
  return [LATE, text]
}

/** A hook has failed: its client reads this. */
export function failed(text: string): Said {
  return [FAIL, text]
}

/** The one property that says what is meant. */
function only(said: unknown, allowed: readonly string[]): [kind: string, what: unknown] {
  if (typeof said === 'object' && said !== null) {
    const keys = Object.keys(said)
    const [kind] = keys
    if (keys.length === 1 && allowed.includes(kind!)) {
      return [kind!, (said as Record<string, unknown>)[kind!]]
    }
  }
  throw new TypeError(`it returned neither nothing nor an object with one of ${allowed.join(', ')}`)
}

function words(given: unknown): (string | Uint8Array)[] {
  if (!Array.isArray(given) || given.length === 0)
    throw new TypeError('rewrite is no list of words')
  return given.map(word => {
    if (typeof word === 'string' || word instanceof Uint8Array) return word
    if (typeof word === 'number' && Number.isFinite(word)) return String(word)
    throw new TypeError('a word of rewrite is neither text, a number nor bytes')
  })
}

function line(name: string, text: unknown): string {
  if (typeof text === 'string' && text !== '') return text
  throw new TypeError(`${name} is no text, or an empty one`)
}

/** A reply, as it is: the native side writes it. */
function reply(value: HookReply, depth = 0): HookReply {
  if (depth > DEEPEST) throw new TypeError(`answer is deeper than ${DEEPEST}`)
  if (Array.isArray(value)) return value.map(each => reply(each, depth + 1))
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value) && !(Number.isInteger(value) && !Number.isSafeInteger(value))) {
        return value
      }
      break
    case 'object': {
      if (value === null || value instanceof Uint8Array) return value
      const [kind, text] = only(value, ['status', 'error'])
      return { [kind]: line(kind, text) } as unknown as HookReply
    }
  }
  throw new TypeError('answer holds what is no reply')
}
