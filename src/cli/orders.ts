// `breakwater status | reload | restart | drain`, and what all orders have in common: a node that runs, asked or told through its admin entrance.
import { Command } from 'commander'
import { InvalidOptionError } from '../base/errors.ts'
import { setTimeout } from '../base/runtime.ts'
import { type RemoteNode, UnreachableError } from './remote.ts'
import type { Flags } from './settings.ts'
import { fail, nodeOf, withNode } from './spoken-to.ts'
import { statusText } from './status-text.ts'

/** How often a drain is looked at, in milliseconds. */
const LOOK = 200
/** Exit code of a node that is not ready. */
const NOT_READY = 3

/** The options of orders. */
export interface OrderFlags extends Flags {
  json?: boolean
  wait?: boolean
  ready?: boolean
}

/** What an order prints, as text and as JSON, and the exit code that it leads to. */
export interface Outcome {
  text: string
  json: unknown
  code?: number
}

export const status = order(
  'status',
  'Say where a running node stands.',
  async (node, { ready }) => {
    if (!ready) {
      const json = await node.status()
      return { text: statusText(json), json, code: codeOf(json) }
    }
    const json = await node.readiness()
    const text = `${json.ready ? 'ready' : json.reasons.join(', ')}\n`
    return { text, json, code: codeOf(json) }
  },
)
  .option('--ready', 'only whether it is ready, which needs no token: for probes')
  .addHelpText(
    'after',
    `
Exit codes: 0 it is ready, 3 it runs and is not ready, 1 nobody answers, 2 an option is wrong.`,
  )

export const reload = order(
  'reload',
  'Have a running node reload its configuration, as SIGHUP does.',
  async node => {
    const changed = await node.reload()
    return { text: `reloaded: ${changed.join(', ') || 'nothing has changed'}\n`, json: { changed } }
  },
)

export const restart = order(
  'restart',
  'Have a running node put new workers in the place of all, one by one, and wait until they serve.',
  async node => {
    const workers = await node.restart()
    const text = `restarted: ${workers.serving} ${workers.mode} serve\n`
    return { text, json: { workers } }
  },
)

export const drain = order(
  'drain',
  'Have a running node end in order, and wait until it has.',
  async (node, { wait = true }) => {
    await node.drain()
    if (!wait) return { text: 'it drains\n', json: { ended: false } }
    await ended(node)
    return { text: 'it has ended\n', json: { ended: true } }
  },
).option('--no-wait', 'do not wait for its end')

/** The exit code that readiness leads to. */
function codeOf({ ready }: { ready: boolean }): number {
  return ready ? 0 : NOT_READY
}

/** A command that speaks to a node, and may be given a word, as the name says it. */
export function order<F extends OrderFlags>(
  name: string,
  description: string,
  act: (node: RemoteNode, flags: F, word: string | undefined) => Promise<Outcome>,
): Command {
  const [own, argument] = name.split(' ')
  const made = withNode(new Command(own).description(description))
  if (argument !== undefined) made.argument(argument)
  return made.option('--json', 'print JSON').action(async (...given: unknown[]) => {
    const [flags, command] = given.slice(-2) as [F, Command]
    const word = given.length > 2 ? (given[0] as string | undefined) : undefined
    const node = await nodeOf(flags, command)
    if (node === undefined) return
    try {
      const { text, json, code = 0 } = await act(node, flags, word)
      process.stdout.write(flags.json ? `${JSON.stringify(json)}\n` : text)
      process.exitCode = code
    } catch (error) {
      if (error instanceof InvalidOptionError) command.error(`error: ${error.message}`)
      fail(error)
    }
  })
}

/** Done when the node answers no more. */
async function ended(node: RemoteNode): Promise<void> {
  for (;;) {
    try {
      await node.status()
    } catch (error) {
      if (error instanceof UnreachableError) return
      throw error
    }
    await new Promise(resolve => setTimeout(resolve, LOOK))
  }
}
