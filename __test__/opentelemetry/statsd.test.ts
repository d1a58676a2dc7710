// The exporter of examples/statsd.mjs, heard by a real StatsD daemon.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'

const daemon = fileURLToPath(new URL('node_modules/statsd/stats.js', import.meta.url))
const example = fileURLToPath(new URL('../../examples/statsd.mjs', import.meta.url))

/** A StatsD daemon that keeps what it hears; its ports for lines and for questions. */
async function statsd(t: ExecutionContext) {
  const [port, asked] = [await freePort(), await freePort()]
  const config = join(folderOf(t, 'statsd'), 'config.js')
  const local = { address: '127.0.0.1', mgmt_address: '127.0.0.1', backends: [] }
  writeFileSync(
    config,
    JSON.stringify({ ...local, port, mgmt_port: asked, flushInterval: 3_600_000 }),
  )
  const process = spawn('node', [daemon, config])
  t.teardown(async () => {
    process.kill()
    await once(process, 'exit')
  })
  let said = ''
  process.stdout.on('data', (chunk: Buffer) => {
    said += chunk
  })
  while (!said.includes('server is up')) await sleep(10)
  return { port, ask: (question: string) => ask(asked, question) }
}

/** What a daemon answers. */
async function ask(port: number, question: string): Promise<string> {
  const socket = createConnection(port, '127.0.0.1')
  socket.write(`${question}\n`)
  let answer = ''
  for await (const chunk of socket) {
    answer += chunk
    if (/^END$/m.test(answer)) return answer
  }
  return answer
}

test('counters and gauges of a cache reach a StatsD daemon', async t => {
  t.timeout(60_000)
  const { port, ask } = await statsd(t)
  await promisify(execFile)(process.execPath, [example, `127.0.0.1:${port}`])
  const expected: [kind: string, name: string][] = [
    ['counters', 'breakwater.cache.reads.pages.hit'],
    ['counters', 'breakwater.cache.reads.pages.miss'],
    ['counters', 'breakwater.cache.loads.pages'],
    ['gauges', 'breakwater.cache.entries.pages'],
  ]
  for (const [kind, name] of expected) {
    let all = ''
    // Each may be in a packet of its own.
    while (!all.includes(`'${name}':`)) all = await ask(kind)
    t.regex(all, new RegExp(`'${name.replaceAll('.', '\\.')}': 2\\b`))
  }
})
