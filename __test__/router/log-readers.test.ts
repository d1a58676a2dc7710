// Who reads the log of a node may stand still: clients and those who run it are answered, the node ends
// when it is told to, and what is not told is counted.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Outlet } from '../../src/cli/outlet.ts'
import { ask } from '../admin/support.ts'
import { folderOf } from '../helpers/folders.ts'
import { installed, Raw } from './support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
/** Runs a program in a terminal that shows nothing of it, since nobody reads it. */
const TERMINAL = `
import os, pty, sys
pid, _ = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`

/** A pipe that nobody reads, and whether it is full. */
function pipe(t: ExecutionContext) {
  const path = join(folderOf(t, 'pipe'), 'pipe')
  execFileSync('mkfifo', [path])
  const open = (more = 0) => {
    const fd = openSync(path, constants.O_RDWR | more)
    t.teardown(() => closeSync(fd))
    return fd
  }
  const [fd, other] = [open(), open(constants.O_NONBLOCK)]
  const isFull = () => {
    try {
      return writeSync(other, '.') === 0
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN'
    }
  }
  return { fd, isFull }
}

/** Whether a node answers those who run it, and clients; where those come in. */
async function answers(t: ExecutionContext, address: string): Promise<number> {
  for (;;) {
    const status = (await ask(address, '/status').catch(() => undefined))?.json
    const port = status?.addresses[0]?.port
    if (port !== undefined) {
      const client = await Raw.open(t, port)
      t.is(await client.send('PING'), '+PONG\r\n')
      return port
    }
    await sleep(20)
  }
}

const flagsOf = (format: string, address: string) =>
  ['--port', '0', '--workers', '1', '--log-connections'].concat(
    ['--log-format', format],
    ['--admin', address],
  )

async function come(t: ExecutionContext, port: number, count: number) {
  for (let at = 0; at < count; at++) {
    const client = await Raw.open(t, port)
    await client.send('QUIT')
  }
}

for (const format of ['plain', 'pretty', 'json']) {
  test(`${format}: a node whose log is a pipe that nobody reads answers, and ends`, async t => {
    t.timeout(180_000)
    const { fd, isFull } = pipe(t)
    const address = `unix:${join(folderOf(t, 'admin'), 'admin.sock')}`
    const flags = flagsOf(format, address)
    const node = spawn(process.execPath, [CLI, 'serve', ...flags], { stdio: ['ignore', fd, fd] })
    t.teardown(() => node.kill('SIGKILL'))
    const port = await answers(t, address)
    while (!isFull()) await come(t, port, 50)
    // More than it can be rid of.
    await come(t, port, 50)
    t.is(await answers(t, address), port)
    const exited = once(node, 'exit')
    node.kill('SIGTERM')
    t.deepEqual(await exited, [0, null])
  })
}

const shown = installed('python3') ? test : test.skip
shown('a node whose terminal stands still answers, and ends', async t => {
  t.timeout(180_000)
  const address = `unix:${join(folderOf(t, 'admin'), 'admin.sock')}`
  const command = [process.execPath, CLI, 'serve', ...flagsOf('pretty', address)]
  const terminal = spawn('python3', ['-c', TERMINAL, ...command], { stdio: 'inherit' })
  t.teardown(() => terminal.kill('SIGKILL'))
  const port = await answers(t, address)
  // A terminal takes a few thousand characters.
  await come(t, port, 200)
  t.is(await answers(t, address), port)
  const exited = once(terminal, 'exit')
  t.is((await ask(address, '/drain', { method: 'POST' })).status, 202)
  t.deepEqual(await exited, [0, null])
})

test('lines that nobody reads are left out beyond a bound, and counted once they are read', async t => {
  t.timeout(120_000)
  const reader = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] })
  t.teardown(() => reader.kill('SIGKILL'))
  reader.kill('SIGSTOP')
  let [lines, leftOut] = [0, 0]
  reader.stdout.on('data', (chunk: Buffer) => {
    lines += chunk.toString().split('\n').length - 1
  })
  const outlet = new Outlet(reader.stdin, count => {
    leftOut += count
  })
  const line = `${'x'.repeat(1023)}\n`
  const all = 16 * 1024
  for (let at = 0; at < all; at++) outlet.write(line)
  t.true(reader.stdin.writableLength <= 4 * 1024 * 1024 + line.length)
  t.is(leftOut, 0)
  await outlet.drained()
  t.true(reader.stdin.writableLength > 0)
  reader.kill('SIGCONT')
  while (lines + leftOut < all) await sleep(5)
  await outlet.drained()
  t.is(lines + leftOut, all)
  t.true(leftOut > all / 2)
  outlet.write('one more\n')
  while (lines + leftOut < all + 1) await sleep(5)
  // A reader that goes harms nobody.
  reader.kill('SIGKILL')
  await once(reader, 'exit')
  for (let at = 0; at < 100; at++) outlet.write(line)
  await outlet.drained()
})
