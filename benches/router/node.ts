/** A node of a benchmark's own, and connections that know no more than bytes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
/** Bytes of a value, and of the reply that has it. */
export const LENGTH = 64
const REPLY = `$${LENGTH}\r\n`.length + LENGTH + 2

/** A key as redis-benchmark writes them, all of one length. */
export const key = (id: number) => `key:${String(id).padStart(12, '0')}`

/** Runs `breakwater serve` with one thread; later flags win. */
export async function startNode(
  ...flags: string[]
): Promise<{ port: number; pid: number; stop(): Promise<void> }> {
  const args = [CLI, 'serve', '--port', '0', '--threads', '1', ...flags]
  const node = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of node.stdout) {
    text += chunk
    if (/listens on \S+:\d+/.test(text)) break
  }
  return {
    port: Number(/listens on \S+:(\d+)/.exec(text)?.[1]),
    pid: node.pid!,
    async stop() {
      node.kill('SIGKILL')
      if (node.exitCode === null && node.signalCode === null) await once(node, 'exit')
    },
  }
}

/** A client. */
export class Client {
  readonly #socket: Socket
  #bytes = 0
  #text = ''
  #reads = false
  #heard: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => {
      this.#bytes += (chunk as Buffer).length
      if (this.#reads) this.#text += chunk
      this.#heard?.()
    })
  }

  static async open(port: number): Promise<Client> {
    const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Client(socket)
  }

  /** Asks for these keys at once; done when all values are there. */
  async gets(ids: Uint32Array): Promise<void> {
    let commands = ''
    for (const id of ids) commands += `*2\r\n$3\r\nGET\r\n$16\r\n${key(id)}\r\n`
    this.#bytes = 0
    this.#socket.write(commands)
    await this.#until(() => this.#bytes >= ids.length * REPLY)
    if (this.#bytes > ids.length * REPLY) throw new Error('a reply is no value of the benchmark')
  }

  /** Sends a line, and gives all that comes until `ready` takes it. */
  async ask(line: string, ready: (text: string) => boolean): Promise<string> {
    this.#text = ''
    this.#reads = true
    this.#socket.write(`${line}\r\n`)
    await this.#until(() => ready(this.#text))
    this.#reads = false
    return this.#text
  }

  /** Sends a line, and gives the text that answers it. */
  text(line: string): Promise<string> {
    return this.ask(line, text => {
      const head = /^[$=](\d+)\r\n/.exec(text)
      return head !== null && text.length >= head[0].length + Number(head[1]) + 2
    })
  }

  /** A number among what `INFO` says. */
  async info(section: string, field: RegExp): Promise<number> {
    return Number(field.exec(await this.text(`INFO ${section}`))?.[1] ?? 0)
  }

  close(): void {
    this.#socket.destroy()
  }

  #until(done: () => boolean): Promise<void> {
    return new Promise(resolve => {
      this.#heard = () => {
        if (done()) resolve()
      }
      this.#heard()
    })
  }
}

/** Stores so many keys. */
export async function fill(port: number, keys: number): Promise<void> {
  const client = await Client.open(port)
  const STEP = 1000
  for (let from = 0; from < keys; from += STEP) {
    const count = Math.min(STEP, keys - from)
    const value = 'v'.repeat(LENGTH)
    let words = ''
    for (let id = from; id < from + count; id++) {
      words += `$16\r\n${key(id)}\r\n$${LENGTH}\r\n${value}\r\n`
    }
    await client.ask(
      `*${1 + count * 2}\r\n$4\r\nMSET\r\n${words}`.slice(0, -2),
      text => text === '+OK\r\n',
    )
  }
  client.close()
}
