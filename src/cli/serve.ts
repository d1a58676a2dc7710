// `breakwater serve`: runs a routing node until it is told to stop.
import { Command, InvalidArgumentError, Option } from 'commander'
import { RouterAdmin } from '../admin/admin.ts'
import { BreakwaterError, InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import { policies } from '../base/types.ts'
import { dashboardRoutes } from '../dashboard/entrance.ts'
import { metricsRoute } from '../metrics/scrape.ts'
import { partsOf, type RouterConfig } from '../router/config.ts'
import {
  createRouter,
  DEFAULT_HOST,
  DEFAULT_PORT,
  type Permission,
  type RouterAddress,
  type RouterUser,
  version,
} from '../router/index.ts'
import { explained } from './check.ts'
import { ConfigFileError } from './file.ts'
import { leave } from './leave.ts'
import { LOG_FORMATS, Log } from './log.ts'
import { type Reloaded, reloadNow, reloadWhenAsked } from './reload.ts'
import { type Flags, type Settings, settingsOf } from './settings.ts'
import { Signals } from './signals.ts'
import { Manager } from './systemd.ts'

export const serve = new Command('serve')
  .description(
    'Serve Redis clients, from a store of its own or in front of a Redis, until SIGTERM or SIGINT.',
  )
  .option('-c, --config <file>', 'breakwater.config.{ts,js,json,yaml}; that of this folder, if any')
  .option('--watch', 'reload when the configuration, or a file that it names, changes')
  .option(
    '-p, --port <port>',
    `TCP port; 0 takes any free one (default: ${DEFAULT_PORT}; none with --tls-port or --unix)`,
    wholeNumber,
  )
  .option('-H, --host <address>', 'address to bind to', DEFAULT_HOST)
  .addOption(
    new Option(
      '--mode <mode>',
      'what the workers are; processes need a store (default: threads)',
    ).choices(['threads', 'processes']),
  )
  .option(
    '-w, --workers <count>',
    'how many workers there are (default: one a processor)',
    wholeNumber,
  )
  .option('-t, --threads <count>', 'as --workers, for threads', wholeNumber)
  .option('-m, --max-bytes <size>', "memory for the store, as '256mb' or '25%'", '25%')
  .option('--max-buffers <size>', 'memory for what waits (default: 25%)')
  .option('--max-value-bytes <size>', 'the longest argument of a command (default: 512mb)')
  .option(
    '--slow-reader-timeout <duration>',
    'how long a client may take none of its replies (default: 5m)',
  )
  .addOption(
    new Option('--max-memory <size>').hideHelp().argParser(() => {
      throw new InvalidArgumentError("Write '--max-bytes', its new name.")
    }),
  )
  .option('--max-clients <count>', 'clients at once', wholeNumber, 10_000)
  .option(
    '--connections-per-second <count>',
    'connections that are let in a second (default: any number)',
    wholeNumber,
  )
  .option(
    '--connections-handshakes <count>',
    'connections that agree on keys of TLS at once (default: 1000)',
    wholeNumber,
  )
  .option('--tracking-max-keys <count>', 'keys that clients track (default: 1000000)', wholeNumber)
  .option(
    '--tracking-max-keys-per-client <count>',
    'keys that one client tracks (default: 100000)',
    wholeNumber,
  )
  .option(
    '--drain-over <duration>',
    'over which time clients are disconnected in the end (default: all at once)',
  )
  .option('--drain-within <duration>', 'how long each may wait for its last replies (default: 5s)')
  .option(
    '--warm-from <place>',
    'begin with what is read most: of a file that the node writes, or of a node, as http://host:9121 or unix:/path',
  )
  .option('--warm-token-file <file>', 'the token of the admin entrance of that node')
  .option('--warm-every <duration>', 'how often the file is written (default: 1m)')
  .option('--warm-budget <duration>', 'how long it may take until the node is ready (default: 5s)')
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
  .option(
    '--store <url>',
    'the Redis or Valkey behind the node, as redis://127.0.0.1:6379; repeated, each has some keys',
    more,
  )
  .addOption(
    new Option(
      '--when-down <what>',
      'what becomes of the keys of one of several stores while it is down (default: refuse)',
    ).choices(['refuse', 'next']),
  )
  .option('--store-replica <url>', 'a replica of it, to read from; may be repeated', more)
  .addOption(
    new Option('--read-from <which>', 'which server reads go to (default: primary)').choices([
      'primary',
      'replica',
      'preferReplica',
    ]),
  )
  .option(
    '--store-timeout <duration>',
    'how long a request waits for its reply from the store (default: 2s)',
  )
  .option(
    '--store-retry <duration>',
    'how long reads whose connection to the store is lost are asked again (default: not)',
  )
  .option(
    '--misses-max <count>',
    'reads that memory does not answer a server is asked at once (default: 1000)',
    wholeNumber,
  )
  .option(
    '--misses-queue <count>',
    'how many of them wait until it may be asked (default: 10000)',
    wholeNumber,
  )
  .option('--misses-wait <duration>', 'how long each of these waits (default: 1s)')
  .option(
    '--breaker-failures <count>',
    'failures in a row after which a server is not asked for a while (default: 20)',
    wholeNumber,
  )
  .option('--breaker-half-open-after <duration>', 'how long that is at first (default: 1s)')
  .option(
    '--route <pattern,option=value,...>',
    "what is remembered of the store, as 'user:*,ttl=5s' or '*,mode=off'; may be repeated",
    (value: string, before: string[] = []) => [...before, value],
  )
  .option('--hot-key <key>', 'a key that is hot whatever is counted; may be repeated', more)
  .option('--hooks <file>', 'a module of hooks, which have a say in what clients ask')
  .option('--store-tls-ca <file>', "authorities of the store's certificate, for rediss://, as PEM")
  .option('--store-tls-cert <file>', "the node's own certificate for the store, as PEM")
  .option('--store-tls-key <file>', 'its private key, as PEM')
  .option('--store-tls-name <name>', "the name in the store's certificate, if not that of --store")
  .option('--unix <path>', 'a socket of this machine to listen on')
  .option('--unix-permissions <octal>', 'permissions of its file (default: 700)', octal)
  .option('--proxy-protocol', 'connections to the ports begin with a header of the PROXY protocol')
  .option('--requirepass <password>', 'password that clients must give')
  .option(
    '--user <name:password:permissions>',
    'a user, whose permissions are some of read,write,admin or all; may be repeated',
    user,
  )
  .option('--users <file>', 'the users, as the configuration has them, in JSON or YAML')
  .option('--tls-port <port>', 'TCP port for TLS; without it, --port speaks TLS', wholeNumber)
  .option('--tls-cert <file>', 'certificate, as PEM; may be repeated, for other names', more)
  .option('--tls-key <file>', 'its private key, as PEM; one for each certificate', more)
  .option('--tls-ca <file>', "authorities of clients' certificates, as PEM")
  .addOption(
    new Option(
      '--tls-auth-clients <which>',
      'whether clients show certificates (default: yes with --tls-ca)',
    ).choices(['yes', 'no', 'optional']),
  )
  .option('--audit-log <file>', 'where is noted who was refused and who administers, as JSON')
  .addOption(
    new Option('--audit-keys <how>', 'how names of keys are noted there (default: shown)').choices([
      'shown',
      'hashed',
      'omitted',
    ]),
  )
  .addOption(
    new Option('--log-level <level>', 'from which level on is logged (default: info)').choices([
      'debug',
      'info',
      'warn',
      'error',
      'silent',
    ]),
  )
  .addOption(
    new Option(
      '--log-format <format>',
      'how: auto is pretty on a terminal (default: auto)',
    ).choices([...LOG_FORMATS]),
  )
  .option('--log-connections', 'log each client that comes and leaves')
  .option(
    '--admin <address>',
    "where the node is administered, as '127.0.0.1:9121' or 'unix:/path' (default: nowhere)",
  )
  .option('--admin-token-file <file>', 'the token for what is not public there')
  .option('--admin-host <name>', 'a name by which it is reached; may be repeated', more)
  .option('--admin-show-values', 'show values there, and not only what is known of them')
  .addHelpText(
    'after',
    `
Passwords on the command line are seen by other users of the machine; the environment variable
BREAKWATER_PASSWORD does what --requirepass does, unseen, and BREAKWATER_STORE what --store does.
SIGHUP reloads the configuration, and the files that it names.

Example:
  breakwater serve --port 6380 --max-bytes 256mb
  redis-cli -p 6380 set harbour calm`,
  )
  .action(run)

async function run(flags: Flags, command: Command): Promise<void> {
  let [settings, log]: [Settings?, Log?] = []
  const signals = new Signals()
  const manager = Manager.ofProcess()
  const read = async () => manager.withSockets(await settingsOf(flags, command))
  try {
    settings = await read()
    log = await Log.open(settings.config.logFormat)
    const node = await start(settings, read, manager, log, signals, flags.watch ?? false)
    greet(node, settings.config)
    manager.ready()
  } catch (error) {
    const wrong = error instanceof InvalidOptionError || error instanceof OptionCombinationError
    if (settings !== undefined && wrong) {
      return command.error(`error: ${explained(error, settings)}`)
    }
    const reason = explain(error, settings?.config)
    if (log?.format !== 'json') process.stderr.write(`breakwater: ${reason}\n`)
    else log.tell('error', { event: 'not_started', reason }, reason)
    await log?.end()
    process.exit(1)
  }
}

/** A node that serves, and obeys signals from before it does. */
async function start(
  settings: Settings,
  read: Reloaded['read'],
  manager: Manager,
  log: Log,
  signals: Signals,
  watches: boolean,
): Promise<Reloaded> {
  const { options, listen, admin: config } = partsOf(settings.config)
  log.level = options.logLevel
  const router = createRouter({ logger: log.logger, ...options })
  let ending: Promise<never> | undefined
  const end = () => {
    manager.stopping()
    ending ??= ended(node)
    return ending
  }
  const orders = { reload: async () => (await reloadNow(node)).result, drain: end }
  const admin = config && new RouterAdmin(router, { ...config, ...orders }, 'admin.')
  admin?.mount(metricsRoute({ routers: [router] }))
  const node: Reloaded = { router, admin, read, manager, log }
  const control = { drain: () => void end(), showsValues: () => admin?.showsValues ?? false }
  admin?.mount(...dashboardRoutes(router, control))
  signals.endBy(() => void end())
  try {
    // Probes are answered from the first moment on.
    await admin?.listen()
    const listening = router.listen(listen)
    // What is asked for meanwhile is done once it listens.
    reloadWhenAsked(node, settings, signals, watches)
    await listening
  } catch (error) {
    if (ending === undefined) throw error
    await ending
  }
  // Nobody sends clients to a node that is not ready, and no client then has it meet its store.
  if (admin !== undefined) void router.warmUp()
  return node
}

/** Ends in order; probes are answered to the end. */
async function ended({ router, admin, log }: Reloaded): Promise<never> {
  await router.close()
  await admin?.close()
  await log.end()
  return leave(0)
}

/** Why it could not listen, in a line. */
function explain(error: unknown, { listen = {}, admin }: RouterConfig = {}): string {
  if (error instanceof BreakwaterError || error instanceof ConfigFileError) return error.message
  const { host = DEFAULT_HOST, port: asked = DEFAULT_PORT } = listen
  const { code, message, address, port = asked } = error as SystemError
  const flag = admin?.listen.endsWith(`:${port}`) && port !== asked ? '--admin' : '--port'
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} of ${address ?? host} is in use: stop what listens there, or give another ${flag}`
    case 'EACCES':
      return `port ${port} may not be opened by this user: give a ${flag} above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine: give another --host`
    default:
      return message
  }
}

/** An error of the system about a port. */
interface SystemError extends NodeJS.ErrnoException {
  address?: string
  port?: number
}

function greet({ router, admin, log }: Reloaded, config: RouterConfig): void {
  const [first, ...others] = router.addresses()
  const to = way(first!)
  const also = others.map(other => `, and on ${place(other)}`)
  const administered = admin === undefined ? '' : ` It is administered at ${admin.address}.`
  if (log.format !== 'json' && log.tells('info')) {
    process.stdout.write(
      `Breakwater ${version()} listens on ${place(first!)}${also.join('')} (process ${process.pid}).${administered} Try:

  redis-cli ${to} set harbour calm
  redis-cli ${to} get harbour
  redis-benchmark ${to} -t get,set -P 16 -q

Stop it with Ctrl+C.
`,
    )
  } else if (log.format === 'json' && admin !== undefined) {
    const { address } = admin
    log.tell('info', { event: 'administered', address }, `it is administered at ${address}`)
  }
  const locked =
    config.password !== undefined || config.users !== undefined || config.tokens !== undefined
  const { address, family } = first!
  if (!locked && family !== 'unix' && !/^(127\.|::1$)/.test(address)) {
    const danger =
      `whoever reaches ${address} may read and write everything: ` +
      'give --requirepass, or bind to 127.0.0.1'
    log.tell('warn', { event: 'unlocked', address }, `warning: ${danger}`)
  }
}

/** An address, for people. */
function place({ address, port, secure, family }: RouterAddress): string {
  if (family === 'unix') return address
  return `${address}:${port}${secure ? ' (TLS)' : ''}`
}

/** How redis-cli reaches an address. */
function way({ address, port, secure, family }: RouterAddress): string {
  if (family === 'unix') return `-s ${address}`
  const host = address === '127.0.0.1' ? `-p ${port}` : `-h ${address} -p ${port}`
  return secure ? `--tls --cacert FILE ${host}` : host
}

function octal(text: string): number {
  if (/^[0-7]{1,3}$/.test(text)) return Number.parseInt(text, 8)
  throw new InvalidArgumentError('It must be three octal digits, as 770.')
}

function more(text: string, previous: string[] = []): string[] {
  return [...previous, text]
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
