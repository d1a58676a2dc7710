// `breakwater serve`: runs a routing node until it is told to stop.
import { Command, InvalidArgumentError, Option } from 'commander'
import { BreakwaterError, InvalidOptionError } from '../base/errors.ts'
import { type Policy, policies, type Size } from '../base/types.ts'
import {
  createRouter,
  DEFAULT_HOST,
  DEFAULT_PORT,
  type DriverName,
  type Permission,
  type Router,
  type RouterOptions,
  type RouterUser,
  version,
} from '../router/index.ts'

interface Flags {
  port: number
  host: string
  threads?: number
  maxBytes: string
  maxClients: number
  policy: Policy
  driver: DriverName
  store?: string
  route?: string[]
  requirepass?: string
  user?: RouterUser[]
}

/** The command line's name of each option that an error may name. */
const FLAGS: Record<string, string> = {
  port: '--port',
  host: '--host',
  threads: '--threads',
  maxBytes: '--max-bytes',
  maxClients: '--max-clients',
  driver: '--driver',
  store: '--store',
  routes: '--route',
  policy: '--policy',
  password: '--requirepass',
  users: '--user',
  permissions: '--user',
}

export const serve = new Command('serve')
  .description(
    'Serve Redis clients, from a store of its own or in front of a Redis, until SIGTERM or SIGINT.',
  )
  .option('-p, --port <port>', 'TCP port; 0 takes any free one', wholeNumber, DEFAULT_PORT)
  .option('-H, --host <address>', 'address to bind to', DEFAULT_HOST)
  .option('-t, --threads <count>', 'worker threads (default: one a processor)', wholeNumber)
  .option('-m, --max-bytes <size>', "memory for the store, as '256mb' or '25%'", '25%')
  .addOption(
    new Option('--max-memory <size>').hideHelp().argParser(() => {
      throw new InvalidArgumentError("Write '--max-bytes', its new name.")
    }),
  )
  .option('--max-clients <count>', 'clients at once', wholeNumber, 10_000)
  .addOption(
    new Option('--policy <policy>', 'which entry leaves when memory is full')
      .choices([...policies])
      .default('lfu'),
  )
  .addOption(
    new Option('--driver <driver>', 'what drives the sockets')
      .choices(['auto', 'native', 'net'])
      .default('auto'),
  )
  .option('--store <url>', 'the Redis or Valkey behind the node, as redis://127.0.0.1:6379')
  .option(
    '--route <pattern,option=value,...>',
    "what is remembered of the store, as 'user:*,ttl=5s' or '*,mode=off'; may be repeated",
    (value: string, before: string[] = []) => [...before, value],
  )
  .option('--requirepass <password>', 'password that clients must give')
  .option(
    '--user <name:password:permissions>',
    'a user, whose permissions are some of read,write,admin or all; may be repeated',
    user,
  )
  .addHelpText(
    'after',
    `
Passwords on the command line are seen by other users of the machine; the environment variable
BREAKWATER_PASSWORD does what --requirepass does, unseen, and BREAKWATER_STORE what --store does.

Example:
  breakwater serve --port 6380 --max-bytes 256mb
  redis-cli -p 6380 set harbour calm`,
  )
  .action(run)

async function run(flags: Flags, command: Command): Promise<void> {
  let router: Router
  try {
    router = createRouter(options(flags))
    await router.listen({ port: flags.port, host: flags.host })
  } catch (error) {
    if (error instanceof InvalidOptionError) {
      const { option, value, allowed } = error
      return command.error(`error: ${flagOf(option)} must be ${allowed}, not ${value}`)
    }
    process.stderr.write(`breakwater: ${explain(error, flags)}\n`)
    process.exit(1)
  }
  stopOnSignal(router)
  greet(router, flags)
}

function options(flags: Flags): RouterOptions {
  const password = flags.requirepass ?? process.env.BREAKWATER_PASSWORD
  return {
    threads: flags.threads,
    maxBytes: (/^\d+$/.test(flags.maxBytes) ? Number(flags.maxBytes) : flags.maxBytes) as Size,
    maxClients: flags.maxClients,
    driver: flags.driver,
    store: flags.store ?? process.env.BREAKWATER_STORE,
    routes: flags.route,
    policy: flags.policy,
    password,
    users: flags.user,
  }
}

/** The command line's name of an option, with the part of it that an error names. */
function flagOf(option: string): string {
  const [, name = option, rest = ''] = /^(\w+)(.*)$/.exec(option) ?? []
  return (FLAGS[name] ?? name) + rest
}

/** Why the port could not be opened, in a line. */
function explain(error: unknown, { host, port }: Flags): string {
  if (error instanceof BreakwaterError) return error.message
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use: stop what listens there, or give another --port`
    case 'EACCES':
      return `port ${port} may not be opened by this user: give a --port above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine: give another --host`
    default:
      return message
  }
}

function greet(router: Router, flags: Flags): void {
  const { address, port } = router.address()!
  const to = address === '127.0.0.1' ? `-p ${port}` : `-h ${address} -p ${port}`
  const locked = options(flags).password !== undefined || flags.user !== undefined
  process.stdout.write(
    `Breakwater ${version()} listens on ${address}:${port} (process ${process.pid}). Try:

  redis-cli ${to} set harbour calm
  redis-cli ${to} get harbour
  redis-benchmark ${to} -t get,set -P 16 -q

Stop it with Ctrl+C.
`,
  )
  if (!locked && !/^(127\.|::1$)/.test(address)) {
    process.stderr.write(
      `breakwater: warning: whoever reaches ${address} may read and write everything: ` +
        'give --requirepass, or bind to 127.0.0.1\n',
    )
  }
}

/** Ends in order on the first signal, at once on the second. */
function stopOnSignal(router: Router): void {
  let asked = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, async () => {
      if (asked) process.exit(1)
      asked = true
      await router.close()
      process.exit(0)
    })
  }
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

function user(text: string, previous: RouterUser[] = []): RouterUser[] {
  const [, name, password, permissions = 'all'] = /^([^:]+):(.*?)(?::([a-z,]+))?$/.exec(text) ?? []
  if (name === undefined || !password) {
    throw new InvalidArgumentError('It must be name:password or name:password:permissions.')
  }
  return [...previous, { name, password, permissions: permissions.split(',') as Permission[] }]
}
