import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'
import { removeFolder } from '../helpers/folders.ts'
import { inWorker } from '../helpers/worker.ts'

// Real processes and real signals: what is pending is written before the process ends as it would
// have ended.
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const source = path('../../src/writing/behind.ts')
const program = path('../helpers/write-behind.mjs')

interface End {
  said: string[]
  /** The signal or the code by which it ended. */
  by: string | number
}

/** Runs a scenario and sends a signal each time that the process says one of these. */
async function run(
  scenario: string,
  cues: Record<string, NodeJS.Signals> = {},
  modules = source,
): Promise<End> {
  const args = ['--import=tsx', program, modules, scenario]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const said: string[] = []
  createInterface(child.stdout).on('line', line => {
    said.push(line)
    if (Object.hasOwn(cues, line)) child.kill(cues[line])
  })
  const [code, signal] = await once(child, 'close')
  return { said: said.filter(line => line !== 'ready'), by: signal ?? code }
}

// Windows has no signals that a process could hear of.
const posix = process.platform === 'win32' ? test.skip : test

posix('SIGTERM and SIGINT write what is pending, and then end the process', async t => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { said, by } = await run('alone', { ready: signal })
    t.deepEqual(said, ['listeners 1', 'wrote a0'])
    t.is(by, signal)
  }
})

posix('a write that takes its time is waited for', async t => {
  const { said, by } = await run('slow', { ready: 'SIGTERM' })
  t.deepEqual([said, by], [['listeners 1', 'wrote a0'], 'SIGTERM'])
})

posix('nothing listens while nothing is pending', async t => {
  const { said, by } = await run('written', { ready: 'SIGTERM' })
  t.deepEqual([said, by], [['wrote a0', 'listeners 0'], 'SIGTERM'])
})

posix('signals that are not to wait do not', async t => {
  const off = await run('off', { ready: 'SIGTERM' })
  t.deepEqual([off.said, off.by], [['listeners 0'], 'SIGTERM'])
  const other = await run('other', { ready: 'SIGHUP' })
  t.deepEqual([other.said, other.by], [['listeners 0', 'wrote a0'], 'SIGHUP'])
})

posix('who else listens ends the process, even if they listen once', async t => {
  for (const scenario of ['listens', 'once']) {
    const { said, by } = await run(scenario, { ready: 'SIGTERM' })
    t.deepEqual(said, ['listeners 2', 'heard', 'wrote a0'])
    t.is(by, 7)
  }
})

posix('a write that hangs is given up and does not keep the process', async t => {
  const { said, by } = await run('hangs', { ready: 'SIGTERM' })
  t.deepEqual(said, ['listeners 1', 'writing', 'gave up a0: ERR_WRITE_FAILED'])
  t.is(by, 'SIGTERM')
})

posix('a second signal does not wait', async t => {
  const { said, by } = await run('impatient', { ready: 'SIGTERM', writing: 'SIGTERM' })
  t.deepEqual([said, by], [['listeners 1', 'writing'], 'SIGTERM'])
})

posix('two copies of the package in a process both write before it ends', async t => {
  // Where what the package depends on is found.
  const cache = path('../../node_modules/.cache/')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'signals-'))
  t.teardown(() => removeFolder(folder))
  const copies = [join(folder, 'a.mjs'), join(folder, 'b.mjs')]
  for (const outfile of copies) {
    await build({ entryPoints: [source], outfile, bundle: true, platform: 'node', format: 'esm' })
  }
  const { said, by } = await run('slow', { ready: 'SIGTERM' }, copies.join(','))
  t.deepEqual([said.toSorted(), by], [['listeners 2', 'wrote a0', 'wrote a1'], 'SIGTERM'])
})

test('a process that has nothing left to do writes what is pending before it ends', async t => {
  const { said, by } = await run('ends')
  t.deepEqual([said.at(-1), by], ['wrote a0', 0])
})

test('a worker writes behind without hearing of signals', async t => {
  const written = await inWorker(
    async ({ data }) => {
      const { WriteBehind } = await import(data)
      const { timersOf } = await import(data.replace('writing/behind', 'base/timers'))
      const keys: string[] = []
      const writer = (entries: { key: string }[]) => keys.push(...entries.map(({ key }) => key))
      const behind = new WriteBehind(writer, {}, timersOf())
      behind.add({ kind: 'set', key: 'a', value: 1 })
      const listeners = process.listenerCount('SIGTERM')
      await behind.close()
      return [listeners, keys]
    },
    new URL('../../src/writing/behind.ts', import.meta.url).href,
  )
  t.deepEqual(written, [0, ['a']])
})
