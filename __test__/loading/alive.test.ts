// A timer that somebody waits for keeps the process; one that nobody waits for does not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const script = fileURLToPath(new URL('../helpers/alive.mjs', import.meta.url))

/** What a case said, once its process has ended by itself. */
async function said(kind: string, name: string): Promise<string> {
  const child = spawn(process.execPath, [script, kind, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', data => (text += data))
  await once(child, 'exit')
  return text
}

for (const name of [
  'softTimeout',
  'timeout',
  'lockTimeout',
  'retry',
  'rate',
  'batch',
  'writer',
  'ready',
]) {
  test(`a process waits for a timer that somebody waits for: ${name}`, async t => {
    t.timeout(120_000)
    t.is(await said('awaited', name), 'done')
  })
}

for (const name of ['lockTimeout', 'retry', 'rate', 'batch', 'again', 'ready']) {
  test(`a process ends before a timer that nobody waits for: ${name}`, async t => {
    t.timeout(120_000)
    t.is(await said('forgotten', name), '')
  })
}
