// Commands on their way to a server, in the form that it knows: scripts by their hashes or in full, or
// by the names that `breakwater serve` has for them. Which of these is learned from its answers.
import type { Command, Reply, Word } from '../clients/client.ts'
import { type Connection, isUnknownCommand } from '../clients/connection.ts'
import { call, READ, type ScriptCommand } from './scripts.ts'

/** What the servers of a connection are taken to know: the hashes of scripts, by parts of a cluster. */
const known = new WeakMap<Connection, Set<string>>()

/**
 * How a server is told what to do in one step: by scripts, or by names where it has no scripts. Not known
 * before its first answer.
 */
const ways = new WeakMap<Connection, 'scripts' | 'names'>()

/**
 * Sends commands together. What is sent behind them shall find them done: so scripts are sent in full
 * the first time, and to a server that has not answered yet by name as well, since it knows one of the
 * two. Those that it does not know all the same, having begun anew or being another one, are sent again,
 * in the form that it will know, and after them what has already been done to their keys since, so that
 * it is the last.
 */
export async function sendAll(
  connection: Connection,
  commands: readonly (Command | ScriptCommand)[],
): Promise<(Reply | Error)[]> {
  if (connection.mindsErrors) await ask(connection, commands)
  const way = connection.isCluster ? 'scripts' : ways.get(connection)
  if (way === undefined) return sendBoth(connection, commands)
  const form = way === 'names' ? asNamed : asKnown
  const replies = await connection.sendAll(commands.map(command => form(connection, command)))
  const unknown = commands.map((command, i) => lacksOf(command, replies[i]))
  const lacks = unknown.find(Boolean)
  if (lacks === undefined) return replies
  known.delete(connection)
  const now = lacks === 'command' && way === 'scripts' ? 'names' : 'scripts'
  ways.set(connection, now)
  const places = new Set<string>()
  const missed: number[] = []
  for (const [i, command] of commands.entries()) {
    const touched = placesOf(command)
    if (!unknown[i] && !touched.some(place => places.has(place))) continue
    missed.push(i)
    for (const place of touched) places.add(place)
  }
  const whole = missed.map(i => commands[i] as Command)
  const sent = whole.map(one => (now === 'names' ? asNamed(connection, one) : inFull(one)))
  const again = await connection.sendAll(sent)
  for (const [at, i] of missed.entries()) replies[i] = again[at] as Reply | Error
  return replies
}

/** What is asked of a server before the first commands of a connection. */
const questions = new WeakMap<Connection, Promise<void>>()

/** Asks what a server knows, where the client may connect anew on a refusal: this is none. */
function ask(connection: Connection, commands: readonly Command[]): Promise<void> | undefined {
  const name = commands.find(({ named }) => named !== undefined)?.named?.name
  if (connection.isCluster || name === undefined || ways.has(connection)) return asked(connection)
  const question = questions.get(connection) ?? learn(connection, name)
  questions.set(connection, question)
  return question
}

async function learn(connection: Connection, name: string): Promise<void> {
  try {
    const [reply] = await connection.sendAll([{ words: ['COMMAND', 'INFO', name], key: '' }])
    if (reply instanceof Error) return
    const [row] = (reply as Reply[] | null) ?? []
    ways.set(connection, Array.isArray(row) && row.length > 0 ? 'names' : 'scripts')
  } finally {
    questions.delete(connection)
  }
}

/** Waits for what is being asked: what is sent behind it shall not overtake. */
const asked = (connection: Connection): Promise<void> | undefined => questions.get(connection)

/** Sends each command in both forms, and learns from the answers which of them the server knows. */
async function sendBoth(
  connection: Connection,
  commands: readonly (Command | ScriptCommand)[],
): Promise<(Reply | Error)[]> {
  const forms = commands.map(command => {
    const first = asKnown(connection, command)
    return command.named === undefined ? [first] : [first, asNamed(connection, command)]
  })
  const replies = await connection.sendAll(forms.flat())
  let at = 0
  return forms.map(({ length }) => {
    const [first, second] = replies.slice(at, at + length) as [Reply | Error, Reply | Error]
    at += length
    if (length === 1) return first
    if (isUnknownCommand(first) && !isUnknownCommand(second)) {
      ways.set(connection, 'names')
      return second
    }
    if (!isUnknownCommand(first)) ways.set(connection, 'scripts')
    return first
  })
}

