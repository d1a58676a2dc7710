// `breakwater status | reload | restart | drain` against a node that runs: what they say, and their exit codes.

import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { run, serve } from '../router/support.ts'

const TOKEN = 'a-token-of-some-letters'

test('a node is asked, reloaded, restarted and drained from the command line', async t => {
  t.timeout(240_000)
  const dir = folderOf(t, 'orders')
  const file = join(dir, 'c.json')
  const token = join(dir, 'token')
  writeFileSync(token, TOKEN)
  const at = `127.0.0.1:${await freePort()}`
  const admin = { listen: at, tokenFile: token }
  writeFileSync(file, JSON.stringify({ threads: 2, maxBytes: '16mb', admin }))
  const served = await serve(t, '--config', file)
  const order = (name: string, ...flags: string[]) => run(name, '--config', file, ...flags)

  const shown = await order('status')
  t.is(shown.code, 0, shown.output)
  t.regex(shown.output, /^state +open, ready\nversion .*\nlistens on +127\.0\.0\.1:\d+\n/)
  t.regex(shown.output, /^threads +2 of 2 serve, 0 replaced$/m)
  const told = JSON.parse((await order('status', '--json')).output)
  t.deepEqual([told.state, told.process, told.stats.clients], ['open', served.process.pid, 0])

  writeFileSync(file, JSON.stringify({ threads: 2, maxClients: 7, maxBytes: '16mb', admin }))
  t.deepEqual(await order('reload'), { code: 0, output: 'reloaded: maxClients\n' })
  writeFileSync(file, JSON.stringify({ threads: 2, maxClients: 0, maxBytes: '16mb', admin }))
  const refused = await order('reload')
  t.is(refused.code, 1)
  t.regex(refused.output, /^breakwater: .*c\.json: maxClients must be .*, not 0\n$/)
  t.deepEqual(await order('restart'), { code: 0, output: 'restarted: 2 threads serve\n' })

  const wrong = join(dir, 'wrong')
  writeFileSync(wrong, 'a-token-of-same-letters')
  const stranger = await order('status', '--admin-token-file', wrong)
  t.is(stranger.code, 1)
  t.regex(stranger.output, /^breakwater: this needs the token/)

  // A probe needs no token.
  t.deepEqual(await run('status', '--ready', '--admin', at), { code: 0, output: 'ready\n' })

  const drained = await order('drain', '--json')
  t.deepEqual(drained, { code: 0, output: '{"ended":true}\n' })
  const gone = await order('status')
  t.is(gone.code, 1)
  t.regex(gone.output, /^breakwater: no node answers at 127\.0\.0\.1:\d+: /)
})

test('a node that is not ready ends the command with 3, and a drain need not be waited for', async t => {
  t.timeout(240_000)
  const at = `unix:${join(folderOf(t, 'orders'), 'admin.sock')}`
  const store = `redis://127.0.0.1:${await freePort()}`
  const served = await serve(t, '--admin', at, '--threads', '1', '--store', store)
  const shown = await run('status', '--admin', at)
  t.is(shown.code, 3, shown.output)
  t.regex(shown.output, /^state +open, no store behind it has answered yet$/m)
  t.regex(shown.output, /^primary +127\.0\.0\.1:\d+ down, /m)
  const probe = await run('status', '--ready', '--admin', at)
  t.deepEqual(probe, { code: 3, output: 'no store behind it has answered yet\n' })
  const exited = new Promise(resolve => served.process.once('exit', resolve))
  t.deepEqual(await run('drain', '--admin', at, '--no-wait'), { code: 0, output: 'it drains\n' })
  t.is(await exited, 0)
})

test('what is no node, and no address, is told as that', async t => {
  t.timeout(120_000)
  const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await new Promise(resolve => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const foreign = await run('status', '--admin', `127.0.0.1:${port}`)
  t.is(foreign.code, 1)
  t.regex(foreign.output, /is no node's/)
  const nowhere = await run('status', '--admin', 'nowhere')
  t.is(nowhere.code, 2)
  t.regex(nowhere.output, /--admin must be an address/)
  const unsaid = await run('drain')
  t.is(unsaid.code, 2)
  t.regex(unsaid.output, /Give --admin/)
})
