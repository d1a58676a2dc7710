// `breakwater serve --admin`: the entrance of a node that is a process.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { Raw, run, serve } from '../router/support.ts'
import { ask } from './support.ts'

const TOKEN = 'a-token-of-some-letters'

/** A node with an entrance at a socket, and a configuration that can be changed. */
async function administered(t: ExecutionContext, ...flags: string[]) {
  t.timeout(180_000)
  const dir = folderOf(t, 'served')
  const file = join(dir, 'c.json')
  const address = `unix:${join(dir, 'admin.sock')}`
  const configure = (config: object) => writeFileSync(file, JSON.stringify(config))
  configure({ maxClients: 10, admin: { listen: address } })
  const served = await serve(t, '--config', file, '--threads', '1', '--max-bytes', '16mb', ...flags)
  return { served, address, configure, dir }
}

test('a node is reloaded through its entrance, or says why not, as for SIGHUP', async t => {
  const { served, address, configure } = await administered(t)
  const reload = () => ask(address, '/reload', { method: 'POST' })
  configure({ maxClients: 11, admin: { listen: address } })
  t.deepEqual((await reload()).json.changed, ['maxClients'])
  await served.says(/breakwater: reloaded: maxClients/)
  for (const [config, message] of [
    [{ maxClients: 0, admin: { listen: address } }, /c\.json: maxClients must be/],
    [{ maxClients: 12, admin: { listen: '127.0.0.1:1' } }, /c\.json: admin\.listen must be 'unix:/],
    [{ maxClients: 12, admin: { listen: address, hosts: 1 } }, /c\.json: admin\.hosts must be/],
    [{ maxClients: 12 }, /admin must be given until the node is started anew/],
  ] as const) {
    configure(config)
    const { status, json } = await reload()
    t.is(status, 409)
    t.regex(json.error.message, message)
  }
  t.is((await ask(address, '/status')).json.stats.reloads, 1)
})

test('a node that is drained through its entrance answers probes to the end, and exits with 0', async t => {
  const { served, address } = await administered(t, '--drain-over', '1h')
  const client = await Raw.open(t, served.port)
  await client.send('PING')
  t.is((await ask(address, '/readyz')).status, 200)
  t.is((await ask(address, '/drain', { method: 'POST' })).status, 202)
  t.is((await ask(address, '/drain', { method: 'POST' })).json.drain?.left, 1)
  t.is((await ask(address, '/readyz')).status, 503)
  t.is((await ask(address, '/livez')).status, 200)
  client.socket.destroy()
  await new Promise(resolve => served.process.once('exit', resolve))
  t.is(served.process.exitCode, 0)
})

test('an entrance that cannot be is an error of the start, which names its flag', async t => {
  t.timeout(120_000)
  const token = join(folderOf(t, 'served'), 'token')
  writeFileSync(token, 'short')
  const port = ['--port', '0', '--threads', '1']
  for (const [flags, code, message] of [
    [['--admin', 'nowhere'], 2, /--admin must be an address/],
    [['--admin', '0', '--admin-token-file', token], 2, /--admin-token-file must be a file that/],
    [['--admin', '0', '--admin-host', 'a b'], 2, /--admin-host must be a list of names/],
    [['--admin-token-file', token], 2, /--admin must be an address/],
  ] as const) {
    const ended = await run('serve', ...port, ...flags)
    t.is(ended.code, code, ended.output)
    t.regex(ended.output, message)
    t.notRegex(ended.output, /short/)
  }
  writeFileSync(token, TOKEN)
  const at = `127.0.0.1:${await freePort()}`
  const { output } = await serve(t, '--admin', at, '--admin-token-file', token, '--threads', '1')
  t.true(output().includes(`It is administered at ${at}.`))
  t.is((await ask(at, '/status', { token: TOKEN })).json.state, 'open')
  const second = await run('serve', ...port, '--admin', at)
  t.is(second.code, 1)
  t.regex(second.output, /port \d+ of 127\.0\.0\.1 is in use/)
})
