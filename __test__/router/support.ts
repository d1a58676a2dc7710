// What the tests of the routing node share: processes, raw connections, replies as bytes.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import type { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'

const CRASHING = new URL('../helpers/crashing.mjs', import.meta.url).href
const MORTAL = new URL('../helpers/mortal.mjs', import.meta.url).href
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** A server process on a port of its own. */
export interface Served {
  port: number
  process: ChildProcess
  /** What it printed so far. */
  output(): string
  /** What it printed, once it has said this. */
  says(words: RegExp): Promise<string>
  /** Ends it with a signal; its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

function served(process: ChildProcess, port: number, output: () => string): Served {
  // With its last words: what it has printed may be read after it has ended.
  const exited = once(process, 'close')
  let ended = false
  exited.then(() => (ended = true))
  return {
    port,
    process,
    output,
    async says(words) {
      while (!words.test(output())) {
        if (ended) throw new Error(`it ended and never said ${words}: ${output()}`)
        await sleep(5)
      }
      return output()
    },
    async stop(signal = 'SIGTERM') {
      process.kill(signal)
      const [code] = await exited
      return code as number | null
    },
  }
}

/** Collects what a process prints until it says `ready` or ends. */
function started(
  process: ChildProcess,
  ready: RegExp,
): Promise<{ match: RegExpExecArray; output: () => string }> {
  let text = ''
  return new Promise((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      text += chunk
      const match = ready.exec(text)
      if (match) resolve({ match, output: () => text })
    }
    process.stdout?.on('data', hear)
    process.stderr?.on('data', hear)
    process.once('error', reject)
    // With its last words, which say why.
    process.once('close', code => reject(new Error(`it ended with ${code}: ${text}`)))
  })
}

/** Runs `breakwater serve` on a free port until the test ends. */
export function serve(t: ExecutionContext, ...args: string[]): Promise<Served> {
  return serveBy(t, [], {}, ...args)
}

/** As {@link serve}; each SIGUSR2 ends one of its threads. */
export function serveMortal(t: ExecutionContext, ...args: string[]): Promise<Served> {
  return serveBy(t, ['--import', MORTAL], {}, ...args)
}

/** How a thread of a node may end by itself. */
export type Crash = 'throw' | 'reject' | 'exit' | 'terminate'

/** As {@link serve}; each SIGUSR2 ends the thread that began first. */
export function serveCrashing(t: ExecutionContext, how: Crash, ...args: string[]): Promise<Served> {
  return serveBy(t, ['--import', CRASHING], { CRASH: how }, ...args)
}

