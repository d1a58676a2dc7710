// `breakwater record`: writes the reads of a Redis to a trace, from what its MONITOR tells; or those of a
// node that runs, which tells them itself.
import { createWriteStream, readFileSync } from 'node:fs'
import { PassThrough, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Command, InvalidArgumentError } from 'commander'
import { BreakwaterError, TraceError } from '../base/errors.ts'
import { clearTimeout, now, setTimeout } from '../base/runtime.ts'
import { milliseconds } from '../base/units.ts'
import { type Recording, recorded } from '../lab/recording.ts'
import { checkStore } from '../router/store-url.ts'
import { wholeNumber } from './arguments.ts'
import { recordedNode } from './record-node.ts'
import type { Flags as NodeFlags } from './settings.ts'
import { nodeOf, withNode } from './spoken-to.ts'

const MINUTE = 60_000

type Server = Recording['server']

interface Flags extends Pick<NodeFlags, 'admin' | 'adminTokenFile' | 'config'> {
  output: string
  for?: number
  limit: number
  sizes?: boolean
  tlsCa?: Buffer
}

/** What was recorded. */
interface Recorded {
  requests: number
  /** Requests that there was no room for. */
  lost: number
}

/** What is recorded, to where, until when. */
type Source = (out: Writable, signal: AbortSignal) => Promise<Recorded>

export const record = withNode(
  new Command('record')
    .description(
      'Write the reads of a Redis, or of a running node, to a trace for `breakwater simulate`, without keys.',
    )
    .argument(
      '[store]',
      "the server: 'redis://[[user]:password@]host[:port]', rediss:// or unix://; if left out, the node",
      server,
    ),
)
  .requiredOption('-o, --output <file>', 'a new file that ends in .csv or .csv.gz', output)
  .option('--for <duration>', "how long, as '90s' (default: one minute)", duration)
  .option('--limit <requests>', 'end after so many requests', wholeNumber, 1_000_000)
  .option('--sizes', 'ask the server once for each key what it takes')
  .option('--tls-ca <file>', 'the authorities of a server at rediss://, as PEM', pem)
  .addHelpText(
    'after',
    `
A node tells what it has read, by its admin entrance and with its token, and works no slower for it. A
server that is monitored does more work: record for minutes, not for days. The trace holds times and hashes of
keys, which cannot be turned back. Ctrl+C ends it early and keeps what there is.
Exit codes: 0 it was recorded, 1 the server or the file failed, 2 an option is wrong.`,
  )
  .action(run)

async function run(store: Server | undefined, flags: Flags, command: Command): Promise<void> {
  const source = store === undefined ? await nodeSource(flags, command) : storeSource(store, flags)
  if (source === undefined) return
  const began = now()
  const over = new AbortController()
  const end = () => over.abort()
  const timer = setTimeout(end, flags.for ?? MINUTE)
  process.once('SIGINT', end).once('SIGTERM', end)
  try {
    const { requests, lost } = await toFile(source, flags.output, over)
    const seconds = ((now() - began) / 1000).toFixed(1)
    const without = lost === 0 ? '' : `, without ${lost} that there was no room for`
    process.stdout.write(`${flags.output}: ${requests} requests in ${seconds} s${without}\n`)
  } catch (error) {
    if (!(error instanceof BreakwaterError)) throw error
    process.stderr.write(`breakwater: ${error.message}\n`)
    process.exitCode = 1
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

/** A server that is monitored. */
function storeSource(server: Server, { limit, sizes = false, tlsCa: ca }: Flags): Source {
  return async (out, signal) => ({
    requests: await recorded({ server, ca, withSizes: sizes, limit, signal }, out),
    lost: 0,
  })
}

/** A node that tells what it reads; none, once it is told why there is none. */
async function nodeSource(flags: Flags, command: Command): Promise<Source | undefined> {
  const { admin, adminTokenFile, config, limit } = flags
  for (const [option, given] of [
    ['--sizes', flags.sizes],
    ['--tls-ca', flags.tlsCa],
  ] as const) {
    if (given === undefined) continue
    command.error(`error: ${option} is for a server; a node tells sizes anyway, at its own machine`)
  }
  const which = { admin, adminTokenFile, config } as NodeFlags
  const node = await nodeOf(
    which,
    command,
    "missing required argument 'store', or --admin of a node",
  )
  return node && ((out, signal) => recordedNode(node, limit, signal, out))
}

/** Records to a new file. If that fails, the recording is over; and the other way round. */
async function toFile(source: Source, output: string, over: AbortController): Promise<Recorded> {
  const out = new PassThrough()
  const file = createWriteStream(output, { flags: 'wx' })
  const written = output.endsWith('.gz') ? pipeline(out, createGzip(), file) : pipeline(out, file)
  written.catch(() => over.abort())
  try {
    return await source(out, over.signal)
  } finally {
    out.end()
    await written.catch((error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EEXIST' ? 'is there already' : `cannot be written: ${error.message}`
      throw new TraceError(`${output} ${why}`)
    })
  }
}

function server(given: string): Server {
  const { servers, announce } = parsed(() => checkStore(given))
  if (announce !== undefined) throw new InvalidArgumentError('Record one server of a cluster.')
  return servers[0]!
}

function output(given: string): string {
  if (/\.csv(\.gz)?$/.test(given)) return given
  throw new InvalidArgumentError('It must end in .csv or .csv.gz.')
}

function duration(given: string): number {
  return parsed(() => milliseconds('duration', given))
}

function pem(given: string): Buffer {
  try {
    return readFileSync(given)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

/** What an option says, or why it says nothing. */
function parsed<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof BreakwaterError) throw new InvalidArgumentError(error.message)
    throw error
  }
}
