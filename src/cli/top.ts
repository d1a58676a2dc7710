// `breakwater top`: a node live in a terminal, read from the stream of its admin entrance.
import { Command } from 'commander'
import { setTimeout } from '../base/runtime.ts'
import type { Hello, Sample } from '../dashboard/frames.ts'
import type { RemoteNode } from './remote.ts'
import type { Flags } from './settings.ts'
import { fail, nodeOf, withNode } from './spoken-to.ts'
import { Screen } from './top-screen.ts'
import { events, type Stream } from './top-stream.ts'

interface TopFlags extends Flags {
  once?: boolean
}

/** The keys of a chunk: arrows, and single characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those of a terminal
const KEYS = /\x1b\[[A-D]|./gs
/** How long to wait before the stream is opened again, in milliseconds. */
const AGAIN = 1000
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'

export const top = withNode(
  new Command('top').description('Show a running node live, through its admin entrance.'),
)
  .option('--once', 'print the figures once, and end')
  .addHelpText(
    'after',
    `
Keys: Tab and 1 to 9 choose a table, Left and Right the column to sort by, r turns the order, Up and
Down scroll, Enter shows all of a row, p pauses, q ends.`,
  )
  .action(run)

async function run(flags: TopFlags, command: Command): Promise<void> {
  const node = await nodeOf(flags, command)
  if (node === undefined) return
  const screen = new Screen(node.address)
  if (flags.once || !process.stdout.isTTY) await once(node, screen)
  else await watch(node, screen)
}

/** Prints the second sample: rates are known from then on. */
async function once(node: RemoteNode, screen: Screen): Promise<void> {
  const stream = events(node)
  try {
    let samples = 0
    for await (const [name, data] of stream) {
      take(screen, name, data)
      if (name === 'sample' && ++samples === 2) break
    }
    process.stdout.write(screen.text(100))
  } catch (error) {
    fail(error)
  } finally {
    stream.end()
  }
}

/** Shows samples until somebody ends it. */
async function watch(node: RemoteNode, screen: Screen): Promise<void> {
  const { stdin, stdout } = process
  let stream: Stream | undefined
  let ended = false
  const draw = () => {
    const { columns = 80, rows = 24 } = stdout
    const lines = screen.lines(columns, rows - 1)
    // Each line ends with what clears the rest of it; the whole is one write, so that nothing flickers.
    stdout.write(`\x1b[H${lines.map(line => `${line}\x1b[K`).join('\r\n')}\x1b[J`)
  }
  const end = () => {
    ended = true
    stream?.end()
  }
  const press = (keys: Buffer) => {
    // Several may come at once.
    const all = keys.toString().match(KEYS) ?? []
    if (all.some(key => screen.press(key) === 'end')) end()
    else draw()
  }
  stdout.write(ENTER)
  stdin.setRawMode?.(true)
  stdin.on('data', press)
  stdout.on('resize', draw)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end)
  try {
    while (!ended) {
      try {
        stream = events(node)
        for await (const [name, data] of stream) {
          take(screen, name, data)
          if (!screen.isPaused) draw()
        }
        screen.lose('the node has ended the stream')
      } catch (error) {
        screen.lose((error as Error).message)
      }
      if (ended) break
      draw()
      await new Promise(resolve => setTimeout(resolve, AGAIN))
    }
  } finally {
    stdin.setRawMode?.(false)
    stdin.pause()
    stdout.write(LEAVE)
  }
}

function take(screen: Screen, name: string, data: unknown): void {
  if (name === 'hello') screen.greet(data as Hello)
  else if (name === 'sample') screen.see(data as Sample)
}
