// `breakwater inspect | invalidate | flush`: what a running node remembers of its store.
import { factsOf } from '../admin/memory.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { visible } from '../dashboard/format.ts'
import { type OrderFlags, order } from './orders.ts'
import type { NamedKey } from './remote.ts'

/** The width of names, and the most characters of a value. */
const WIDTH = 15
const LONGEST = 4000

interface MemoryFlags extends OrderFlags {
  prefix?: string
  base64?: boolean
}

/** A key or prefix, as it was given. */
function named(flags: MemoryFlags, key: string | undefined): NamedKey {
  return { key, prefix: flags.prefix, encoding: flags.base64 ? 'base64' : 'utf8' }
}

export const inspect = order<MemoryFlags>(
  'inspect <key>',
  'Say what a running node knows and remembers of a key.',
  async (node, flags, key) => {
    const json = await node.inspect(named(flags, key))
    const facts = factsOf(json)
    const text = facts
      .map(([name, value]) => `${name.padEnd(WIDTH)}${visible(value, LONGEST)}\n`)
      .join('')
    return { text, json }
  },
).option('--base64', 'the key is in base64')

export const invalidate = order<MemoryFlags>(
  'invalidate [key]',
  'Have a running node forget what it has read of a key: the next read asks the store.',
  async (node, flags, key) => {
    if ((key === undefined) === (flags.prefix === undefined)) {
      throw new InvalidOptionError('key', key, 'a key, or else --prefix')
    }
    const count = await node.invalidate(named(flags, key))
    return { text: `invalidated: ${count}\n`, json: { invalidated: count } }
  },
)
  .option('--prefix <text>', 'of all keys that begin so')
  .option('--base64', 'the key or prefix is in base64')

export const flush = order(
  'flush',
  'Have a running node forget all that it has read; nothing is deleted in its stores.',
  async node => {
    await node.flush()
    return { text: 'flushed\n', json: { flushed: true } }
  },
)
