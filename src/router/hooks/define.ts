// Hooks of a router: their shapes, and their checks.
import { checkDuration, checkFlag, checkKnown, needFunction } from '../../base/checks.ts'
import { InvalidOptionError } from '../../base/errors.ts'
import type { Duration } from '../../base/types.ts'

/** A client, as hooks know it. */
export interface HookClient {
  /** Its number, as `CLIENT ID` says. */
  readonly id: number
  /** Its end of the connection, as `host:port`. */
  readonly address: string
  /** The node's end. */
  readonly local: string
  /** What it calls itself by `CLIENT SETNAME`; empty if it does not. */
  readonly name: string
  /** What `onConnect` has called it. */
  readonly label: string | undefined
  /** The names in the certificate that it has shown, if it did. */
  readonly certificate: HookCertificate | undefined
}

/** The names in the certificate of a client. */
export interface HookCertificate {
  /** `CN` of its subject. */
  readonly common: readonly string[]
  readonly dns: readonly string[]
  readonly uris: readonly string[]
}

/** A command that a hook is asked about. It can be read while the hook runs; of an asynchronous one, always. */
export interface HookRequest {
  /** The command in lower case, with its part: `set`, `config|set`. */
  readonly command: string
  /** The words behind the command, as text. */
  readonly args: readonly string[]
  /** Its keys, as text. */
  readonly keys: readonly string[]
  /** The name of its user. */
  readonly user: string
  /** The number of its database. */
  readonly database: number
  /** Whether it stands behind `MULTI`. */
  readonly queued: boolean
  /** Whose it is. */
  readonly client: HookClient
  /** A word behind the command, as it came. */
  bytes(index: number): Uint8Array
}

/** A reply: texts and bytes are bulks; `{ status: 'OK' }` is a status. */
export type HookReply =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | { readonly status: string }
  | { readonly error: string }
  | readonly HookReply[]

/** What a hook makes of a command: nothing, so that it goes on; another command; a reply; or an error. */
export type CommandRuling =
  | { readonly rewrite: readonly (string | number | Uint8Array)[] }
  | { readonly answer: HookReply }
  | { readonly refuse: string }
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that says nothing returns nothing
  | void

/** What a hook says of a client that comes: nothing, so that it is let in; what it is called; or an error. */
export type ClientRuling =
  | { readonly label: string }
  | { readonly refuse: string }
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that says nothing returns nothing
  | void

/** A key whose route a hook chooses. */
export interface HookKey {
  /** As text. */
  readonly key: string
  /** As it came. */
  readonly bytes: Uint8Array
}

/** The `match` of a route of the node; nothing, so that the key has the one of its beginning. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that says nothing returns nothing
export type RouteRuling = string | void

/**
 * A hook that chooses the routes of keys. What it says of a key counts for all clients, until the node
 * asks again: it depends on the key alone.
 */
export type RouteHook =
  | ((key: HookKey) => RouteRuling)
  | ({
      /** Beginnings of the keys that it is asked about. Default: all. */
      readonly prefixes?: readonly string[] | undefined
    } & (SyncHook<HookKey, RouteRuling> | AsyncHook<HookKey, RouteRuling>))

/** Which commands a hook is asked about: those that meet both. */
export interface HookInterest {
  /**
   * Names of commands: `'set'`; `'config'` with all its parts, or `'config|set'`. Never `AUTH` and
   * `HELLO`, which hold passwords. Default: all.
   */
  readonly commands?: readonly string[] | undefined
  /** Beginnings of keys, of which a key of the command has one. Default: any, or no key. */
  readonly prefixes?: readonly string[] | undefined
}

/** A hook that answers at once: the thread waits for it. */
export interface SyncHook<T, R> {
  readonly async?: false | undefined
  readonly handle: (of: T) => R
}

/** A hook that returns a promise: its client waits for it, and nobody else. */
export interface AsyncHook<T, R> {
  readonly async: true
  /** How long it may take; then it has failed. Default: `'1s'`. */
  readonly deadline?: Duration | undefined
  readonly handle: (of: T) => Promise<R>
}

/** A hook that is asked about commands. */
export type CommandHook = HookInterest &
  (SyncHook<HookRequest, CommandRuling> | AsyncHook<HookRequest, CommandRuling>)

/** A hook that is asked about clients that come. */
export type ConnectHook =
  | ((client: HookClient) => ClientRuling)
  | SyncHook<HookClient, ClientRuling>
  | AsyncHook<HookClient, ClientRuling>

/** What has a say in what clients ask. */
export interface RouterHooks {
  /** Asked about each client that comes. */
  readonly onConnect?: ConnectHook | undefined
  /** Asked about commands: of several, the first that is interested in a command, and no other. */
  readonly onCommand?: CommandHook | readonly CommandHook[] | undefined
  /** Asked for the route of each key that is read, in front of a store. */
  readonly route?: RouteHook | undefined
}

/**
 * Gives hooks back as they are: for the types of a module of hooks.
 *
 * @example
 * ```ts
 * import { defineHooks } from 'breakwater/router'
 *
 * export default defineHooks({
 *   onCommand: {
 *     commands: ['flushall', 'flushdb'],
 *     handle: ({ user }) => (user === 'ops' ? undefined : { refuse: 'NOPERM ask ops to flush' }),
 *   },
 * })
 * ```
 */
export function defineHooks(hooks: RouterHooks): RouterHooks {
  return hooks
}