/** What a server lacks that does not know a command: a script, or the command itself. */
function lacksOf(
  command: Command,
  reply: Reply | Error | undefined,
): 'script' | 'command' | undefined {
  if (!(reply instanceof Error)) return undefined
  if (reply.message.startsWith('NOSCRIPT')) return 'script'
  return command.named !== undefined && isUnknownCommand(reply) ? 'command' : undefined
}

/** A command as a server knows it that has neither scripts nor sets. */
function asNamed({ keyPrefix, addsPrefix }: Connection, command: Command): Command {
  const { named, key } = command
  if (named === undefined) return command
  // The library does not know which words are keys.
  const prefix = Buffer.from(addsPrefix ? keyPrefix : '')
  const whole = (name: Word) =>
    prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from(name as Uint8Array)])
  const { name, keys, args } = named
  return { words: [name, String(keys.length), ...keys.map(whole), ...args], key }
}

/** A script by its hash, if the server knows it. */
function asKnown(connection: Connection, command: Command | ScriptCommand): Command {
  if (!('script' in command)) return command
  const scripts = known.get(connection) ?? new Set()
  known.set(connection, scripts)
  const id = `${connection.isCluster ? connection.partOf(command.key) : 0} ${command.script.hash}`
  // A script that the server has lost would be refused.
  if (scripts.has(id) && !connection.mindsErrors) return command
  scripts.add(id)
  return inFull(command)
}

function placesOf(command: Command | ScriptCommand): string[] {
  const keys = 'keys' in command ? command.keys : [command.key]
  return keys.map(key => Buffer.from(key as Uint8Array).toString('latin1'))
}

function inFull(command: Command | ScriptCommand): Command {
  if (!('script' in command)) return command
  const { script, words, key } = command
  return { words: ['EVAL', script.source, ...words.slice(2)], key }
}

/** What a key has, and the time of its server just before it was read, in microseconds. */
export interface Read {
  /** Left out if it was not asked for. */
  readonly now: number | undefined
  readonly bytes: Buffer | undefined
}

/** Asks a server alone for its time. */
export const TIME: Command = { words: ['TIME'], key: '' }

/** The time of a server. */
export function timeOf(reply: Reply): number {
  const [seconds, micros] = reply as Reply[]
  return Number(seconds) * 1_000_000 + Number(micros)
}

/**
 * Reads keys. A server alone is asked for the time before it is for the values, if at all, which copies
 * large ones less often than a script does; the servers of a cluster have clocks of their own.
 */
export function read(
  connection: Connection,
  keys: readonly Word[],
  withTime: boolean,
): Promise<(Read | Error)[]> {
  if (connection.isCluster) return readApart(connection, keys)
  const question = connection.mindsErrors ? asked(connection) : undefined
  if (question === undefined) return readTogether(connection, keys, withTime)
  return question.then(() => readTogether(connection, keys, withTime))
}

/** Each from its server. */
async function readApart(connection: Connection, keys: readonly Word[]): Promise<(Read | Error)[]> {
  const replies = await sendAll(
    connection,
    keys.map(key => call(READ, [key], [])),
  )
  return replies.map(reply => {
    if (reply instanceof Error) return reply
    const [now, bytes] = reply as Reply[]
    return { now: Number(now), bytes: bytesOf(bytes) }
  })
}

function readTogether(
  connection: Connection,
  keys: readonly Word[],
  withTime: boolean,
): Promise<Read[]> {
  const get = { words: ['MGET', ...keys], key: '' }
  return connection.ask(withTime ? [TIME, get] : [get], replies => {
    const now = withTime ? timeOf(answer(replies[0] as Reply | Error)) : undefined
    const values = answer(replies.at(-1) as Reply | Error) as Reply[]
    return keys.map((_, i) => ({ now, bytes: bytesOf(values[i]) }))
  })
}

function bytesOf(reply: Reply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined
}

/** A reply that is no error. */
export function answer(reply: Reply | Error): Reply {
  if (reply instanceof Error) throw reply
  return reply
}
