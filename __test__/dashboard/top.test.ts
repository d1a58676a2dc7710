// `breakwater top` in a terminal: what it shows, what its keys do, how it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { installed, Raw, redis, run, serve } from '../router/support.ts'
import { TOKEN } from './support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** Runs it in a terminal of this size; what it shows and what is typed goes through pipes. */
const TERMINAL = `
import fcntl, os, pty, select, signal, struct, sys, termios
rows, columns, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0: os.execvp(program[0], program)
def resize(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.kill(child, signal.SIGWINCH)
resize(rows, columns)
while True:
    ready, _, _ = select.select([terminal, 0], [], [])
    if terminal in ready:
        try: shown = os.read(terminal, 65536)
        except OSError: break
        if not shown: break
        os.write(1, shown)
    if 0 in ready:
        typed = os.read(0, 1024)
        if typed.startswith(b'RESIZE'): resize(*map(int, typed.split()[1:3]))
        elif typed: os.write(terminal, typed)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`

/** What a terminal shows: the last whole picture, as lines. */
class Terminal {
  readonly #process: ChildProcess
  #text = ''
  readonly exited: Promise<unknown[]>

  constructor(t: ExecutionContext, rows: number, columns: number, args: string[]) {
    const command = [process.execPath, CLI, 'top', ...args]
    this.#process = spawn('python3', ['-c', TERMINAL, `${rows}`, `${columns}`, ...command])
    // With all that it has shown.
    this.exited = once(this.#process, 'close')
    this.#process.stdout?.on('data', chunk => (this.#text += chunk))
    this.#process.stdin?.on('error', () => {})
    t.teardown(() => this.#process.kill('SIGKILL'))
  }

  type(keys: string): void {
    this.#process.stdin?.write(keys)
  }

  get all(): string {
    return this.#text
  }

  /** The last picture that was drawn whole, without colours. */
  get picture(): string[] {
    const last = this.#text.split('\x1b[H').at(-2) ?? ''
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those of a terminal
    return last.replaceAll(/\x1b\[[\d;?]*[A-Za-z]/g, '').split(/\r*\n/)
  }

  /** The first picture from now on that has this. */
  async shows(words: RegExp): Promise<string[]> {
    const from = this.#text.length
    while (!(this.#text.length > from && words.test(this.picture.join('\n')))) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    return this.picture
  }
}

const overStore = installed('redis-server') && installed('python3') ? test : test.skip

overStore(
  'it shows a node, sorts, drills down, follows the size, waits for a restart, ends',
  async t => {
    t.timeout(240_000)
    const store = await redis(t)
    const [port, at] = [await freePort(), await freePort()]
    const file = join(folderOf(t, 'token'), 'token')
    writeFileSync(file, `${TOKEN}\n`)
    const flags = [
      ...['--store', `redis://127.0.0.1:${store.port}`, '--threads', '1', '--port', `${port}`],
      ...['--route', 'user:*,ttl=5s', '--route', 'a:*,ttl=5s'],
      ...['--admin', `127.0.0.1:${at}`, '--admin-token-file', file],
    ]
    const node = await serve(t, ...flags)
    const client = await Raw.open(t, port)
    for (let i = 0; i < 20; i++) await client.send('GET', `user:${i}`)

    const there = ['--admin', `127.0.0.1:${at}`, '--admin-token-file', file]
    const { output } = await run('top', '--once', ...there)
    for (const table of ['Stores', 'Routes', 'Hot keys', 'Threads']) {
      t.regex(output, new RegExp(`^${table}$`, 'm'))
    }
    const terminal = new Terminal(t, 30, 110, there)
    await terminal.shows(/Stores[\s\S]*127\.0\.0\.1:\d+ +primary +up/)
    terminal.type('2')
    const routes = await terminal.shows(/user:\*/)
    t.true(routes.length <= 29)
    // By the keys of the routes, rising: the star comes first.
    terminal.type('\x1b[C')
    terminal.type('r')
    const sorted = await terminal.shows(/Keys↑/)
    const rows = sorted
      .filter(line => /^(\*|a:\*|user:\*) /.test(line))
      .map(line => line.split(' ')[0])
    t.deepEqual(rows, ['*', 'a:*', 'user:*'])
    terminal.type('\x1b[B')
    terminal.type('\r')
    await terminal.shows(/^Keys +a:\*$/m)
    terminal.type('\r')
    // What is typed at once comes as one: a size comes alone.
    await terminal.shows(/Keys↑/)

    terminal.type('RESIZE 12 40')
    await terminal.shows(/Breakwater/)
    while (!terminal.picture.every(line => line.length <= 40) || terminal.picture.length > 11) {
      await terminal.shows(/Breakwater/)
    }
    await node.stop('SIGKILL')
    terminal.type('RESIZE 30 110')
    await terminal.shows(/ECONNREFUSED|has ended|aborted/)
    await serve(t, ...flags)
    await terminal.shows(/process \d+ +up/)
    terminal.type('q')
    t.is((await terminal.exited)[0], 0)
    // The terminal is as it was: the cursor is back, and so is what stood there.
    t.true(terminal.all.endsWith('\x1b[?25h\x1b[?1049l'))
  },
)

test('once prints figures without a terminal; a wrong token and no node are said', async t => {
  t.timeout(120_000)
  const at = await freePort()
  const file = join(folderOf(t, 'token'), 'token')
  writeFileSync(file, TOKEN)
  const to = (token: string) => ['--admin', `127.0.0.1:${at}`, '--admin-token-file', token]
  const gone = await run('top', '--once', ...to(file))
  t.is(gone.code, 1)
  t.regex(gone.output, /ECONNREFUSED/)
  await serve(t, '--threads', '1', ...to(file))
  const { code, output } = await run('top', '--once', ...to(file))
  t.is(code, 0, output)
  t.regex(output, /Commands/)
  // Nothing that is for a terminal alone.
  t.false(output.includes('\x1b') || output.includes('q end'))
  const other = join(folderOf(t, 'token'), 'token')
  writeFileSync(other, `${TOKEN}-not`)
  const wrong = await run('top', '--once', ...to(other))
  t.is(wrong.code, 1)
  t.regex(wrong.output, /token/)
  const nowhere = await run('top', '--admin', 'no port')
  t.is(nowhere.code, 2)
  t.regex(nowhere.output, /--admin/)
  t.regex((await run('top', ...to('/nowhere'))).output, /\/nowhere/)
  t.regex((await run('top')).output, /where is the node\? Give --admin/)
})