/** As {@link serve}, with variables of the environment. */
export function serveWith(
  t: ExecutionContext,
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<Served> {
  return serveBy(t, [], env, ...args)
}

async function serveBy(
  t: ExecutionContext,
  node: string[],
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<Served> {
  const command = [...node, CLI, 'serve', '--port', '0', ...args]
  const process = spawn(globalThis.process.execPath, command, {
    env: { ...globalThis.process.env, ...env },
  })
  t.teardown(() => process.kill('SIGKILL'))
  const { match, output } = await started(process, /listens on \S+:(\d+)/)
  return served(process, Number(match[1]), output)
}

/** Runs `breakwater` to its end. */
export async function run(...args: string[]): Promise<{ code: number; output: string }> {
  const process = spawn(globalThis.process.execPath, [CLI, ...args])
  let output = ''
  for (const stream of [process.stdout, process.stderr]) stream.on('data', text => (output += text))
  const [code] = await once(process, 'close')
  return { code: code as number, output }
}

/** Whether a program of Redis is installed; an error if the environment demands it. */
export function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch (error) {
    if (process.env.BREAKWATER_REQUIRE_REDIS === '1') throw error
    console.warn(`${program} is not installed: the tests that need it are skipped`)
    return false
  }
}

/** How often a server that finds its port taken is started again. */
const TRIES = 200

/** Runs redis-server until the test ends: on a free port, or on the one that is given. */
export async function redis(t: ExecutionContext, ...args: string[]): Promise<Served> {
  const dir = folderOf(t, 'redis')
  const given = args.includes('--port') ? Number(args[args.indexOf('--port') + 1]) : undefined
  for (let tries = 1; ; tries++) {
    const port = given ?? (await freePort())
    const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', dir]
    const process = spawn('redis-server', [...options, ...args])
    t.teardown(() => process.kill('SIGKILL'))
    try {
      const { output } = await started(process, /Ready to accept connections/)
      return served(process, port, output)
    } catch (error) {
      // Somebody took the port in between, or the server that had it has not quite ended.
      if (tries === TRIES || !/Address already in use/i.test(String(error))) throw error
      await sleep(50)
    }
  }
}

/** A command as clients send it. */
export function encode(words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap(word => {
    const bytes = Buffer.from(word as string)
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

/** Where the reply that begins at `at` ends, -1 if it is not all there. */
export function replyEnd(bytes: Buffer, at: number): number {
  const line = bytes.indexOf('\r\n', at, 'latin1')
  if (line < 0) return -1
  const count = Number(bytes.toString('latin1', at + 1, line))
  let end = line + 2
  switch (String.fromCharCode(bytes[at]!)) {
    case '$':
    case '=':
      end += count < 0 ? 0 : count + 2
      return end <= bytes.length ? end : -1
    case '*':
    case '>':
    case '~':
    case '%': {
      const parts = bytes[at] === 0x25 ? count * 2 : count
      for (let part = 0; part < parts && end >= 0; part++) end = replyEnd(bytes, end)
      return end
    }
    default:
      return end
  }
}

/** A way to reach a node. */
export interface Way {
  name: string
  /** What `serve` needs for it. */
  flags: string[]
  /** A connection that is open; `raw` is the socket underneath. */
  connect(port: number): Promise<{ socket: Socket; raw: Socket }>
}

/** TCP alone. */
export const PLAIN: Way = {
  name: 'plain',
  flags: [],
  async connect(port) {
    const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    return { socket: heard(socket), raw: socket }
  },
}

/** TLS, with a certificate of an authority. */
export function tlsWay(authority: Authority, options: ConnectionOptions = {}): Way {
  const { cert, key } = authority.sign()
  return {
    name: 'TLS',
    flags: ['--tls-cert', cert, '--tls-key', key],
    async connect(port) {
      const { raw } = await PLAIN.connect(port)
      const given = { ca: authority.pem, servername: 'localhost', ...options }
      const socket = connectTls({ socket: raw, allowHalfOpen: true, ...given } as ConnectionOptions)
      await once(socket, 'secureConnect')
      return { socket: heard(socket), raw }
    },
  }
}

/** A socket whose errors are not the test's: nodes hang up on many. */
function heard<S extends Socket>(socket: S): S {
  return socket.on('error', () => {})
}

/** A connection that knows no more than bytes. */
export class Raw {
  readonly socket: Socket
  #bytes = Buffer.alloc(0)
  #closed = false
  #changed: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.#bytes = Buffer.concat([this.#bytes, chunk as Buffer])
      this.#changed?.()
    })
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.#closed = true
      this.#changed?.()
    })
  }

  static async open(t: ExecutionContext, port: number, way: Way = PLAIN): Promise<Raw> {
    const { socket } = await way.connect(port)
    t.teardown(() => socket.destroy())
    return new Raw(socket)
  }

  /** Whether the server has hung up. */
  get ended(): boolean {
    return this.#closed
  }

  /** Sends bytes, or a line. */
  write(bytes: string | Buffer): void {
    this.socket.write(bytes)
  }

  /** The next so many replies, as they came; what is there when the server hangs up. */
  async replies(count: number): Promise<Buffer[]> {
    const replies: Buffer[] = []
    while (replies.length < count) {
      const end = replyEnd(this.#bytes, 0)
      if (end > 0) {
        replies.push(this.#bytes.subarray(0, end))
        this.#bytes = this.#bytes.subarray(end)
      } else if (this.#closed) {
        break
      } else {
        await this.#change()
      }
    }
    return replies
  }

  /** Sends a command; its reply as text. */
  async send(...words: (string | Buffer)[]): Promise<string> {
    this.write(encode(words))
    return String((await this.replies(1))[0] ?? '')
  }

  /** Everything that comes up to these bytes, or until the server hangs up. */
  async upTo(end: string): Promise<string> {
    let at = this.#bytes.indexOf(end)
    for (; at < 0 && !this.#closed; at = this.#bytes.indexOf(end)) await this.#change()
    const bytes = this.#bytes.subarray(0, at < 0 ? undefined : at + end.length)
    this.#bytes = this.#bytes.subarray(bytes.length)
    return `${bytes}`
  }

  /** Everything that comes until the server hangs up. */
  async rest(): Promise<Buffer> {
    while (!this.#closed) await this.#change()
    return this.#bytes
  }

  #change(): Promise<void> {
    return new Promise(resolve => {
      this.#changed = resolve
    })
  }
}
