// `breakwater record`: writes the reads of a Redis to a trace, from what its MONITOR tells.
import { createWriteStream, readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Command, InvalidArgumentError } from 'commander'
import { BreakwaterError, TraceError } from '../base/errors.ts'
import { clearTimeout, now, setTimeout } from '../base/runtime.ts'
import { milliseconds } from '../base/units.ts'
import { type Recording, recorded } from '../lab/recording.ts'
import { checkStore } from '../router/store-url.ts'
import { wholeNumber } from './arguments.ts'

const MINUTE = 60_000

type Server = Recording['server']

interface Flags {
  output: string
  for?: number
  limit: number
  sizes?: boolean
  tlsCa?: Buffer
}

export const record = new Command('record')
  .description('Write the reads of a Redis to a trace for `breakwater simulate`, without its keys.')
  .argument(
    '<store>',
    "the server: 'redis://[[user]:password@]host[:port]', rediss:// or unix://",
    server,
  )
  .requiredOption('-o, --output <file>', 'a new file that ends in .csv or .csv.gz', output)
  .option('--for <duration>', "how long, as '90s' (default: one minute)", duration)
  .option('--limit <requests>', 'end after so many requests', wholeNumber, 1_000_000)
  .option('--sizes', 'ask the server once for each key what it takes')
  .option('--tls-ca <file>', 'the authorities of a server at rediss://, as PEM', pem)
  .addHelpText(
    'after',
    `
A server that is monitored does more work: record for minutes, not for days. The trace holds times and
hashes of keys, which cannot be turned back. Ctrl+C ends it early and keeps what there is.
Exit codes: 0 it was recorded, 1 the server or the file failed, 2 an option is wrong.`,
  )
  .action(run)

async function run(store: Server, flags: Flags): Promise<void> {
  const began = now()
  const over = new AbortController()
  const end = () => over.abort()
  const timer = setTimeout(end, flags.for ?? MINUTE)
  process.once('SIGINT', end).once('SIGTERM', end)
  try {
    const requests = await toFile(store, flags, over)
    const seconds = ((now() - began) / 1000).toFixed(1)
    process.stdout.write(`${flags.output}: ${requests} requests in ${seconds} s\n`)
  } catch (error) {
    if (!(error instanceof BreakwaterError)) throw error
    process.stderr.write(`breakwater: ${error.message}\n`)
    process.exitCode = 1
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

/** Records to a new file. If that fails, the recording is over; and the other way round. */
async function toFile(server: Server, flags: Flags, over: AbortController): Promise<number> {
  const { output, limit, sizes = false, tlsCa: ca } = flags
  const out = new PassThrough()
  const file = createWriteStream(output, { flags: 'wx' })
  const written = output.endsWith('.gz') ? pipeline(out, createGzip(), file) : pipeline(out, file)
  written.catch(() => over.abort())
  try {
    return await recorded({ server, ca, withSizes: sizes, limit, signal: over.signal }, out)
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