/** A hook, checked. */
export interface CheckedHook<T, R> {
  /** By which it is named in errors. */
  readonly name: string
  /** In milliseconds, of one that returns a promise. */
  readonly deadline: number | undefined
  readonly handle: (of: T) => R | Promise<R>
}

/** Hooks, checked. */
export interface CheckedHooks {
  readonly greeting: CheckedHook<HookClient, ClientRuling> | undefined
  readonly commands: readonly (CheckedHook<HookRequest, CommandRuling> & {
    readonly interest: { commands: string[]; prefixes: string[] }
  })[]
  readonly route: (CheckedHook<HookKey, RouteRuling> & { readonly prefixes: string[] }) | undefined
}

const HOOKS: readonly string[] = ['onConnect', 'onCommand', 'route'] satisfies (keyof RouterHooks)[]
const CONNECT: readonly string[] = ['async', 'deadline', 'handle']
const ROUTE: readonly string[] = ['prefixes', ...CONNECT]
const COMMAND: readonly string[] = ['commands', 'prefixes', ...CONNECT]
/** The most hooks that are asked about commands. */
const MOST = 64
/** What holds passwords. */
const SECRET = /^(auth|hello)$/i
/** A name of a command, or of a part of one. */
const NAME = /^[\w.-]{1,40}(\|[\w.-]{1,40})?$/
const DEADLINE = 1000

/** Checks hooks. Throws {@link InvalidOptionError}, which names what is wrong by its path. */
export function checkHooks(hooks: RouterHooks): CheckedHooks {
  if (typeof hooks !== 'object' || hooks === null || Array.isArray(hooks)) {
    throw new InvalidOptionError('hooks', hooks, 'an object, as { onCommand: { handle } }')
  }
  checkKnown('hooks.', hooks, HOOKS)
  const { onConnect, onCommand = [], route } = hooks
  const isList = Array.isArray(onCommand)
  const list = (isList ? onCommand : [onCommand]) as readonly CommandHook[]
  if (list.length > MOST) {
    throw new InvalidOptionError('hooks.onCommand', `${list.length} hooks`, `at most ${MOST} hooks`)
  }
  const pathOf = (at: number) => (isList ? `onCommand[${at}]` : 'onCommand')
  return {
    greeting: onConnect === undefined ? undefined : checkConnect(onConnect),
    commands: list.map((hook, at) => checkCommand(pathOf(at), hook)),
    route: route === undefined ? undefined : checkRoute(route),
  }
}

function checkConnect(hook: ConnectHook): CheckedHook<HookClient, ClientRuling> {
  if (typeof hook === 'function') return { name: 'onConnect', deadline: undefined, handle: hook }
  return checkHook('onConnect', hook, CONNECT, 'a function, or { handle }')
}

function checkRoute(hook: RouteHook): NonNullable<CheckedHooks['route']> {
  if (typeof hook === 'function') {
    return { name: 'route', deadline: undefined, handle: hook, prefixes: [] }
  }
  const checked = checkHook('route', hook, ROUTE, 'a function, or { handle }')
  return { ...checked, prefixes: checkPrefixes('route', hook.prefixes) }
}

function checkCommand(name: string, hook: CommandHook): CheckedHooks['commands'][number] {
  const checked = checkHook<HookRequest, CommandRuling>(name, hook, COMMAND, 'an object { handle }')
  const commands = checkList(`hooks.${name}.commands`, hook.commands, "names, as ['set', 'del']")
  for (const [at, command] of commands.entries()) {
    const option = `hooks.${name}.commands[${at}]`
    if (!NAME.test(command)) {
      throw new InvalidOptionError(
        option,
        command,
        "the name of a command, as 'set' or 'config|set'",
      )
    }
    if (SECRET.test(command)) {
      throw new InvalidOptionError(option, command, 'a command that holds no password')
    }
  }
  const prefixes = checkPrefixes(name, hook.prefixes)
  const names = commands.map(command => command.toLowerCase())
  return { ...checked, interest: { commands: names, prefixes } }
}

function checkHook<T, R>(
  name: string,
  hook: SyncHook<T, R> | AsyncHook<T, R>,
  known: readonly string[],
  allowed: string,
): CheckedHook<T, R> {
  if (typeof hook !== 'object' || hook === null || Array.isArray(hook)) {
    throw new InvalidOptionError(`hooks.${name}`, hook, allowed)
  }
  checkKnown(`hooks.${name}.`, hook, known)
  const isAsync = checkFlag(`hooks.${name}.async`, hook.async ?? false)
  const given = (hook as AsyncHook<T, R>).deadline
  if (given !== undefined && !isAsync) {
    throw new InvalidOptionError(`hooks.${name}.deadline`, given, 'left out without async: true')
  }
  const deadline = checkDuration(`hooks.${name}.deadline`, given ?? DEADLINE)
  return {
    name,
    deadline: isAsync ? deadline : undefined,
    handle: needFunction(`hooks.${name}.handle`, hook.handle).bind(hook),
  }
}

function checkPrefixes(name: string, prefixes: readonly string[] | undefined): string[] {
  return checkList(`hooks.${name}.prefixes`, prefixes, "texts, as ['user:']")
}

/** A list of texts that are not empty; none, if it is left out. */
function checkList(option: string, list: readonly string[] = [], allowed: string): string[] {
  if (!Array.isArray(list)) throw new InvalidOptionError(option, list, `a list of ${allowed}`)
  for (const [at, text] of list.entries()) {
    if (typeof text === 'string' && text !== '') continue
    throw new InvalidOptionError(`${option}[${at}]`, text, 'a text that is not empty')
  }
  return [...list]
}
