// `breakwater serve`: runs a routing node until it is told to stop.
import { Command, InvalidArgumentError, Option } from 'commander'
import { BreakwaterError, InvalidOptionError } from '../base/errors.ts'
import { type Policy, policies, type Size } from '../base/types.ts'
import {
  type ClientAuth,
  createRouter,
  DEFAULT_HOST,
  DEFAULT_PORT,
  type DriverName,
  type Permission,
  type Router,
  type RouterAddress,
  type RouterOptions,
  type RouterUser,
  type StoreTlsOptions,
  type TlsOptions,
  version,
} from '../router/index.ts'

interface Flags {
  port?: number
  tlsPort?: number
  tlsCert?: string[]
  tlsKey?: string[]
  tlsCa?: string
  tlsAuthClients?: ClientAuth
  unix?: string
  unixPermissions?: number
  proxyProtocol?: boolean
  storeTlsCa?: string
  storeTlsCert?: string
  storeTlsKey?: string
  storeTlsName?: string
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
  tlsPort: '--tls-port',
  unix: '--unix',
  unixPermissions: '--unix-permissions',
  proxyProtocol: '--proxy-protocol',
  'storeTls.ca': '--store-tls-ca',
  'storeTls.cert': '--store-tls-cert',
  'storeTls.key': '--store-tls-key',
  'storeTls.serverName': '--store-tls-name',
  tls: '--tls-cert',
  'tls.cert': '--tls-cert',
  'tls.key': '--tls-key',
  'tls.ca': '--tls-ca',
  'tls.authClients': '--tls-auth-clients',
}

export const serve = new Command('serve')
  .description(
    'Serve Redis clients, from a store of its own or in front of a Redis, until SIGTERM or SIGINT.',
  )
  .option(
    '-p, --port <port>',
    `TCP port; 0 takes any free one (default: ${DEFAULT_PORT}; none with --tls-port or --unix)`,
    wholeNumber,
  )
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
    const { port, tlsPort, host, unix, unixPermissions, proxyProtocol } = flags
    await router.listen({ port, tlsPort, host, unix, unixPermissions, proxyProtocol })
  } catch (error) {
    if (error instanceof InvalidOptionError) {
      const { option, value, allowed } = error
      return command.error(`error: ${flagOf(option)} must be ${allowed}, not ${value}`)
    }
    process.stderr.write(`breakwater: ${explain(error, flags)}\n`)
    process.exit(1)
  }
  stopOnSignal(router)
  reloadOnSignal(router)
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
    tls: tls(flags),
    storeTls: storeTls(flags),
  }
}

function storeTls(flags: Flags): StoreTlsOptions | undefined {
  const { storeTlsCa: ca, storeTlsCert: cert, storeTlsKey: key, storeTlsName: serverName } = flags
  const given = [ca, cert, key, serverName].some(each => each !== undefined)
  return given ? { ca, cert, key, serverName } : undefined
}

function tls({ tlsCert, tlsKey, tlsCa, tlsAuthClients }: Flags): TlsOptions | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined
  return { cert: tlsCert ?? [], key: tlsKey ?? [], ca: tlsCa, authClients: tlsAuthClients }
}

/** The command line's name of an option, with the part of it that an error names. */
function flagOf(option: string): string {
  if (FLAGS[option] !== undefined) return FLAGS[option]
  const [, name = option, rest = ''] = /^(\w+)(.*)$/.exec(option) ?? []
  return (FLAGS[name] ?? name) + rest
}

/** Why it could not listen, in a line. */
function explain(error: unknown, flags: Flags): string {
  if (error instanceof BreakwaterError) return error.message
  const { code, message, port = flags.port ?? DEFAULT_PORT } = error as SystemError
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} of ${flags.host} is in use: stop what listens there, or give another --port`
    case 'EACCES':
      return `port ${port} may not be opened by this user: give a --port above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${flags.host} is no address of this machine: give another --host`
    default:
      return message
  }
}

/** An error of the system about a port. */
interface SystemError extends NodeJS.ErrnoException {
  port?: number
}

function greet(router: Router, flags: Flags): void {
  const [first, ...others] = router.addresses()
  const to = way(first!)
  const also = others.map(other => `, and on ${place(other)}`)
  const locked = options(flags).password !== undefined || flags.user !== undefined
  process.stdout.write(
    `Breakwater ${version()} listens on ${place(first!)}${also.join('')} (process ${process.pid}). Try:

  redis-cli ${to} set harbour calm
  redis-cli ${to} get harbour
  redis-benchmark ${to} -t get,set -P 16 -q

Stop it with Ctrl+C.
`,
  )
  const { address, family } = first!
  if (!locked && family !== 'unix' && !/^(127\.|::1$)/.test(address)) {
    process.stderr.write(
      `breakwater: warning: whoever reaches ${address} may read and write everything: ` +
        'give --requirepass, or bind to 127.0.0.1\n',
    )
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

/** Reads the certificates anew on SIGHUP; what was read before stays where a file is wrong. */
function reloadOnSignal(router: Router): void {
  process.on('SIGHUP', async () => {
    try {
      await router.reload()
      process.stdout.write('breakwater: reloaded\n')
    } catch (error) {
      process.stderr.write(`breakwater: not reloaded: ${(error as Error).message}\n`)
    }
  })
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
